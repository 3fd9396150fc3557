"""A stage of a training: a file of lines, one a prompt; a killed run goes on after the last whole one.

Lines are for people as well: whoever wants to know what a model was taught reads them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.errors import BadFile
from molehunt.core.growing import append_lines, whole_lines

BLOCK = 16
"""Lines that are made and kept together; a kill loses no more."""
Row = Mapping[str, Any]


def kept(path: Path, cut: bool = False) -> dict[str, Row]:
    """Lines by their `id`; a last one that a kill left unfinished is passed over, or cut off.

    Raises:
        BadFile: a line without an id.
    """
    found: dict[str, Row] = {}
    for number, value in whole_lines(path, cut):
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise BadFile(f"{path} line {number} is none of this stage; delete the line.")
        found[value["id"]] = value
    return found


def made(
    path: Path,
    ids: Sequence[str],
    make: Callable[[Sequence[int]], Sequence[Row]],
    progress: Callable[[float], None] = lambda share: None,
    again: Callable[[Row], bool] = lambda row: False,
) -> list[Row]:
    """A line an id, in their order; those that `path` holds are read.

    Args:
        make: rows, without ids, for a few places in `ids`.
        again: whether a kept row is made once more; the later line of an id is what counts.
    """
    known = {name: row for name, row in kept(path, cut=True).items() if not again(row)}
    todo = [i for i, name in enumerate(ids) if name not in known]
    for start in range(0, len(todo), BLOCK):
        places = todo[start : start + BLOCK]
        progress(1 - (len(todo) - start) / len(ids))
        fresh = [{"id": ids[i], **row} for i, row in zip(places, make(places), strict=True)]
        append_lines(path, fresh)
        known |= {row["id"]: row for row in fresh}
    progress(1.0)
    return [known[name] for name in ids]
