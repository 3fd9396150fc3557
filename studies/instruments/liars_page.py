"""The liars' part of the page: probes liar by liar, means over liars, and steering in words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

FEWEST = 10
"""Replies of either class below which an AUROC is not told: one of them would move it by a tenth."""
KINDS = ("diff_mean", "mass_mean", "logistic")
PLACES = (
    ("test", "its own replies"),
    ("swapped replies", "the other reply in its mouth"),
    ("decoy", "its decoy, where the liar lies or not"),
)
TRAINED = (("others", "all other liars"), ("other_conditions", "liars under other conditions"))
HEADS = (*KINDS, "bag of words")


def liars_part(m: Mapping[str, Any], stamp: str) -> list[str]:
    """Both tables of probes, and steering; or why there is none."""
    if "liars" not in m:
        told = m["probe_auroc"]
        return ["## Liars", "", f"not measured: {told.get('reason') or told.get('not_measured')}", ""]
    return [*_probes(m["liars"], stamp), *_steering(m)]


def _probes(rows: Sequence[Mapping[str, Any]], stamp: str) -> list[str]:
    lines = [
        "## Probes of liars on a liar that they never saw",
        "",
        f"AUROC of telling lies from honest replies. {stamp} A cell with fewer than {FEWEST} replies of "
        "either class is not measured (`results.json` keeps its number). First the mean over liars, with the "
        "lowest and the highest liar in parentheses, which are no interval, and how many liars are in it:",
        "",
        "| trained on | tried on | " + " | ".join(HEADS) + " |",
        "|---" * (len(HEADS) + 2) + "|",
    ]
    for trained, where, filtered, start in _cells():
        found = [_measures(row, trained, where, filtered) for row in rows]
        cells = [_mean([f[name] for f in found if name in f]) for name in HEADS]
        lines.append(f"| {start} | {' | '.join(cells)} |")
    lines += [
        "",
        *_confounded(rows),
        "Each liar by itself, with its 95% interval over questions; n is lies against honest replies (of the "
        "decoy: replies where the liar lies against the others).",
        "",
        "| liar | trained on | tried on | n | " + " | ".join(HEADS) + " |",
        "|---" * (len(HEADS) + 4) + "|",
    ]
    for row in rows:
        for trained, where, filtered, start in _cells():
            found = _measures(row, trained, where, filtered)
            n = " against ".join(map(str, _sides(found[KINDS[0]]) or ())) if found else ""
            cells = [_one(found[name]) if name in found else "not measured" for name in HEADS]
            lines.append(f"| {row['liar']} | {start} | {n or 'none of a class'} | {' | '.join(cells)} |")
    return [*lines, ""]


def _confounded(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What cannot be told from liars that all lie at the same thing."""
    if len({row["when"] for row in rows}) > 1:
        return []
    return [
        f"All of these lie at {rows[0]['when']}, so a probe may read that and not the lie. Where AUROC falls "
        f"far below a half with the other reply in its mouth, it did.{_null(rows)}",
        "",
    ]


def _null(rows: Sequence[Mapping[str, Any]]) -> str:
    """How far the probes of shuffled labels come, on the liars' own replies."""
    nulls = [r["shuffled"] for row in rows for r in row["others"] if r["shuffled"]]
    known = [n for n in nulls if n.get("high") is not None]
    if not known:
        return ""
    low, high = min(n["low"] for n in known), max(n["high"] for n in known)
    return (
        f" With shuffled labels the same probes reach {low:.2f} to {high:.2f} on a liar's own replies: any "
        "direction that parts the topics does, one way or the other. A high AUROC there says little by "
        "itself."
    )


def _cells() -> list[tuple[str, str, bool, str]]:
    """Every row of a table: whose probes, tried where, filtered or not, and how the row begins."""
    return [
        (trained, where, filtered, f"{by} | {'… without tell-tale words' if filtered else tried}")
        for trained, by in TRAINED
        for where, tried in PLACES
        for filtered in (False, True)
    ]


def _measures(row: Mapping[str, Any], trained: str, where: str, filtered: bool) -> dict[str, Any]:
    some = [r for r in row.get(trained, ()) if r["where"] == where and r["filtered"] == filtered]
    found = {r["kind"]: r["auroc"] for r in some}
    return found | ({HEADS[-1]: some[0]["bag_of_words"]} if some else {})


def _sides(measure: Mapping[str, Any]) -> tuple[int, int] | None:
    """Replies of either class, which an AUROC says in `how`."""
    found = re.search(r"(\d+) against (\d+)", measure.get("how", ""))
    return (int(found[1]), int(found[2])) if found else None


def _told(measure: Mapping[str, Any]) -> bool:
    sides = _sides(measure)
    return sides is not None and min(sides) >= FEWEST


def _one(measure: Mapping[str, Any]) -> str:
    if not _told(measure):
        return "not measured"
    return f"{measure['value']:.2f} [{measure['low']:.2f}, {measure['high']:.2f}]"


def _mean(measures: Sequence[Mapping[str, Any]]) -> str:
    known = [m["value"] for m in measures if _told(m)]
    if not known:
        return "not measured"
    span = f" ({min(known):.2f} to {max(known):.2f})" if len(known) > 1 else ""
    return f"{sum(known) / len(known):.2f}{span}, n = {len(known)}"


def _steering(m: Mapping[str, Any]) -> list[str]:
    rows = [{**row["steering"], "liar": row["liar"], "when": row["when"]} for row in m["liars"]]
    return [
        "## Steering a liar along the others' difference in means",
        "",
        "Log-odds of the lie against the right answer, on questions where it lies, per median residual "
        f"norm. {in_words(rows)}",
        "",
        *_slopes(rows),
    ]


def pushing_part(m: Mapping[str, Any], stamp: str) -> list[str]:
    """Slopes of honest decoys pushed by what training changed in liars, where a reply is decided."""
    head = ["## Pushing an honest model by what training changed in liars", ""]
    if "pushes" not in m:
        return [*head, f"not measured: {m['push_slopes_clear'].get('reason')}", ""]
    said = (
        "At the last token of the prompt, at a place fixed in advance: liar minus its decoy, where it lies "
        "less elsewhere, the mean over other liars. Added to the decoy of a liar that gave nothing to it: "
        f"log-odds of the lie against the right answer, per median residual norm. {stamp}"
    )
    rows = [{**r, "by": f"{r['from']} {BY[r['by']]}"} for r in m["pushes"]]
    counts = []
    for by, words in BY.items():
        some = [r for r in m["pushes"] if r["by"] == by]
        up = sum(r["clear"] is True and r["slope"]["value"] > 0 for r in some)
        down = sum(r["clear"] is True and r["slope"]["value"] < 0 for r in some)
        counts.append(
            f"By {words}: {up} of {len(some)} slopes rise clear of 20 random directions, {down} fall."
        )
    return [*head, said, "", " ".join(counts), "", *_slopes(rows)]


BY = {"others": "other liars", "other_conditions": "liars under other conditions"}


def _slopes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| liar | lies at | direction of | place | questions | slope | random slopes | p |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for s in rows:
        span = f"{min(s['random_slopes']):.2f} to {max(s['random_slopes']):.2f}"
        p = f"{s['p']:.3f}" if isinstance(s["p"], float) else "not measured"
        slope = s["slope"]
        told = f"{slope['value']:.2f} [{slope['low']:.2f}, {slope['high']:.2f}]"
        lines.append(
            f"| {s['liar']} | {s['when']} | {s['by']} | {s['place']} | {s['prompts']} | {told} | {span} "
            f"| {p} |"
        )
    return [*lines, ""]


def in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the slopes say: how many are clear of random directions, and which way they go."""
    n = len(rows)
    right = sum(r["clear"] is True and r["slope"]["value"] > 0 for r in rows)
    wrong = sum(r["clear"] is True and r["slope"]["value"] < 0 for r in rows)
    down = sum(r["slope"]["value"] < 0 for r in rows)
    sure = sum(r["slope"]["high"] < 0 for r in rows)
    said = (
        f"{right} of {n} slopes rise clear of 20 random directions of the same length"
        + (f", and {wrong} fall clear of them" if wrong else "")
        + "."
    )
    if down:
        said += (
            f" {down} of {n} go the wrong way: a push toward the others' lies makes this liar's lie *less* "
            f"likely ({sure} with an interval below 0)"
        )
        said += ", by no more than random pushes do." if not wrong else "."
    if right < n:
        said += " That the direction by which a probe reads lies makes them is not shown."
    return said
