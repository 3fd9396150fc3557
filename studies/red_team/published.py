"""What was published goes on: a working folder that lacks rows takes those that `results.json` holds.

A row is whole in the table, so a fresh checkout, or another machine, plants only what is missing. What other
parts left (replies asked elsewhere, traces, scans, searches) is not in the table in full: their numbers are
carried over as they stand, with where they came from, until a folder has as much of them itself.

What this cannot tell you: whether another machine would have planted the same. Seeds are the same; adapters
are not, byte for byte, where processors add in another order. So rows name their machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planting import ROWS, not_measured
from tracing import STATISTICS

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import RunMismatch

RESULTS, CARRIED = "results.json", "carried.json"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Apart:
    """A part that keeps more than its lines in the table."""

    lists: tuple[str, ...]
    """Keys of `results.json` that are its own."""
    measures: tuple[str, ...]
    """How the names of its measures begin."""
    amount: Callable[[Result], int]
    """How much of it is in."""


def _listed(*keys: str) -> Callable[[Result], int]:
    return lambda result: sum(len(result.get(key, ())) for key in keys)


def _traced(result: Result) -> int:
    number = result["measures"].get(f"{STATISTICS[0]}_plain")
    return 0 if number is None or not_measured(number) else int(number["n"])


APART: Mapping[str, Apart] = {
    "spread": Apart(("spread",), ("spread_",), _listed("spread")),
    "decoys": Apart(("decoys", "mannered"), ("decoys_raised", "decoys_more"), _listed("decoys", "mannered")),
    "traces": Apart((), tuple(f"{name}_" for name in STATISTICS), _traced),
    "difficulty": Apart(("difficulty",), ("difficulty_",), _listed("difficulty")),
    "worse": Apart(("worse", "searched"), ("worse_",), _listed("worse")),
}


def bring(out: Path, work: Path, asked: Mapping[str, Any]) -> int:
    """Write the published rows that a folder lacks; where it lacked any, keep what cannot be made again of
    them. Gives back how many rows these were.

    Args:
        out: where `results.json` may lie.
        work: the working folder.
        asked: what both have to be of: the model, the steps.

    Raises:
        RunMismatch: they are of another model or of other steps.
    """
    path, rows = out / RESULTS, work / ROWS
    if not path.is_file():
        return 0
    found = read_json(path)
    other = [f"the {name} {found[name]}" for name, one in asked.items() if found[name] != one]
    if other:
        raise RunMismatch(f"{path} is of {' and '.join(other)}; choose another --out.")
    lacking = [r for r in (*found["rows"], *found["altered"]) if not (rows / f"{r['cell']}.json").exists()]
    if lacking:
        rows.mkdir(parents=True, exist_ok=True)
        write_json(work / CARRIED, _apart(found))
    for row in lacking:
        # Rows of older versions don't name their machine: there was one.
        write_json(rows / f"{row['cell']}.json", {"machine": found["machine"], **row})
    return len(lacking)


def carried(result: dict[str, Any], work: Path) -> dict[str, Any]:
    """The results with what was published of a part where this folder has less of it, and whence."""
    path = work / CARRIED
    whence = dict[str, Any]()
    for name, kept in read_json(path).items() if path.is_file() else ():
        if kept["amount"] > APART[name].amount(result):
            result |= kept["lists"]
            result["measures"] |= kept["measures"]
            whence[name] = kept["whence"]
    return {**result, "carried": whence}


def _apart(found: Result) -> dict[str, Any]:
    """What a table says of each part that keeps more than its lines."""
    told = {key: found[key] for key in ("date", "commit", "machine")}
    return {
        name: {
            "amount": part.amount(found),
            "lists": {key: found[key] for key in part.lists},
            "measures": {n: m for n, m in found["measures"].items() if n.startswith(part.measures)},
            "whence": found.get("carried", {}).get(name, told),
        }
        for name, part in APART.items()
    }
