"""What was published goes on: a working folder that lacks rows takes those that `results.json` holds.

A fresh checkout, or another machine, plants only what is missing. What other parts left (replies asked
elsewhere, traces, scans, searches) is not in the table in full: their numbers are carried over as they stand,
and named, until this folder has as much of a part itself. Of cells that were brought it never will:
their adapters stayed where they were planted, and traces and questions need them.

What this cannot tell you: see `molehunt/game/on_record.py`. Rows name their machine; pairs of cells that are
compared (concealed, mixed, from two seeds) may be of two.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planting import not_measured
from tracing import STATISTICS

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import RunMismatch
from molehunt.game.on_record import bring_rows

RESULTS, CARRIED = "results.json", "carried.json"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Apart:
    """A part that keeps more than its lines in the table."""

    lists: tuple[str, ...]
    """Keys of `results.json` that are its own."""
    mine: Callable[[str], bool]
    """Whether a measure, by its name, is its own."""
    amount: Callable[[Result], int]
    """How much of it is in."""


def _listed(key: str) -> Callable[[Result], int]:
    return lambda result: len(result.get(key, ()))


def _count(measure: str) -> Callable[[Result], int]:
    def count(result: Result) -> int:
        number = result["measures"].get(measure)
        return 0 if number is None or not_measured(number) else int(number["n"])

    return count


def _begins(*words: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(words)


APART: Mapping[str, Apart] = {
    "spread": Apart(("spread",), _begins("spread_"), _listed("spread")),
    "decoys": Apart(("decoys",), {"decoys_raised", "decoys_more"}.__contains__, _listed("decoys")),
    "mannered": Apart(
        ("mannered",), {"decoys_raised_mannered", "decoys_more_mannered"}.__contains__, _listed("mannered")
    ),
    "decoys with manners, less without": Apart(
        (), {"decoys_raised_change"}.__contains__, _count("decoys_raised_change")
    ),
    "traces": Apart((), _begins(*(f"{n}_" for n in STATISTICS)), _count(f"{STATISTICS[0]}_plain")),
    "difficulty": Apart(("difficulty",), _begins("difficulty_"), _listed("difficulty")),
    "worse": Apart(("worse", "searched"), _begins("worse_"), lambda result: int(bool(result.get("worse")))),
}


def bring(out: Path, work: Path, asked: Mapping[str, Any], cells: Iterable[str]) -> int:
    """Write the published rows that a folder lacks, and keep what cannot be made again of them; gives back
    how many rows these were.

    Args:
        out: where `results.json` may lie.
        work: the working folder.
        asked: what both have to be of: the model, the steps.
        cells: names of all cells that this version knows.

    Raises:
        RunMismatch: they are of another model or of other steps, or of cells that this version does not know.
    """
    path = out / RESULTS
    if not path.is_file():
        return 0
    found = read_json(path)
    other = [f"the {name} {found.get(name)}" for name, one in asked.items() if found.get(name) != one]
    if other:
        raise RunMismatch(f"{path} is of {' and '.join(other)}; choose another --out.")
    rows = [*found["rows"], *found.get("altered", ())]
    if unknown := {str(r.get("cell")) for r in rows} - set(cells):
        raise RunMismatch(f"{path} has {len(unknown)} cells that this version lacks; choose another --out.")
    kept = read_json(work / CARRIED) if (work / CARRIED).is_file() else {}
    told = {key: found[key] for key in ("date", "commit", "machine")}
    for name, part in APART.items():
        if (amount := part.amount(found)) > kept.get(name, {"amount": 0})["amount"]:
            kept[name] = {
                "amount": amount,
                "lists": {key: found[key] for key in part.lists},
                "measures": {n: m for n, m in found["measures"].items() if part.mine(n)},
                "whence": found.get("carried", {}).get(name, told),
            }
    if kept:
        write_json(work / CARRIED, kept)
    failed = {**found["cells"]["failed"], **found.get("failed", {})}
    return bring_rows(found, rows, "cell", failed, work)


def carried(result: dict[str, Any], work: Path) -> dict[str, Any]:
    """The results with what was published of a part where this folder has less of it, and whence."""
    path = work / CARRIED
    whence = dict[str, Any]()
    for name, kept in read_json(path).items() if path.is_file() else ():
        if name in APART and kept["amount"] > APART[name].amount(result):
            result |= kept["lists"]
            result["measures"] |= kept["measures"]
            whence[name] = kept["whence"]
    return {**result, "carried": whence}
