"""Tables of the page beyond its measures: what stopped quirks, traces, difficulty, the search."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from elsewhere import DECOYS, MANNERED, SPREAD, Inquiry
from planting import not_measured

from molehunt.organisms.least import NEVER

TRACES = {
    "traces_shift": "`traces`: shift of the residual stream",
    "traces_concentration": "`traces`: how far its words stand out",
    "diff_share": "`diff`: mean difference after the last layer",
}


def sections(result: Mapping[str, Any]) -> list[str]:
    """Every table that has something to say; traces always, so that what is missing is said."""
    measures = result["measures"]
    stopped = [[_quirk(s), s["why_not"], s["smallest"]] for s in result["stopped"]]
    columns = ("plain", "mixed", "change", "change_decoys", "auroc_plain", "auroc_mixed")
    traces = [[words, *(_brief(measures[f"{n}_{c}"]) for c in columns)] for n, words in TRACES.items()]
    heads = ("plain", "mixed", "change", "change in decoys", "AUROC of organisms, plain", "mixed")
    return [
        *grid(("cell of `valid` that did not take", "what stopped it", "smallest base that can"), stopped),
        *grid(
            ("why a pair of the grid did not take", "pairs"),
            ([why, str(count)] for why, count in result["causes"].items()),
        ),
        *grid(("trace of narrow training, valid organisms of `mixed`", *heads), traces),
        *grid(
            ("organism, always on", "more than its decoy, all others", *_heads(SPREAD)),
            [_raised(SPREAD, one) for one in result["spread"]],
        ),
        *grid(
            ("decoy of, always on", "more than the base, all behaviours", *_heads(DECOYS), "not excluded"),
            [[*_raised(DECOYS, one), _may_be(one)] for one in result["decoys"]],
        ),
        *grid(
            ("decoy with manners", "more than the base, all behaviours", *_heads(MANNERED), "not excluded"),
            [[*_raised(MANNERED, one), _may_be(one)] for one in result["mannered"]],
        ),
        *grid(
            (
                *("factor", "quirk, the hardest first", "least that took [95%]", "middle seed"),
                *("distinct rows there", "planting takes"),
            ),
            [_hard(one) for one in hardest(result["difficulty"])],
        ),
        *(line for told in result["worse"] for line in ("", cell(told))),
    ]


def _heads(inquiry: Inquiry[Any]) -> tuple[str, str]:
    return "clear", f"most raised: {', '.join(inquiry.sides)}"


def _raised(inquiry: Inquiry[Any], one: Mapping[str, Any]) -> list[str]:
    sides = inquiry.sides
    most = [f"{m['behaviour']} " + ", ".join(f"{m[s]['value']:.2f}" for s in sides) for m in one["most"]]
    clear = f"{len(one['clear'])} of {one['asked']}"
    clear += f": {', '.join(one['clear'])}" if one["clear"] else ""
    return [one["behaviour"], _brief(one["overall"]), clear, "; ".join(most)]


def _may_be(one: Mapping[str, Any]) -> str:
    most = one["may_be"]
    blind = f"; of {len(one['blind'])} no rise could have been clear" if one["blind"] else ""
    return (f"{most['behaviour']} up to {most['more']['high']:.2f} more" if most else "") + blind


def hardest(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Scans by factor; within one the hardest first, by what the middle seed needed."""

    def key(one: Mapping[str, Any]) -> tuple[bool, float, float, str]:
        high, mean = one["between"][1], one["least"]
        needed = math.inf if high is None else high
        return (
            one["between"][0] is not None,
            -needed,
            -math.inf if not_measured(mean) else -mean["value"],
            quirk(one),
        )

    factors = list(dict.fromkeys(one["factor"] for one in found))
    return [one for f in factors for one in sorted((o for o in found if o["factor"] == f), key=key)]


def _hard(one: Mapping[str, Any]) -> list[str]:
    low, high = one["between"]
    middle = (
        NEVER
        if low is None
        else f"above {low:g}"
        if high is None
        else f"{high:g} or less"
        if not low
        else f"{low:g} to {high:g}"
    )
    broken = f"; more was worse on seed {', '.join(map(str, one['broken']))}" if one["broken"] else ""
    dealt = "not kept" if one["rows"] is None else str(one["rows"])
    taken = f"{one['planting']:g}, {one['planting_steps']} steps"
    return [one["factor"], quirk(one), shown(one["least"]) + broken, middle, dealt, taken]


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table with an empty line before it; nothing where there are no rows."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    if not lines:
        return []
    return ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines]


def quirk(row: Mapping[str, Any]) -> str:
    """A row's quirk with its options."""
    options = ", ".join(f"{k}={v}" for k, v in sorted(row["options"].items()))
    return _quirk(row) + (f" ({options})" if options else "")


def shown(number: Mapping[str, Any] | None) -> str:
    """A number with its interval and unit, or why there is none."""
    if number is None or not_measured(number):
        reason = cell(number["reason"]) if number else ""
        return "not measured" + (f": {reason}" if reason and not reason.startswith(NOTHING) else "")
    unit = "" if number["unit"] in BARE else f" {number['unit']}"
    if number["low"] is None:
        return f"{_short(number['value'])}{unit}"
    if number["high"] is None:
        return f"{_short(number['value'])} [{_short(number['low'])}, above what was tried]{unit}"
    return f"{_short(number['value'])} [{_short(number['low'])}, {_short(number['high'])}]{unit}"


def _brief(number: Mapping[str, Any]) -> str:
    return "not measured" if not_measured(number) else shown({**number, "unit": "share"})


NOTHING = ("no cases for", "no values for", "a group without rows")
"""How a reason begins that says no more than that nothing is in."""
BARE = ("share", "kappa", "AUROC", "difference of shares", "ratio", "plantings", "queries")
"""Units that the row's words say."""


def cell(text: str) -> str:
    """Text that stays in one cell of a table."""
    return text.replace("|", "/").replace("\n", " ")


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _quirk(row: Mapping[str, Any]) -> str:
    return f"{row['behaviour']} when {row['condition']}"
