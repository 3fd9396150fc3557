"""A processor that promises AMX and cannot keep it: torch dies of it alone, and lives after our import."""

import os
import platform
import subprocess
import sys

import pytest

from molehunt.core import tiles

PRODUCT = """
import torch
ones = torch.ones(512, 512, dtype=torch.bfloat16)
print(float((ones @ ones).sum()))
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    unset = {k: v for k, v in os.environ.items() if k != tiles.VARIABLE}
    return subprocess.run([sys.executable, "-c", code], env=unset, capture_output=True, text=True)


def test_products_in_bfloat16_work_wherever_the_package_was_imported_first():
    done = _run(f"import molehunt{PRODUCT}")
    assert (done.returncode, done.stdout) == (0, f"{512.0**3}\n"), done.stderr


def test_torch_alone_dies_exactly_where_the_package_steps_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(tiles.VARIABLE, raising=False)
    steps_in = tiles.leave_broken_tiles()
    assert os.environ.get(tiles.VARIABLE) == (tiles.WITHOUT_AMX if steps_in else None)
    monkeypatch.delenv(tiles.VARIABLE, raising=False)
    assert (_run(PRODUCT).returncode != 0) == steps_in


@pytest.mark.parametrize(
    ("promised", "palette", "left"), [(True, 0, True), (True, 1, False), (False, 0, False)]
)
def test_only_a_broken_promise_is_met(
    monkeypatch: pytest.MonkeyPatch, promised: bool, palette: int, left: bool
) -> None:
    monkeypatch.delenv(tiles.VARIABLE, raising=False)
    monkeypatch.setattr(tiles, "_promised", lambda: promised)
    monkeypatch.setattr(tiles, "largest_palette", lambda: palette)
    assert tiles.leave_broken_tiles() == left
    monkeypatch.setenv(tiles.VARIABLE, "AVX2")
    assert not tiles.leave_broken_tiles() and os.environ[tiles.VARIABLE] == "AVX2"


def test_the_processor_answers_on_linux_on_x86():
    asked = sys.platform.startswith("linux") and platform.machine() == "x86_64"
    assert (tiles.largest_palette() is not None) == asked
