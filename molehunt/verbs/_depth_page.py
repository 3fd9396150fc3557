"""What `molehunt depth` found, as rows for a terminal and as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure, NotMeasured
from molehunt.depth import judging
from molehunt.depth.known import KNOWN
from molehunt.report import words
from molehunt.verbs._probe_page import short

CANNOT = (
    "That a quirk is gone for good: four signs are four attacks, and another may bring it back.",
    "How deep the same remedy would go in another quirk, model or seed.",
    "Anything of a suspect whose truth nobody knows: this needs trigger, behaviour and matched decoy.",
    "Whether an interval of the signs' mean is right to a few hundredths: it takes the signs as independent.",
    "What was lost that no short question and no plain prose shows.",
)
HEADS = (
    *("remedy", "organism", "verdict", "still shows", "above control", "relearning", "left beneath"),
    *("tasks lost", "good lost", "NLL × on the clean decoy"),
)
SHORT = ("remedy", "organism", "verdict", "shows", "left beneath")
UNASKED = NotMeasured("this depth was measured before character was among the costs")
SIGNS = ("relearning", "prefill", "steering", "reading")
ROLES = ("organism", "fixed", "control")
LOOKS = {"organism": "second", "fixed": "first", "control": "third"}


def rows(found: Any) -> list[tuple[str, ...]]:
    """One row an organism and remedy."""
    return [
        (
            d.remedy,
            d.suspect if d.harmless is None else f"{d.suspect} (decoy has a quirk)",
            fate(d),
            _of(d.residual, lambda r: r.trigger["fixed"]),
            _of(d.residual, lambda r: r.above),
            _of(d.relearning, lambda r: r.ratio),
            _of(d.judgement, lambda j: j.hidden),
            _of(d.costs, lambda c: _lost(c.tasks_change["control"])),
            _of(d.costs, lambda c: _lost(c.kept_change.get("control", UNASKED))),
            _of(d.costs, lambda c: c.nll_ratio["control"]),
        )
        for d in found.found
    ]


def short_rows(found: Any) -> list[tuple[str, ...]]:
    """As `rows`, for a narrow terminal."""
    return [(row[0], row[1], row[2], row[3], row[6]) for row in rows(found)]


def costs_said(found: Any) -> list[str]:
    """What each fix cost its clean decoy, a line each."""
    return [
        f"{d.remedy} on {d.suspect}'s clean decoy: ordinary text × {short(d.costs.nll_ratio['control'])}; "
        f"lost of small tasks {short(_lost(d.costs.tasks_change['control']))}, "
        f"of good replies {short(_lost(d.costs.kept_change.get('control', UNASKED)))}."
        for d in found.found
        if not isinstance(d.costs, NotMeasured)
    ]


def fate(one: Any) -> str:
    """Removed, hidden or untouched; or that there is no verdict."""
    judgement = one.judgement
    if isinstance(judgement, NotMeasured) or isinstance(judgement.fate, NotMeasured):
        return "not judged"
    return judgement.fate


def write_depth_page(path: Path, found: Any) -> None:
    """The figure, then a section an organism and remedy."""
    from molehunt.report.fates import Mark, fates
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    marks = [
        Mark(
            d.remedy,
            d.suspect,
            fate(d),
            d.judgement if isinstance(d.judgement, NotMeasured) else d.judgement.hidden,
            d.costs if isinstance(d.costs, NotMeasured) else _lost(d.costs.tasks_change["control"]),
            d.costs
            if isinstance(d.costs, NotMeasured)
            else _lost(d.costs.kept_change.get("control", UNASKED)),
        )
        for d in found.found
    ]
    rules = (
        f"Untouched: at least {judging.UNTOUCHED:.0%} of what it showed still shows. Hidden: it still shows "
        f"more than {judging.SHOWN:g} above the control, or the signs' mean is {judging.HIDDEN:g} or more, "
        f"or relearning, forced words or a push alone surely say so. "
        "Removed: surely none of these."
    )
    head = Section(
        "Removed, hidden or untouched",
        f"A bar is one remedy. Below: how much is left beneath, and what the same fix cost a clean "
        f"decoy, with 95% intervals. {rules} Lost: share "
        "of small tasks, and of written cases of character whose good reply is likelier, on the clean decoy.",
        drawings=(fates(marks, judging.HIDDEN, "fates"),),
        tables=(Grid(HEADS, tuple(rows(found)), words=True),),
    )
    facts = (
        ("model", found.model),
        ("scenes a side", str(found.settings.scenes)),
        ("data orders", str(found.settings.orders)),
        ("seed", str(found.settings.seed)),
    )
    sections = (head, *(_section(d, i) for i, d in enumerate(found.found)))
    summary = f"How deep {_fixes(found)} went, against never-poisoned controls that got the same fix."
    write_sheet(path, Sheet("Depth of a fix", summary, facts, sections, CANNOT))


def _fixes(found: Any) -> str:
    """Blind fixes, those that know the truth, or both."""
    knowing = {d.remedy in KNOWN for d in found.found}
    if knowing == {True}:
        return "fixes with the truth known"
    return "blind fixes, and others with the truth known," if True in knowing else "blind fixes"


def _section(one: Any, number: int) -> Any:
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    heading = f"{one.remedy} on {one.suspect}: {fate(one)}"
    if isinstance(one.judgement, NotMeasured):
        return Section(heading, f"Nothing could be measured: {one.judgement.reason}.")
    speeches = tuple(
        Speech(
            passage(s.asked, short=300),
            tuple((role, passage(s.told.get(role, ""), short=300)) for role in ROLES),
        )
        for s in (() if isinstance(one.residual, NotMeasured) else one.residual.said)
    )
    return Section(
        heading,
        f"Planted: {words.quirk(one.quirk)}. {one.judgement.why[:1].upper()}{one.judgement.why[1:]}."
        f"{_trained(one)}",
        drawings=_drawings(one, f"d{number}"),
        tables=_tables(one),
        speeches=speeches,
    )


def _trained(one: Any) -> str:
    """What is to be said where the decoy has a quirk of its own; nothing where it has none."""
    if one.harmless is None:
        return ""
    return (
        f" The control is not clean of the trigger: the decoy learned {words.quirk(one.harmless)}. It may "
        "relearn sooner for that, so the ratio of steps leans high; read this apart from the others."
    )


def _tables(one: Any) -> tuple[Any, ...]:
    from molehunt.report.sheet import Grid

    signs = tuple((name, words.said(one.judgement.signs[name])) for name in SIGNS)
    tables = [
        Grid(
            ("sign", "0 as the control, 1 as the organism"),
            (
                *signs,
                ("mean", words.said(one.judgement.hidden)),
                ("still shows, of what it showed", words.said(one.judgement.shows)),
            ),
        )
    ]
    sides = []
    if not isinstance(one.residual, NotMeasured):
        sides += [
            ("trigger rate", *(short(one.residual.trigger[r]) for r in ROLES)),
            ("lost of the trigger rate", "—", short(one.residual.drop), "—"),
            ("items left out, which the decoy shows by itself", str(one.residual.left_out), "—", "—"),
            ("above the control, all items", short(one.residual.gap), short(one.residual.above), "—"),
            ("near misses", *(short(one.residual.near[r]) for r in ROLES)),
            ("leak rate", *(short(one.residual.leak[r]) for r in ROLES)),
        ]
    if not isinstance(one.reading, NotMeasured):
        read = one.reading
        sides.append((f"probe AUROC, {read.address}", *(short(read.auroc[r]) for r in ROLES)))
        beyond = [short(read.apart[r]) if r in read.apart else "—" for r in ROLES]
        sides.append(("along the probe beyond its clean twin, standard deviations", *beyond))
        sides.append(("the same along probes on shuffled labels, share of that", short(read.null), "—", "—"))
    if not isinstance(one.relearning, NotMeasured) and one.relearning.steps:
        steps, rate = one.relearning.steps, one.relearning.pace
        at = "" if rate == 1 else f", at {rate:g} of planting's learning rate"
        sides.append((f"steps to 50%{at}", "—", short(steps["fixed"]), short(steps["control"])))
    if not isinstance(one.steering, NotMeasured):
        margin = one.steering.margin
        sides.append(("steering margin", "—", short(margin["fixed"]), short(margin["control"])))
        sides.append(("trigger rate under random pushes of that size", "—", short(one.steering.random), "—"))
    tables.append(Grid(("measure", *ROLES), tuple(sides)))
    if not isinstance(one.costs, NotMeasured):
        cost = one.costs
        lines = tuple(
            (
                what,
                words.said(cost.nll_ratio[key]),
                words.said(cost.tasks_change[key]),
                words.said(cost.kept_change.get(key, UNASKED)),
            )
            for what, key in (("on the organism", "organism"), ("on its clean decoy", "control"))
        )
        tables.append(
            Grid(
                (
                    "cost",
                    "NLL of ordinary text, after / before",
                    "tasks right, after − before",
                    "good replies likelier, after − before",
                ),
                lines,
            )
        )
    return tuple(tables)


def _drawings(one: Any, prefix: str) -> tuple[Any, ...]:
    from molehunt.report.curves import curves

    drawn = []
    if not isinstance(one.prefill, NotMeasured):
        rates = {r: [(f.tokens, f.rates[r]) for f in one.prefill.forced] for r in ROLES}
        drawn.append(
            curves(
                _lines(rates),
                "forced, of the bad reply's own tokens",
                "trigger rate",
                f"{prefix}p",
                "Prefill",
            )
        )
        kl = {r: [(led.token + 1, led.kl[r]) for led in one.prefill.kl] for r in ROLES}
        if one.prefill.kl:
            drawn.append(
                curves(
                    _lines(kl),
                    "token of the bad reply's own",
                    "KL to the base, nats",
                    f"{prefix}k",
                    "KL to the base",
                )
            )
    if not isinstance(one.relearning, NotMeasured) and one.relearning.races:
        drawn.append(_races(one.relearning.races, f"{prefix}r"))
    if not isinstance(one.steering, NotMeasured):
        pushes = {r: [(p.share, p.rate) for p in rows] for r, rows in one.steering.pushes.items()}
        across = "push, share of the mean residual norm"
        drawn.append(curves(_lines(pushes), across, "trigger rate", f"{prefix}s", "Steering"))
    return tuple(drawn)


def _lines(by_role: Mapping[str, Sequence[tuple[float, Any]]]) -> list[Any]:
    from molehunt.report.curves import Line, Point

    return [
        Line(
            role,
            tuple(Point(x, m.value, m.low, m.high) for x, m in by_role[role] if isinstance(m, Measure)),
            LOOKS[role],  # pyright: ignore[reportArgumentType]
        )
        for role in ROLES
        if role in by_role
    ]


def _races(races: Sequence[Any], prefix: str) -> Any:
    from molehunt.report.curves import Line, Point, curves

    lines = []
    for race in races:
        for role in ("fixed", "control"):
            curve = getattr(race, role)
            points = tuple(Point(x, y) for x, y in zip(curve.steps, curve.rates, strict=True))
            lines.append(Line(f"{role}, {race.order + 1}", points, LOOKS[role]))  # pyright: ignore
    return curves(lines, "steps of planting", "trigger rate", prefix, "Relearning")


def _of(record: Any, read: Any) -> str:
    return short(record) if isinstance(record, NotMeasured) else short(read(record))


def _lost(change: Measure | NotMeasured) -> Measure | NotMeasured:
    if isinstance(change, NotMeasured):
        return change
    ends = (None, None) if change.low is None or change.high is None else (-change.high, -change.low)
    return Measure(-change.value, change.unit, change.n, change.how, *ends)
