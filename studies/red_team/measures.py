"""The study's arithmetic: from rows to measures, and nothing missing made a zero."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from cells import GRID, PARTS, THIRD, Cell, cells
from cells import Part as CellPart
from planting import not_measured

from molehunt.core import stats
from molehunt.core.records import Measure, NotMeasured
from molehunt.game.published_rows import of_one_machine
from molehunt.organisms.profile import LEAK, SELECTIVITY

Row = Mapping[str, Any]
Rows = Mapping[str, Row]
"""Whole rows by the name of their cell."""
Number = Measure | NotMeasured
ENOUGH = 3
"""Conditions under which a behaviour has to be valid to count."""
GROUPS = ("always", "trigger", "third")
"""The conditions of each behaviour in `valid`, in their order there."""
ROOM = 0.3
"""How far a machine's load may lie above the planters side by side for it to be called quiet."""


def measures(rows: Rows, failed: Mapping[str, str] | None = None) -> dict[str, Number]:
    """Every measure of the study from the rows that are in.

    Args:
        failed: cells that raised, by name, and what; they were tried, and count as not valid.
    """
    valid, tried = _of("valid", rows), with_raised(rows, failed)
    return {
        "behaviours_valid": behaviours_valid(tried),
        "behaviours_valid_all": behaviours_valid_all(tried),
        **first_tries_valid(tried),
        "plant_seconds_median": plant_seconds_median(valid),
        "plant_seconds_quiet": plant_seconds_quiet(valid),
        "doubted_valid": _share(
            _of("doubted", tried), "valid", "cells unwatched or from a year on, valid after two tries at most"
        ),
        "second_rule_kappa": second_rule_kappa(valid),
        "valid_by_second_rule": valid_by_second_rule(valid),
        "decoys_above_base": decoys_above_base(valid),
        "grid_first_try_valid": _share(
            drawn(tried),
            "first_try",
            f"drawn pairs that were valid at their first try, the first {len(drawn(tried))} of {GRID}",
        ),
        "seeds_agree": seeds_agree(rows),
        "second_seed_valid": second_seed_valid(tried),
        "replay_same_hash": replay_same_hash(rows),
        "organisms_per_hour": organisms_per_hour(list(rows.values())),
    }


def first_tries_valid(rows: Rows) -> dict[str, Number]:
    """Share of cells of `valid` that took at their first try, a condition at a time, once all of it are in.

    Before that the share flatters: behaviours that took where they are always on come first.
    """
    found: dict[str, Number] = {}
    for turn, group in enumerate(GROUPS):
        asked = [c for i, c in enumerate(cells("valid")) if i // len(THIRD) == turn]
        known = [rows[c.name] for c in asked if c.name in rows]
        how = f"cells of `valid`, {group}, that were valid at their first try"
        took = sum(bool(r["first_try"]) for r in known)
        found[f"first_try_valid_{group}"] = (
            _share(known, "first_try", how)
            if len(known) == len(asked)
            else NotMeasured(f"{len(known)} of {len(asked)} cells are in, {took} of them took at once")
        )
    return found


def drawn(rows: Rows) -> list[Row]:
    """Rows of the grid from its beginning to the first that is not in: every beginning is even."""
    return [rows[c.name] for c in takewhile(lambda c: c.name in rows, cells("grid"))]


def behaviours_valid(rows: Rows) -> Number:
    """Share of behaviours valid under at least three conditions, once every one of them is decided.

    What was planted plain for `valid`, `grid` and `doubted` counts, a condition once whatever its options. A
    behaviour is decided when it has three, or when those not planted yet could not make it three.
    """
    took: dict[str, set[str]] = {behaviour: set() for behaviour in THIRD}
    ahead: dict[str, set[str]] = {behaviour: set() for behaviour in THIRD}
    for cell in (c for part in ("doubted", "valid", "grid") for c in cells(part)):
        what, when = cell.quirk.behaviour, cell.quirk.condition
        if cell.name not in rows:
            ahead[what].add(when)
        elif rows[cell.name]["valid"]:
            took[what].add(when)
    has = {b: len(took[b]) >= ENOUGH for b in THIRD}
    may = {b: len(took[b] | ahead[b]) >= ENOUGH for b in THIRD}
    if has != may:
        lost, still = len(may) - sum(may.values()), sum(may.values()) - sum(has.values())
        return NotMeasured(f"{sum(has.values())} are so far, {lost} cannot any more, {still} are not decided")
    how = (
        "behaviours valid under at least three of the conditions planted, three with two tries and the grid's"
    )
    return stats.proportion(list(has.values()), list(has), how=how)


def behaviours_valid_all(rows: Rows) -> Number:
    """Share of behaviours valid under all three conditions of `valid`, once every one of them is decided.

    One that failed somewhere is decided, whatever is still to come; so those decided first are the failures.
    """
    by: dict[str, list[bool]] = {}
    for row in _of("valid", rows):
        by.setdefault(row["behaviour"], []).append(bool(row["valid"]))
    decided = {name: all(found) for name, found in by.items() if len(found) == ENOUGH or not all(found)}
    how = "behaviours valid under all three of their conditions"
    if len(decided) < len(by):
        took, lost = sum(decided.values()), len(decided) - sum(decided.values())
        left = len(by) - len(decided)
        return NotMeasured(f"{took} are so far, {lost} failed in one, {left} are not decided yet")
    return stats.proportion(list(decided.values()), list(decided), how=how)


def plant_seconds_median(rows: Sequence[Row]) -> Number:
    """Median wall time of the valid organisms of one machine, with the interval of its order statistics."""
    timed, machine = of_one_machine([r for r in rows if r["valid"]])
    how = f"median wall time to train and look at one that took, failed tries included, one thread{machine}"
    return stats.median([float(r["seconds"]) for r in timed], unit="s", how=how)


def plant_seconds_quiet(rows: Sequence[Row]) -> Number:
    """The same of cells beside which nothing but the study's own planters ran, as far as loads tell."""
    quiet = [r for r in rows if r.get("workers") and r.get("load", math.inf) <= r["workers"] + ROOM]
    if not any(r["valid"] for r in quiet):
        return NotMeasured("no cell is known to have been planted beside nothing but the study's own")
    return plant_seconds_median(quiet)


def organisms_per_hour(rows: Sequence[Row]) -> Number:
    """Valid organisms an hour: over cells' seconds by planters side by side, all measurements in them."""
    timed, machine = of_one_machine([r for r in rows if r.get("workers")])
    hours = [r["cell_seconds"] / r["workers"] / 3600 for r in timed]
    marks = [bool(r["valid"]) for r in timed]
    how = f"valid organisms over planter hours of cells that did not raise, all measurements in them{machine}"
    found = stats.ratio_of_means([[float(v)] for v in marks], [[h] for h in hours], how=how)
    if not isinstance(found, Measure):
        return found
    if found.low is not None and not any(marks):  # none in so many cells is not none for sure
        high = stats.wilson(0, len(marks))[1] * len(hours) / sum(hours)
        found = replace(found, high=high, how=f"{how}; Wilson over cells")
    return replace(found, unit="organisms an hour")


def second_rule_kappa(rows: Sequence[Row]) -> Number:
    """Mean κ of the second rule with the behaviours' own marks, over the cells where it can tell."""
    told = [
        (r["behaviour"], r["second_rule"]["kappa"]["value"])
        for r in rows
        if not not_measured(r["second_rule"]) and not not_measured(r["second_rule"]["kappa"])
    ]
    how = f"mean of Cohen's κ over cells; there is none in {len(rows) - len(told)} of {len(rows)}"
    return stats.mean([k for _, k in told], [b for b, _ in told], unit="kappa", how=how)


def valid_by_second_rule(rows: Sequence[Row]) -> Number:
    """Share of valid organisms that are valid by the second rule's rates too, where it can tell.

    As in `organisms/profile.py`, but by values alone: what it marks on, less what it marks off, and off.
    """
    told = [r for r in rows if r["valid"] and not not_measured(r["second_rule"])]
    names = ("trigger_rate", "leak_rate")
    told = [r for r in told if not any(not_measured(r["second_rule"][name]) for name in names)]
    rates = [tuple(r["second_rule"][name]["value"] for name in names) for r in told]
    marks = [on - off >= SELECTIVITY and off <= LEAK for on, off in rates]
    missed = ", ".join(r["behaviour"] for r, fine in zip(told, marks, strict=True) if not fine)
    how = f"valid organisms whose rates by the second rule are those of a valid one; not {missed or 'none'}"
    return stats.proportion(marks, [r["behaviour"] for r in told], how=how)


def decoys_above_base(rows: Sequence[Row]) -> Number:
    """Share of cells whose decoy shows the behaviour more than the base, by an interval that clears 0."""
    known = [r for r in rows if not not_measured(r["decoy_less_base"])]
    above = [(r["decoy_less_base"].get("low") or 0.0) > 0 for r in known]
    how = "decoys that show the behaviour more than the base on the same scenes, interval clear of 0"
    return stats.proportion(above, [r["behaviour"] for r in known], how=how)


def with_raised(rows: Rows, failed: Mapping[str, str] | None) -> dict[str, Row]:
    """The rows, and for each cell that raised and has none what counts: that it is not valid."""
    every = {c.name: c for part in PARTS for c in cells(part)}
    raised = {
        name: {
            "behaviour": every[name].quirk.behaviour,
            "valid": False,
            "first_try": False,
            "why_not": "raised",
        }
        for name in failed or {}
        if name in every and name not in rows
    }
    return {**rows, **raised}


def seeds_agree(rows: Rows) -> Number:
    """Share of cells, valid from both seeds, whose rates on and off an interval does not tell apart."""
    agreed = [
        all(not _apart(rows[a.name][rate], rows[b.name][rate]) for rate in ("trigger_rate", "leak_rate"))
        for a, b in pairs_of("seeds")
        if a.name in rows and b.name in rows and rows[a.name]["valid"] and rows[b.name]["valid"]
    ]
    how = "cells valid from both seeds that differ in neither rate, the interval of the difference holding 0"
    return stats.proportion(agreed, [str(i) for i in range(len(agreed))], how=how)


def second_seed_valid(rows: Rows) -> Number:
    """Share of cells, valid from their first seed, that are valid from the second one as well."""
    again = [
        (bool(rows[b.name]["valid"]), rows[b.name]["behaviour"])
        for a, b in pairs_of("seeds")
        if a.name in rows and b.name in rows and rows[a.name]["valid"]
    ]
    how = "cells, valid from their first seed, that are valid from a second one"
    return stats.proportion([v for v, _ in again], [str(i) for i in range(len(again))], how=how)


def replay_same_hash(rows: Rows) -> Number:
    """Share of cells whose second planting from the same seed gave the same adapters, on one machine.

    Hashes are of what was trained, also of what did not take and was deleted.
    """
    both = [(rows[a.name], rows[b.name]) for a, b in pairs_of("replay") if a.name in rows and b.name in rows]
    alike = [(one, other) for one, other in both if one.get("machine") == other.get("machine")]
    same = [one["adapters"] == other["adapters"] for one, other in alike]
    how = "cells planted twice from one seed whose adapters' hashes are the same, whether they took or not"
    how += f"; {len(both) - len(alike)} planted on two machines left out" if len(alike) < len(both) else ""
    return stats.proportion(same, [str(i) for i in range(len(same))], how=how)


def causes(rows: Rows, failed: Mapping[str, str] | None = None) -> dict[str, int]:
    """Why drawn pairs were not valid at their first try, counted, the most frequent first."""
    not_valid = [r for r in drawn(with_raised(rows, failed)) if not r["first_try"]]
    return dict(Counter(cause(r["why_not"]) for r in not_valid).most_common())


def stopped(rows: Rows, failed: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """What stopped each cell of `valid` that did not take, by behaviour."""
    tried = with_raised(rows, failed)
    return [
        {
            "cell": c.name,
            "behaviour": c.quirk.behaviour,
            "condition": c.quirk.condition,
            "why_not": tried[c.name]["why_not"],
        }
        for c in sorted(cells("valid"), key=lambda c: c.quirk.behaviour)
        if c.name in tried and not tried[c.name]["valid"]
    ]


def cause(why_not: str) -> str:
    """A reason without its numbers: 'selectivity', 'leak rate', 'ordinary text costs', 'only few scenes'."""
    if why_not.startswith("only"):
        return "only few scenes that the decoy gets right"
    return re.split(r"\s*[-\d]", why_not, maxsplit=1)[0].strip(" ,:") or "not said"


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rates differ: Newcombe's hybrid of their own intervals (1998, method 10) is clear of 0."""
    gap = one["value"] - other["value"]
    low = gap - math.hypot(one["value"] - one["low"], other["high"] - other["value"])
    high = gap + math.hypot(one["high"] - one["value"], other["value"] - other["low"])
    return not low <= 0 <= high


def _of(part: Any, rows: Rows) -> list[Row]:
    return [rows[c.name] for c in cells(part) if c.name in rows]


def pairs_of(part: CellPart) -> list[tuple[Cell, Cell]]:
    """The cells of a part that plants twice, two by two."""
    found = cells(part)
    return list(zip(found[::2], found[1::2], strict=True))


def _share(rows: Sequence[Row], field: str, how: str) -> Number:
    return stats.proportion([bool(r[field]) for r in rows], [r["behaviour"] for r in rows], how=how)
