"""How hard each quirk is to make: scans of `molehunt difficulty`, a folder a quirk.

One quirk of each behaviour, chosen beforehand: conditions as even as can be in every beginning of the list,
by a hash among equals. Examples for all whose cell of `valid` took, all four factors for `WHOLE`, with the
steps at which the cell took. Of the others no scan is needed: what they need lies beyond what planting gives
them, and so they count. Whether a cell took is looked up when its scan begins, for in one sitting cells come
before scans; and again when scans are counted.

What this cannot tell you: see `organisms/difficulty.py` and `organisms/least.py`; here, too, three seeds say
little more than an order of magnitude, and a scan trains from other seeds than its cell's.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from cells import THIRD, Cell, three
from measures import Number, Rows
from planting import Setting, row_file, said

from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import commit
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured, Quirk
from molehunt.core.splits import seed_of
from molehunt.game import difficulty as game
from molehunt.organisms.difficulty import CODE, usual
from molehunt.organisms.kept import sources
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import FACTORS, UNITS, Difficulty, Factor, between
from molehunt.organisms.least import Scan as GameScan

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
    """Every scan, in the order in which it is done: a behaviour once, `WHOLE` first of those always on."""
    waiting, met, drawn = sorted(THIRD, key=lambda b: seed_of("difficulty", b)), Counter[int](), list[Scan]()
    while waiting:
        turn = min(range(3), key=lambda t: (met[t], seed_of("difficulty", len(drawn), t)))
        fits = [b for b in waiting if (b in WHOLE) == (turn == 0)]
        behaviour = (fits or waiting)[0]
        waiting.remove(behaviour)
        met[turn] += 1
        drawn.append(Scan(three(behaviour)[turn], FACTORS if behaviour in WHOLE else FACTORS[:1]))
    return tuple(drawn)


def folder_of(work: Path, scan: Scan) -> Path:
    """Where a scan lies; `molehunt difficulty --page FILE --of WORK/difficulty` shows them all."""
    return work / "difficulty" / scan.cell.name


def took(scan: Scan, rows: Rows) -> bool:
    """Whether the quirk's cell of `valid` is in and took: else there is nothing to look for."""
    return scan.cell.name in rows and bool(rows[scan.cell.name]["valid"])


def steps_of(scan: Scan, rows: Rows, usually: int) -> int:
    """The plan's steps with which a first try has those at which the quirk's cell took."""
    return usual(scan.quirk, rows[scan.cell.name]["steps"]) if scan.cell.name in rows else usually


def whole(scan: Scan, how: Setting, seeds: int, rows: Rows) -> bool:
    """Whether every factor was scanned on so many seeds, with the steps at which the quirk took."""
    folder = folder_of(how.work, scan)
    if not (folder / game.RESULTS).is_file():
        return False
    found = game.read_results(folder)
    done = {one.factor: len(one.leasts) for one in found.scans}
    now = steps_for(scan.quirk, steps_of(scan, rows, how.steps))
    return found.steps == now and all(done.get(factor, 0) >= seeds for factor in scan.factors)


def task_of(scan: Scan, rows: Rows, steps: int, seeds: int) -> game.Task:
    """What `molehunt difficulty` would be asked; `steps` where the quirk's cell is not in yet."""
    quirk = scan.quirk
    return game.task(
        quirk.behaviour,
        quirk.condition,
        behaviour_options=quirk.behaviour_options,
        condition_options=quirk.condition_options,
        factors=scan.factors,
        seeds=seeds,
        steps=steps_of(scan, rows, steps),
    )


def do_scan(scan: Scan, how: Setting, seeds: int) -> Mapping[str, Any]:
    """Scan, or go on; what comes back says why it `failed`, or why it was `skipped`."""
    row = row_file(how.work, scan.cell)
    rows = {scan.cell.name: read_json(row)} if row.exists() else {}
    if not took(scan, rows):
        return {"skipped": "not scanned, for its cell of `valid` did not take, or is not in yet"}
    try:
        by = _commit_file(how.work, sources()[:CODE])
        if not by.exists():
            by.parent.mkdir(parents=True, exist_ok=True)
            write_json(by, commit())
        game.difficulty(task_of(scan, rows, how.steps, seeds), folder_of(how.work, scan), model=how.model)
    except Exception as error:  # the other scans go on
        return {"failed": said(error)}
    return {}


def found_in(work: Path, rows: Rows) -> dict[str, Difficulty]:
    """Every scan that is in, of quirks that took, by its cell's name and in the order of the study."""
    folders = {scan.cell.name: folder_of(work, scan) for scan in scans() if took(scan, rows)}
    return {name: game.read_results(f) for name, f in folders.items() if (f / game.RESULTS).is_file()}


def commits(work: Path, found: Mapping[str, Difficulty]) -> dict[str, list[str]]:
    """By which commits the trials of each scan were made."""
    codes = {n: {t.code or "" for one in d.scans for t in one.trials} for n, d in found.items()}
    files = {n: [_commit_file(work, c) for c in sorted(own)] for n, own in codes.items()}
    return {n: sorted({str(read_json(f)) for f in own if f.is_file()}) for n, own in files.items()}


def _commit_file(work: Path, code: str) -> Path:
    """Which commit had this code, in a file of its own: planters side by side write it."""
    return work / "commits" / f"{code}.json"


def hardness(found: Mapping[str, Difficulty], rows: Rows) -> dict[str, Number]:
    """The middle quirk's least of each factor, over the list's beginning up to the first that is not decided.

    A quirk's least is its middle seed's: the value that took. One whose cell did not take is harder than any.
    """
    made: dict[str, Number] = {}
    for factor in FACTORS:
        asked = [s for s in scans() if factor in s.factors]
        needed = [(s, _needed(s, factor, found, rows)) for s in asked]
        known = [(s, v) for s, v in takewhile(lambda one: one[1] is not None, needed) if v is not None]
        if not known:
            decided = sum(v is not None for _, v in needed)
            made[f"difficulty_{factor}"] = NotMeasured(f"{decided} of {len(asked)} quirks are decided")
            continue
        how = f"median over quirks, one a behaviour, of the least {factor} that took, the middle seed of each"
        how += f"; the first {len(known)} of {len(asked)}" if len(known) < len(asked) else ""
        how += _ends(known, factor, found, rows)
        made[f"difficulty_{factor}"] = stats.median([v for _, v in known], unit=UNITS[factor], how=how)
    return made


def _ends(
    known: Sequence[tuple[Scan, float]], factor: Factor, found: Mapping[str, Difficulty], rows: Rows
) -> str:
    """How many stand at an end of what was tried, in words: of their least only the side is known."""
    failed = sum(not rows[s.cell.name]["valid"] for s, _ in known if s.cell.name in rows)
    beyond = sum(math.isinf(v) for _, v in known) - failed
    least = sum(
        not between(one)[0]
        for s, _ in known
        if s.cell.name in found
        for one in found[s.cell.name].scans
        if one.factor == factor
    )
    return (
        f"; {failed} never took, {beyond} not with all that was tried, {least} with the least that was tried"
    )


def _needed(scan: Scan, factor: Factor, found: Mapping[str, Difficulty], rows: Rows) -> float | None:
    """What the middle seed needed, infinitely much where the quirk did not take; None while nobody knows."""
    name = scan.cell.name
    if name in rows and not rows[name]["valid"]:
        return math.inf
    scanned = (one for one in found[name].scans if one.factor == factor) if name in found else ()
    return next((between(one)[1] for one in scanned), None)


def listed(found: Mapping[str, Difficulty], work: Path) -> list[dict[str, Any]]:
    """A line a quirk and factor for `results.json`, which `molehunt catalogue --measured` reads."""
    by = commits(work, found)
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
            "planting": planting(d, one),
            "planting_steps": d.steps,
            "rows": rows_at_least(one),
            "broken": list(one.broken),
            "commit": ", ".join(by[name]),
            "machine": "; ".join(sorted({t.machine for t in one.trials if t.machine})),
        }
        for name, d in found.items()
        for one in d.scans
    ]


def rows_at_least(one: GameScan) -> int | None:
    """The most distinct rows that a trial at the middle seed's least dealt."""
    dealt = [t.rows for t in one.trials if t.rows is not None and t.at(one.factor) == between(one)[1]]
    return max(dealt, default=None)


def planting(found: Difficulty, one: GameScan) -> float:
    """What planting itself takes of a factor, to hold a least against; a grid of examples ends there."""
    own = {"examples": one.values[-1], "steps": found.steps, "rank": found.rank, "poisoned": 1}
    return float(own[one.factor])
