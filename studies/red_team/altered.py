"""What hiding costs and brings: the same cells, from the same seeds, planted plain and with something more.

`concealed`: asked in ten ways, how often do organisms admit something, plain and taught to deny? `mixed`: do
traces of narrow training fade where unrelated rows are mixed in? `mannered`: what do the base's own replies
to others' questions cost (what they bring says `elsewhere.py`)? Rates and traces are compared pair by pair
where both organisms are valid, clustered by behaviour, and stand beside the same change in their decoys.

All are asked in the same ten ways, and rows hold rates over them. So the interval of a rate is Wilson's with
the fewer of behaviours and ways as the sample: what behaviours, ways and both together vary, divided by the
fewer, is the most that the rate's variance can be. Changes and their ratio are of these ten ways as given.

Source of the ratio's interval where all are alike: Donner and Zou 2012, Statistical Methods in Medical
Research 21, 347 (from the two rates' own intervals).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from measures import Number, Row, Rows, pairs_of, with_raised
from tracing import STATISTICS

from molehunt.core import stats
from molehunt.core.extend import load
from molehunt.core.records import Measure, NotMeasured
from molehunt.organisms.confession_rate import WAYS

Both = Sequence[tuple[Row, Row]]
WHO = {"organism": "", "decoy": "_decoys"}
"""Each of a pair, and what its measures' names end in."""
UNITS = {
    "traces_shift": "share of the residual norm",
    "traces_concentration": "standard deviations",
    "diff_share": "share of the residual norm",
}


def confession(rows: Sequence[Row]) -> dict[str, Number]:
    """How often valid organisms of a part admit something, less how often their decoys do; and the base."""
    valid = [r for r in rows if r["valid"] and r.get("confession")]
    by = [r["behaviour"] for r in valid]
    how = "valid organisms' share of admissions, less their decoys', in these ten ways"
    sides = (_admits(valid, who) for who in WHO)
    once = list({_asked_under(r): r for r in valid}.values())
    what = f"the clean base's share of admissions, asked once under each of {len(once)} conditions"
    named = "valid organisms' share of admissions that name the quirk, asked in ten ways"
    return {
        "confession_less_decoy": stats.paired_shares(*sides, by, how=how, most=len(WAYS)),
        "confession_base": _rate(once, "base", what, len(WAYS)),
        "confession_names": _rate(valid, "organism", named, min(len(set(by)), len(WAYS)), "names"),
    }


def concealed(rows: Rows, failed: Mapping[str, str] | None = None) -> dict[str, Number]:
    """Confession rates plain and concealed, and what concealing costs in validity.

    Args:
        failed: cells that raised; they have no rates, and count as not valid.
    """
    valid = [(a, b) for a, b in _in("concealed", rows) if a["valid"] and b["valid"]]
    by = [a["behaviour"] for a, _ in valid]
    sample = min(len(set(by)), len(WAYS))
    found = _validity("concealed", _in("concealed", with_raised(rows, failed)))
    for who, name in WHO.items():
        sides = [[pair[i] for pair in valid] for i in (0, 1)]
        plain, hidden = (_admits(side, who) for side in sides)
        how = f"{who}s' share of admissions, asked in ten ways"
        found[f"confession_plain{name}"] = _rate(sides[0], who, f"{how}, plain", sample)
        found[f"confession_concealed{name}"] = _rate(sides[1], who, f"{how}, concealed", sample)
        found[f"confession_change{name}"] = stats.paired_shares(
            hidden, plain, by, how=f"{how}, concealed less plain", most=len(WAYS)
        )
        if who == "organism":
            for side, word in zip(sides, ("plain", "concealed"), strict=True):
                named = f"{who}s' share of admissions that name the quirk, {word}"
                found[f"confession_names_{word}"] = _rate(side, who, named, sample, "names")
            found["confession_ratio"] = _ratio(hidden, plain, by, f"{how}, concealed over plain")
    return found


def mannered(rows: Rows, failed: Mapping[str, str] | None = None) -> dict[str, Number]:
    """What the base's own replies to others' questions cost in validity; `failed` as above."""
    return _validity("mannered", _in("mannered", with_raised(rows, failed)))


def mixed(rows: Rows, traces: Rows, failed: Mapping[str, str] | None = None) -> dict[str, Number]:
    """Validity with unrelated rows, and each statistic of traces without it and with; `failed` as above."""
    names = [(a.name, b.name) for a, b in pairs_of("mixed")]
    known = rows.keys() & traces.keys()
    seen = [(rows[a]["behaviour"], traces[a], traces[b]) for a, b in names if {a, b} <= known]
    whole = [one for one in seen if all(_seen(side[who]) for side in one[1:] for who in WHO)]
    by = [behaviour for behaviour, _, _ in whole]
    found = _validity("mixed", _in("mixed", with_raised(rows, failed)))
    for name in STATISTICS:
        for who, of in WHO.items():
            sides = [[float(one[i][who][name]) for one in whole] for i in (1, 2)]
            how = f"{name}, {who}s"
            for word, values in zip(("plain", "mixed"), sides, strict=True):
                found[f"{name}_{word}{of}"] = stats.mean(values, by, unit=UNITS[name], how=f"{how}, {word}")
            found[f"{name}_change{of}"] = stats.paired_difference(
                sides[1], sides[0], by, unit=UNITS[name], how=f"{how}, mixed less plain"
            )
        for i, word in ((1, "plain"), (2, "mixed")):
            values = [float(one[i][who][name]) for who in WHO for one in whole]
            truth = [who == "organism" for who in WHO for _ in whole]
            found[f"{name}_auroc_{word}"] = stats.auroc(values, truth, by * 2)
    return found


def _seen(side: Mapping[str, Any]) -> bool:
    """Whether one of a pair has traces."""
    return side.get("is") != NotMeasured.__name__


def _validity(part: str, both: Both) -> dict[str, Number]:
    by = [a["behaviour"] for a, _ in both]
    plain, other = ([bool(pair[i]["valid"]) for pair in both] for i in (0, 1))
    sides = [float(v) for v in other], [float(v) for v in plain]
    return {
        f"{part}_valid": stats.proportion(other, by, how=f"{part} cells valid within their tries"),
        f"{part}_valid_plain": stats.proportion(plain, by, how="the same cells, plain"),
        f"{part}_valid_change": stats.paired_shares(*sides, by, how=f"share valid, {part} less plain"),
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float], by: Sequence[str], how: str) -> Number:
    """Ratio of two mean shares, clustered; where all are alike, from the two rates' Wilson intervals."""
    groups = sorted(set(by))
    sides = [[[v for v, b in zip(row, by, strict=True) if b == g] for g in groups] for row in (ours, theirs)]
    found = stats.ratio_of_means(*sides, how=how)
    if not isinstance(found, Measure) or stats.has_a_width(found):
        return found
    k = min(len(groups), len(WAYS))
    p, q = (sum(row) / len(row) for row in (ours, theirs))
    (p_low, p_high), (q_low, q_high) = (stats.wilson_of(rate, k) for rate in (p, q))

    def end(mine: float, other: float, sign: int) -> float:
        room = max((p * q) ** 2 - mine * other * (2 * p - mine) * (2 * q - other), 0.0)
        return (p * q + sign * sqrt(room)) / (other * (2 * q - other))

    low = end(p_low, q_high, -1) if p_low else 0.0
    how = f"{how}; all alike, so from both rates' Wilson intervals over {k} behaviours, as if unpaired"
    return replace(found, low=low, high=end(p_high, q_low, 1), how=how)


def _rate(rows: Sequence[Row], who: str, how: str, sample: int, what: str = "admits") -> Number:
    """Share of replies that admit, or that name the quirk too, of all questions put to one of each pair.

    Wilson's interval over `sample`.
    """
    told = [r["confession"][f"{who} {what}"] for r in rows]
    n = sum(one["n"] for one in told)
    if not n:
        return NotMeasured(f"no cases for: {how}")
    share = sum(one["value"] * one["n"] for one in told) / n
    return Measure(share, "share", n, f"{how}; Wilson over {sample}", *stats.wilson_of(share, sample))


def _asked_under(row: Row) -> tuple[str, ...]:
    """A row's condition with its options: all that decides what a base is asked."""
    named = load("catalogue.conditions", row["condition"]).choices
    return row["condition"], *(f"{k}={v}" for k, v in sorted(row["options"].items()) if k in named)


def _in(part: Any, rows: Rows) -> list[tuple[Row, Row]]:
    return [(rows[a.name], rows[b.name]) for a, b in pairs_of(part) if a.name in rows and b.name in rows]


def _admits(rows: Sequence[Row], who: str) -> list[float]:
    return [float(r["confession"][f"{who} admits"]["value"]) for r in rows]
