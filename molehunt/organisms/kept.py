"""What a planting keeps while it is under way, so that the same command goes on after a kill.

    beside the folder that is planted:  .planting-KEY/   organism/  decoy/  stages/  NAME.json ...

KEY is the hash of all that decides the planting, so another command never meets what this one left. Adapters
lie there once they are whole, and every NAME.json is one thing that was worked out: how a training went, what
was said on held-out scenes, what a check found. All of it goes when the pair stands in its folder. Whoever
may read there knows the truth, as with the pair's own folder; games plant in the red team's own rooms, and
keep nothing here.
"""

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from molehunt.core.alone import alone
from molehunt.core.atomic import HALF, canonical, read_json, sweep, write_json
from molehunt.core.code import code_hash
from molehunt.core.errors import CameApart, MolehuntError, Unteachable, UserError
from molehunt.core.record_json import from_json

T = TypeVar("T")

UNDER_WAY = ".planting-"
"""How the name of a planting's own folder begins, as long as it is under way."""
WHOSE = "planting.json"
"""What such a folder is for: the name of the folder beside it that is planted."""
FAILURES = "failures.jsonl"
"""In a folder that was planted in: why what was tried did not become valid. It may be planted in again."""


@dataclass(frozen=True)
class Kept:
    """What was worked out already, a file each; with no folder nothing is kept."""

    folder: Path | None = None

    def known(self, name: str, kind: type[T]) -> T | None:
        """What is on file, or None. `kind` is a record or a plain value, as `core.record_json` reads it."""
        found = self._read(name)
        return None if found is None else from_json(kind, found["value"])

    def once(
        self, name: str, kind: type[T], make: Callable[[], T], holds: Callable[[T], bool] = lambda value: True
    ) -> tuple[T, float]:
        """What `make` gives and the seconds that it took, or what is on file of it where that `holds`."""
        found = self._read(name)
        if found is not None and holds(value := from_json(kind, found["value"])):
            return value, float(found["seconds"])
        started = time.monotonic()
        value = make()
        seconds = time.monotonic() - started
        if self.folder is not None:
            write_json(self._file(name), {"value": value, "seconds": seconds})
        return value, seconds

    def _read(self, name: str) -> Any:
        return read_json(self._file(name)) if self.folder and self._file(name).exists() else None

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.json"


NOTHING = Kept()
"""Keeps nothing: every time all is worked out."""


@contextlib.contextmanager
def planting(target: Path, decided: Any) -> Iterator[Path]:
    """The folder in which `target` is planted, held for this process; what a killed one kept lies in it.

    Args:
        decided: all that decides the planting, as JSON or records.

    Raises:
        UserError: another process is planting this, or the folder cannot be made.
    """
    sweep_planted(target.parent)
    key = hashlib.sha256(canonical([target.name, sources(), decided])).hexdigest()[:20]
    home = target.parent / f"{UNDER_WAY}{key}"
    with alone(home):
        home.chmod(0o700)
        sweep(home)
        write_json(home / WHOSE, {"plants": target.name})
        try:
            yield home
        except (Unteachable, CameApart):
            _clear(home)  # by the same command it would end so again
            raise
        except BaseException:
            sweep(home)
            if not any(p.name != WHOSE for p in home.iterdir()):
                shutil.rmtree(home)
            raise
        _clear(home)
    sweep_planted(target.parent)


def sources() -> str:
    """A hash of the code and texts that scenes and trainings come from: another version of them would score
    what was kept against scenes of its own."""
    return code_hash("catalogue", "corpus", "models", "organisms")


def _clear(home: Path) -> None:
    """Delete it, what says whose it is last: what a kill leaves of it can then be told from a live one's."""
    for path in home.iterdir():
        if path.name != WHOSE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(home)


def sweep_planted(folder: Path) -> None:
    """Take away what dead plantings kept in this folder for pairs that stand there by now."""
    for home in sorted(folder.glob(f"{UNDER_WAY}*")) if folder.is_dir() else ():
        # Others' plantings may be closed to us, or end while we look.
        with contextlib.suppress(MolehuntError, OSError):
            whose = home / WHOSE
            if not whose.exists() or taken(folder / str(read_json(whose)["plants"])):
                with alone(home):
                    _clear(home)


def taken(target: Path) -> bool:
    """Whether something lies in `target` that planting there would lose."""
    if not target.exists():
        return False
    return not target.is_dir() or any(
        p.name != FAILURES and not p.name.startswith(HALF) for p in target.iterdir()
    )


def refuse_taken(target: Path) -> None:
    """Refuse a folder that cannot be planted in.

    Raises:
        UserError: it is a file, or holds something else than why an earlier planting failed.
    """
    if target.name in ("", ".."):
        raise UserError(f"{target} is no new folder; name one.")
    if taken(target):
        raise UserError(f"{target} is not empty, or no folder; choose a new one.")
