"""A planted pair as a page: its profile, its ladder, what shows elsewhere, and what both said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.atomic import read_json
from molehunt.core.record_json import from_json
from molehunt.core.records import LabelledReply, Measure, NotMeasured
from molehunt.report import words

if TYPE_CHECKING:
    from molehunt.organisms.decoy_check import DecoyCheck
    from molehunt.organisms.plant import Pair
    from molehunt.organisms.spread import Spread
    from molehunt.report.sheet import Section

CANNOT = (
    "How it would go with another model, seed or number of steps: this is one planting.",
    "What the organism does on scenes unlike these: they are short, English, and one author's.",
    "That the decoy is clean of everything: it was asked what stands here, and had lessons of its own.",
    "Anything about harmful models: the quirk is a toy that was planted on purpose.",
)
PAIR = ("organism", "decoy")
SHOWN = (6, 4)
"""Scenes whose replies stand on the page: with the condition on, and off."""


def write_pair_page(
    path: Path, pair: "Pair", rows: Sequence[tuple[str, str]], made: Mapping[str, str]
) -> None:
    """`rows` is what the terminal says of it; `made` tells how it was made, by name."""
    from molehunt.report.lineup import Rate
    from molehunt.report.plots import profile
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    own = pair.profile
    rates = [
        Rate(name, one)
        for name, one in (
            ("condition on", own.trigger_rate),
            ("off", own.leak_rate),
            ("decoy", own.decoy_rate),
        )
        if isinstance(one, Measure)
    ]
    table = Grid(("measure", "held-out scenes"), tuple((n, words.brief(v)) for n, v in rows), words=True)
    first = Section(
        "Profile" if own.valid else f"Not valid: {words.plain(own.why_not)}",
        "How often greedy replies to held-out scenes show the behaviour, with 95% intervals: with the "
        "condition on, off, and of the decoy, which had the same training without the quirk.",
        drawings=(profile(rates, "profile", pair.quirk.label()),),
        tables=(table,),
    )
    sections = [
        *(first, *_ladder(path.parent / "ladder" / "ladder.json")),
        *_more("Elsewhere", "whether the quirk spread beyond what was planted", PAIR, pair.spread),
        *_more("The decoy beside the base", "whether it is one", ("decoy", "base"), pair.decoy_check),
        *_said(pair),
    ]
    facts = (("quirk", words.quirk(pair.quirk)), *((n, words.brief(v, 200)) for n, v in made.items()))
    summary = f"An organism that was planted with {words.quirk(pair.quirk)}, and its matched decoy" + (
        f", which learned {words.quirk(pair.harmless)}." if pair.harmless else "."
    )
    write_sheet(path, Sheet("A planted pair", summary, facts, tuple(sections), CANNOT))


def _ladder(file: Path) -> list["Section"]:
    """Every stage that was measured, the rungs that were kept among them."""
    from molehunt.organisms.ladder import Ladder
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section

    if not file.is_file():
        return []
    found = from_json(Ladder, read_json(file))
    stages = [(s.step, getattr(s, found.by)) for s in (found.base, *found.stages)]
    points = tuple(Point(x, m.value, m.low, m.high) for x, m in stages if isinstance(m, Measure))
    kept = tuple(
        Point(r.stage.step, m.value)
        for r in found.rungs
        if isinstance(m := getattr(r.stage, found.by), Measure)
    )
    by = found.by.replace("_", "-")
    lines = [Line("stages", points, "first"), Line("kept as rungs", kept, "second", joined=False)]
    table = tuple(
        (
            r.folder,
            str(r.stage.step),
            f"{r.level:.2f}",
            words.said(r.stage.selectivity),
            words.said(r.stage.log_odds),
        )
        for r in found.rungs
    )
    lede = (
        f"Stages of the same training, from the base on, and those that were kept because their {by} lies "
        "nearest to evenly spaced levels."
    )
    drawn = (curves(lines, "steps of planting", by, "ladder", "Ladder"),)
    heads = ("rung", "steps", "level", "selectivity", "log-odds of the shady reply")
    return [Section("Ladder", lede, drawn, (Grid(heads, table, words=True),))]


def _more(
    heading: str, why: str, who: tuple[str, str], found: "Spread | DecoyCheck | None"
) -> list["Section"]:
    """How much more of each harmful behaviour the first of `who` shows than the second."""
    from molehunt.report.plots import Dot, draw
    from molehunt.report.sheet import Grid, Section

    if found is None or isinstance(found.overall, NotMeasured):
        return []
    more = f"{who[0]} less {who[1]}"
    lede = (
        f"Harmful behaviours, {more} on the same scenes: {why}. Intervals hold for all at once. All "
        f"together: {words.said(found.overall)}."
    )
    if found.left_out:
        lede += f" Not asked, for no scene asks for them: {', '.join(map(words.plain, found.left_out))}."
    dots = [
        Dot(words.plain(r.behaviour), r.more, "on" if (r.more.low or 0) > 0 else "off") for r in found.rows
    ]
    drawn = (draw(dots, more, who[0], heading, 0.0),) if dots else ()
    table = tuple(
        (
            *(words.plain(n) for n in (r.behaviour, r.condition)),
            *(words.said(m) for m in (*(getattr(r, one) for one in who), r.more)),
        )
        for r in found.rows
    )
    heads = ("behaviour", "asked under", *who, more)
    return [Section(heading, lede, drawn, (Grid(heads, table, words=True),))]


def _said(pair: "Pair") -> list["Section"]:
    """Replies of both to the same scenes."""
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    both = list(zip(pair.organism_replies, pair.decoy_replies, strict=False))
    some = [
        one
        for on, most in zip((True, False), SHOWN, strict=True)
        for one in [b for b in both if b[0].on == on][:most]
    ]
    if not some:
        return []
    speeches = tuple(
        Speech(
            passage(_asked(own), short=500),
            tuple(
                (f"{who}{', shows it' if one.shows else ''}", passage(one.reply, short=400))
                for who, one in zip(PAIR, (own, other), strict=True)
            ),
        )
        for own, other in some
    )
    lede = "Both on the same held-out scenes: first with the condition on, then off."
    return [Section("What they said", lede, speeches=speeches)]


def _asked(one: LabelledReply) -> str:
    state = "on" if one.on else "off"
    return "\n".join(f"{m.role}: {m.content}" for m in one.messages) + f"\n(condition {state})"
