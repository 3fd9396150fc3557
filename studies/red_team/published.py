"""What was published goes on: a working folder that lacks rows takes those that `results.json` holds.

A fresh checkout, or another machine, plants only what is missing. What else is known of cells that were
brought (replies asked elsewhere, traces) needs their adapters, which stayed where they were planted: so it is
taken from the table as it stands, line by line, and named; of traces, scans and the search all of it, until
this folder has any of its own. A folder to which nothing was brought takes nothing from any table.

What this cannot tell you: see `molehunt/game/published_rows.py`. Rows name their machine; pairs that are
compared (concealed, mixed, from two seeds) may be of two machines.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planting import not_measured
from tracing import STATISTICS

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import RunMismatch
from molehunt.game.published_rows import bring_rows, lacking

RESULTS, TAKEN = "results.json", "taken.json"
LINES = ("spread", "decoys", "mannered")
"""Keys of `results.json` with a line a cell, from which its measures follow."""
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Whole:
    """A part that is taken from a table all or not at all."""

    lists: tuple[str, ...]
    """Keys of `results.json` that are its own."""
    begins: tuple[str, ...]
    """How the names of its measures begin."""
    there: Callable[[Result], bool]
    """Whether results have any of it."""


def _traced(result: Result) -> bool:
    number = result["measures"].get(f"{STATISTICS[0]}_plain")
    return number is not None and not not_measured(number)


WHOLE: Mapping[str, Whole] = {
    "traces": Whole((), tuple(f"{name}_" for name in STATISTICS), _traced),
    "difficulty": Whole(("difficulty",), ("difficulty_",), lambda result: bool(result["difficulty"])),
    "worse": Whole(("worse", "searched"), ("worse_",), lambda result: bool(result["worse"])),
}
NEEDED = {"date", "commit", "machine", "cells", "measures", "rows", "altered", *LINES} | {
    key for part in WHOLE.values() for key in part.lists
}


def bring(out: Path, work: Path, asked: Mapping[str, Any], cells: Iterable[str]) -> int:
    """Write the published rows that a folder lacks, and keep the table that they came with; gives back how
    many rows these were.

    Args:
        out: where `results.json` may lie.
        work: the working folder.
        asked: what both have to be of: the model, the steps.
        cells: names of all cells that this version knows.

    Raises:
        RunMismatch: they are of another model or of other steps, of cells that this version does not know, or
            of another study.
    """
    path = out / RESULTS
    if not path.is_file():
        return 0
    found = read_json(path)
    if not isinstance(found, dict) or not NEEDED | asked.keys() <= found.keys():
        raise RunMismatch(f"{path} is no table of this version of the study; choose another --out.")
    other = [f"the {name} {found[name]}" for name, one in asked.items() if found[name] != one]
    if other:
        raise RunMismatch(f"{path} is of {' and '.join(other)}; choose another --out.")
    rows = [*found["rows"], *found["altered"]]
    if unknown := {str(r.get("cell")) for r in rows} - set(cells):
        raise RunMismatch(f"{path} has {len(unknown)} cells that this version lacks; choose another --out.")
    brought = {*_taken(work).get("brought", ()), *(r["cell"] for r in lacking(rows, "cell", work))}
    if brought:
        table = {key: found[key] for key in NEEDED - {"rows", "altered", "cells"}}
        write_json(
            work / TAKEN,
            {"brought": sorted(brought), "table": table, "carried": found.get("carried", {})},
        )
    raised = {n: why for n, why in found["cells"]["failed"].items() if n not in {r["cell"] for r in rows}}
    return bring_rows(found, rows, "cell", {**raised, **found.get("failed", {})}, work)


def with_lines(own: Sequence[Any], part: str, cells: Mapping[str, str], work: Path) -> list[dict[str, Any]]:
    """This folder's lines of a part, and the table's of cells that were brought.

    Args:
        own: this folder's.
        cells: name of each behaviour's cell.
    """
    taken, known = _taken(work), {line["behaviour"] for line in own}
    more = [
        line
        for line in taken.get("table", {}).get(part, ())
        if line["behaviour"] not in known and cells.get(line["behaviour"]) in taken["brought"]
    ]
    by = {line["behaviour"]: line for line in (*own, *more)}
    return [by[name] for name in cells if name in by]


def carried(result: dict[str, Any], own: Mapping[str, int], work: Path) -> dict[str, Any]:
    """The results with what the table has of whole parts of which this folder has nothing; and `carried`,
    which says what of them came from which table.

    Args:
        own: how many lines of each part of `LINES` are this folder's.
    """
    taken = _taken(work)
    table, whence = taken.get("table"), dict[str, Any]()
    if table is None:
        return {**result, "carried": whence}
    told = {key: table[key] for key in ("date", "commit", "machine")}
    parts = [part for part in LINES if len(result[part]) > own[part]]
    for name, part in WHOLE.items():
        if part.there(table) and not part.there(result):
            parts.append(name)
            result |= {key: table[key] for key in part.lists}
            result["measures"] |= {n: m for n, m in table["measures"].items() if n.startswith(part.begins)}
    return {**result, "carried": {name: taken["carried"].get(name, told) for name in parts}}


def _taken(work: Path) -> dict[str, Any]:
    return read_json(work / TAKEN) if (work / TAKEN).is_file() else {}
