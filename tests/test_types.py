"""The types hold. A test, and not a step before them: checking takes a minute and a half of one core."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(900)
def test_every_type_of_the_package_is_right() -> None:
    command = [sys.executable, "-m", "pyright"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
