"""What a study published goes on: rows are whole in its table, and a folder that lacks some takes them there.

What this cannot tell you: whether another machine would have measured the same. Seeds are the same; adapters
are not, byte for byte, where processors add in another order.
"""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.game.side_by_side import FAILED, keep_failed

ROWS, AMONG = "rows", "; "
R = TypeVar("R", bound=Mapping[str, Any])


def bring_rows(
    found: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    key: str,
    failed: Mapping[str, str],
    work: Path,
) -> int:
    """Write the rows that a folder lacks, and what had failed where it knows of none; gives back how many.

    Args:
        found: the published table; a row that names no machine is of the table's, where that is one.
        rows: those of its rows that are wanted.
        key: what holds a row's name.
        failed: what had raised when the table was made.
        work: the working folder. Each file is whole or not there.
    """
    machine = str(found.get("machine", ""))
    named = {} if AMONG in machine or not machine else {"machine": machine}
    wanted = lacking(rows, key, work)
    for row in wanted:
        (work / ROWS).mkdir(parents=True, exist_ok=True)
        write_json(work / ROWS / f"{row[key]}.json", {**named, **row})
    if not (work / FAILED).exists():
        keep_failed(work, failed)
    return len(wanted)


def lacking(rows: Sequence[R], key: str, work: Path) -> list[R]:
    """Those that a working folder does not hold; arguments as above."""
    return [r for r in rows if not (work / ROWS / f"{r[key]}.json").exists()]


def machines(rows: Sequence[Mapping[str, Any]], here: str) -> str:
    """Every machine that measured some of them; this one where none says."""
    return AMONG.join(sorted({r["machine"] for r in rows if "machine" in r})) or here


def of_one_machine(rows: Sequence[R], here: str = "") -> tuple[list[R], str]:
    """Rows of one machine, and its name for a sentence: times of several don't mix.

    It is `here` where that did any of them, for who reckons ahead; else the one that did most.
    """
    by = Counter(str(r.get("machine", "")) for r in rows)
    most = here if here and by[here] else max(by, key=lambda name: (by[name], name), default="")
    return [r for r in rows if str(r.get("machine", "")) == most], f"; {most}" if most else ""


@contextlib.contextmanager
def shadow(work: Path) -> Iterator[Path]:
    """A folder that shows what lies in a working folder and takes rows of its own: for looking ahead.

    Raises:
        MolehuntError: what the block raised, with the working folder's name in place of this one's.
    """
    with tempfile.TemporaryDirectory() as name:
        there = Path(name) / "work"
        (there / ROWS).mkdir(parents=True)
        for path in sorted(work.iterdir()) if work.is_dir() else ():
            if path.name == ROWS:
                for row in path.glob("*.json"):
                    (there / ROWS / row.name).symlink_to(row.resolve())
            elif path.suffix == ".json":
                write_json(there / path.name, read_json(path))
            else:
                (there / path.name).symlink_to(path.resolve())
        try:
            yield there
        except MolehuntError as error:
            error.args = (str(error).replace(str(there), str(work)),)
            raise
