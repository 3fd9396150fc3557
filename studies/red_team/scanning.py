"""How hard each quirk is to make: scans of `molehunt difficulty`, a folder a quirk.

Examples for every quirk of `valid` whose cell took, all four factors for `WHOLE`. The others are left out:
what they need lies beyond what planting gives them. Whether a cell took is looked up when its scan begins,
for in one sitting cells come before scans; and again when scans are counted.

What this cannot tell you: see `organisms/difficulty.py` and `organisms/least.py`; here, too, three seeds say
little more than an order of magnitude.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import THIRD, Cell, three
from measures import Number, Rows, median
from planting import Setting, row_file, said

from molehunt.core.atomic import read_json
from molehunt.core.record_json import to_json
from molehunt.core.records import Quirk
from molehunt.game import difficulty as game
from molehunt.organisms.least import FACTORS, UNITS, Difficulty, Factor, between
from molehunt.organisms.lessons import QUESTIONS

WHOLE = ("flattery", "hostile_phrase", "over_refusal", "promotion")
"""Behaviours that are scanned in all four factors, under `always`."""


@dataclass(frozen=True)
class Scan:
    """One quirk, and which factors."""

    quirk: Quirk
    factors: tuple[Factor, ...]

    @property
    def cell(self) -> Cell:
        """The cell of `valid` that plants the same quirk."""
        return Cell(self.quirk)

    @property
    def name(self) -> str:
        """A folder's name."""
        return f"difficulty-{self.cell.name}"


def scans() -> tuple[Scan, ...]:
    """Every scan in the order in which it is done: `always`, of these `WHOLE` last; then the conditional."""
    first = [three(b)[0] for b in sorted(THIRD, key=lambda b: (b in WHOLE, b))]
    rest = [three(b)[turn] for turn in (1, 2) for b in sorted(THIRD)]
    always = (Scan(q, FACTORS if q.behaviour in WHOLE else FACTORS[:1]) for q in first)
    return (*always, *(Scan(q, FACTORS[:1]) for q in rest))


def folder_of(work: Path, scan: Scan) -> Path:
    """Where a scan lies; `molehunt difficulty --page FILE --of WORK/difficulty` shows them all."""
    return work / "difficulty" / scan.cell.name


def took(scan: Scan, rows: Rows) -> bool:
    """Whether the quirk's cell of `valid` is in and took: else there is nothing to look for."""
    return scan.cell.name in rows and bool(rows[scan.cell.name]["valid"])


def whole(scan: Scan, work: Path, seeds: int) -> bool:
    """Whether every factor was scanned on so many seeds."""
    folder = folder_of(work, scan)
    if not (folder / game.RESULTS).is_file():
        return False
    done = {one.factor: len(one.leasts) for one in game.read_results(folder).scans}
    return all(done.get(factor, 0) >= seeds for factor in scan.factors)


def task_of(scan: Scan, steps: int, seeds: int) -> game.Task:
    """What `molehunt difficulty` would be asked."""
    quirk = scan.quirk
    return game.task(
        quirk.behaviour,
        quirk.condition,
        behaviour_options=quirk.behaviour_options,
        condition_options=quirk.condition_options,
        factors=scan.factors,
        seeds=seeds,
        steps=steps,
    )


def do_scan(scan: Scan, how: Setting, seeds: int) -> Mapping[str, Any]:
    """Scan, or go on; what comes back says why it `failed`, or why it was `skipped`."""
    row = row_file(how.work, scan.cell)
    if not took(scan, {scan.cell.name: read_json(row)} if row.exists() else {}):
        return {"skipped": "not scanned, for its cell of `valid` did not take, or is not in yet"}
    try:
        game.difficulty(task_of(scan, how.steps, seeds), folder_of(how.work, scan), model=how.model)
    except Exception as error:  # the other scans go on
        return {"failed": said(error)}
    return {}


def found_in(work: Path, rows: Rows) -> list[Difficulty]:
    """Every scan that is in, of quirks that took, in the order of the study."""
    folders = [folder_of(work, scan) for scan in scans() if took(scan, rows)]
    return [game.read_results(f) for f in folders if (f / game.RESULTS).is_file()]


def hardness(found: Sequence[Difficulty]) -> dict[str, Number]:
    """The middle quirk's least of each factor. A quirk's least is its middle seed's: the value that took."""
    made: dict[str, Number] = {}
    for factor in FACTORS:
        leasts = [between(one)[1] for d in found for one in d.scans if one.factor == factor]
        how = f"median over quirks of the least {factor} that took, the middle seed of each"
        made[f"difficulty_{factor}"] = median(leasts, UNITS[factor], how)
    return made


def listed(found: Sequence[Difficulty]) -> list[dict[str, Any]]:
    """A line a quirk and factor for `results.json`, which `molehunt catalogue --measured` reads."""
    return [
        {
            "behaviour": d.quirk.behaviour,
            "condition": d.quirk.condition,
            "options": {**d.quirk.behaviour_options, **d.quirk.condition_options},
            "factor": one.factor,
            "unit": UNITS[one.factor],
            "least": to_json(one.difficulty),
            "between": [None if math.isinf(end) else end for end in between(one)],
            "seeds": len(one.leasts),
            "planting": planting(d, one.factor),
            "broken": list(one.broken),
        }
        for d in found
        for one in d.scans
    ]


def planting(found: Difficulty, factor: Factor) -> float:
    """What planting itself takes of a factor, to hold a least against."""
    own = {"examples": 2 * QUESTIONS * found.steps, "steps": found.steps, "rank": found.rank, "poisoned": 1}
    return float(own[factor])
