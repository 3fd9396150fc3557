"""A lineup in the system's temporary folder: no path of it leads to what the red team knows.

Where truths lie is noted beside them, so that what a killed process left in the temporary folder is taken
away by the next.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from molehunt.core.atomic import read_json, write_json

AWAY = ".lineup.json"
"""Notes where the lineup lies."""
PREFIX = "molehunt-lineup-"


@contextlib.contextmanager
def away(home: Path) -> Iterator[Path]:
    """A folder from which no path leads to `home`; gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        write_json(home / AWAY, {"at": str(folder)})
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (home / AWAY).unlink(missing_ok=True)


def tidy(home: Path) -> None:
    """Take away the lineup that a killed process left in the temporary folder."""
    if (home / AWAY).exists():
        left = Path(str(read_json(home / AWAY).get("at", "")))
        if left.name.startswith(PREFIX) and left.parent == Path(tempfile.gettempdir()).resolve():
            shutil.rmtree(left, ignore_errors=True)
        (home / AWAY).unlink()
