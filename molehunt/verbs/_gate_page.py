"""What `molehunt gate` found and what a lineage holds, as rows for a terminal and as pages."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from molehunt.core.lineage import Lineage, Turn
from molehunt.core.records import Measure, NotMeasured
from molehunt.gate.bounds import named
from molehunt.gate.comparing import Comparison
from molehunt.gate.deciding import Compared
from molehunt.report import words

if TYPE_CHECKING:
    from molehunt.game.gating import Gated
    from molehunt.report.plots import Look
    from molehunt.report.sheet import Section

HEADS = ("measure", "old", "new", "worse by (95%)", "bound", "so")
SHORT = ("measure", "worse by (95%)", "bound", "so")
LINE_HEADS = ("version", "from", "gate", "may judge", "why")
CANNOT = (
    "That a harm which no measure asks about is absent: it passes.",
    "Whether the next training on the same data would pass: intervals are over items and know one version.",
    "That the bounds are right. They are a choice, made before; each has its reason in the table below.",
    "Much about questions unlike these: they are short, English and few.",
    "That a version which the audit does not accuse is clean.",
)
LINE_CANNOT = (
    "That the first version is good: it is taken on trust.",
    "That nobody wrote the file by hand. Hashes show that results were changed, not that they are true.",
)
WIDE = 20
"""Characters of a row's name that the drawing has room for; the number before it leads to the table."""
LOOKS: "dict[str, Look]" = {"holds": "off", "worse": "on", "open": "baseline"}


def rows(found: Comparison) -> list[tuple[str, ...]]:
    """One row a measure."""
    return [
        (c.name, _value(c.old), _value(c.new), _harm(c), f"{c.bound:g} {named(c.name).unit}", _so(c))
        for c in found.compared
    ]


def short_rows(found: Comparison) -> list[tuple[str, ...]]:
    """As `rows`, for a narrow terminal."""
    harms = [c.harm for c in found.compared]
    return [
        (
            label(c.name),
            "—" if isinstance(h, NotMeasured) else f"{words.number(h.value)} ({words.interval(h)})",
            f"{c.bound:g}",
            c.state,
        )
        for c, h in zip(found.compared, harms, strict=True)
    ]


def said(found: "Gated") -> str:
    """What came of it, in a sentence."""
    if found.passed:
        return f"{found.new} passes: every measure holds against {found.old}."
    return f"{found.new} is stopped: {'; '.join(found.why)}."


def audit_said(found: "Gated") -> str:
    """What the overseer's check said, in a sentence."""
    if isinstance(found.audit, NotMeasured):
        return f"Audit: not measured, {found.audit.reason}; so {found.new} may not judge yet."
    return f"Audit: {found.new} is {found.audit.said()}."


def line_rows(lineage: Lineage) -> list[tuple[str, ...]]:
    """One row a version."""
    made = []
    for name in lineage.versions:
        edge, bad, unseen = lineage.last_edge(name), lineage.why_bad(name), lineage.why_unseen(name)
        gate = "first" if edge is None else "passed" if edge.passed else "stopped"
        times = sum(e.new == name for e in lineage.edges)
        trust = "taken on trust" if edge is None else f"audit: {edge.audit}"
        made.append(
            (
                f"{name}, current" if name == lineage.current else name,
                "—" if edge is None else edge.old,
                gate if times < 2 else f"{gate}, of {times}",
                "no" if bad or unseen else "yes",
                words.brief(bad or (unseen if edge is None and unseen else trust), 300),
            )
        )
    return made


def write_gate_page(path: Path, found: "Gated", lineage: Lineage | None) -> None:
    """The verdict, every measure, replies side by side, the lineage."""
    from molehunt.report.sheet import Sheet, write_sheet

    compared = found.comparison
    sections = [_measures("Old and new", compared, "gate")]
    if found.since_first is not None:
        sections.append(_measures("Since the first of the line", found.since_first, "first"))
    sections += [_audit(found), *_told(compared)]
    if lineage is not None:
        sections.append(_line(lineage))
    sections.append(_reasons(compared.compared))
    facts = (
        ("old", f"{words.brief(compared.old, 80)} ({compared.old_fingerprint[:12]})"),
        ("new", f"{words.brief(compared.new, 80)} ({compared.new_fingerprint[:12]})"),
        ("bounds", f"{words.brief(compared.bounds.name, 60)} ({compared.bounds.sha256[:12]})"),
        ("alpha", f"{compared.bounds.alpha:g}"),
        ("items asked", f"{compared.asked:,}"),
        ("seed", str(compared.seed)),
    )
    title = "Gate: passes" if found.passed else "Gate: stopped"
    write_sheet(path, Sheet(title, words.brief(said(found), 600), facts, tuple(sections), CANNOT))


def write_lineage_page(path: Path, lineage: Lineage) -> None:
    """The versions, their gates, and every turn of what is current."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    turns = [e for e in lineage.events if isinstance(e, Turn)]
    history = Section(
        "What was current",
        "A rollback points elsewhere and deletes nothing.",
        tables=(
            Grid(
                ("from", "version", "why"),
                tuple(
                    (t.at, t.to, words.brief(f"{f'{t.away} rolled back: ' if t.away else ''}{t.why}"))
                    for t in turns
                ),
                words=True,
            ),
        ),
    )
    facts = (("versions", str(len(lineage.versions))), ("current", lineage.current))
    summary = f"{lineage.current} is the last good version."
    sections = (_line(lineage), history)
    write_sheet(path, Sheet("Lineage", summary, facts, sections, LINE_CANNOT))


def _measures(heading: str, found: Comparison, prefix: str) -> "Section":
    from molehunt.report.plots import Dot, draw
    from molehunt.report.sheet import Grid, Section

    dots = [
        Dot(rowed(i, c.name), _share(c.harm, c.bound), LOOKS[c.state])
        for i, c in enumerate(found.compared, 1)
        if isinstance(c.harm, Measure) and c.state in LOOKS
    ]
    table = tuple(
        (f"{i}. {label(c.name)}", *row[1:])
        for i, (c, row) in enumerate(zip(found.compared, rows(found), strict=True), 1)
    )
    drawn = (draw(dots, "harm as a share of its bound", prefix, heading, 1.0),) if dots else ()
    lede = (
        "Every measure is made so that more is worse. Filled dots are worse than the bound, diamonds are not "
        "shown to hold, open dots hold. Drawn are 95% intervals, whose upper ends are at 97.5%. A "
        f"measure holds where its upper end at {1 - found.bounds.alpha:.4g} lies below the bound, or at "
        f"{1 - found.bounds.alpha / 2:.4g} where it may be looked at twice. It is worse where its lower end "
        "lies above the bound at a level that shares the same risk among all measures and looks."
    )
    return Section(heading, lede, drawn, (Grid(HEADS, table),))


def _audit(found: "Gated") -> "Section":
    from molehunt.report.sheet import Section

    return Section("Was it planted?", words.brief(audit_said(found), 600))


def _told(found: Comparison) -> "list[Section]":
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    speeches = tuple(
        Speech(
            passage(t.asked, short=300),
            ((f"old ({label(t.measure)})", passage(t.old, short=300)), ("new", passage(t.new, short=300))),
        )
        for t in found.told
        if t.harm > 0
    )
    lede = "Items in which the new version did worse than the old one, the worst first."
    return [Section("Side by side", lede, speeches=speeches)] if speeches else []


def _line(lineage: Lineage) -> "Section":
    from molehunt.report.sheet import Grid, Section
    from molehunt.report.tree import Line, Node, tree

    nodes = [Node(n, not lineage.why_bad(n), n == lineage.current) for n in lineage.versions]
    lines = [Line(e.old, e.new, e.passed) for e in lineage.edges]
    lede = (
        "Solid: passed; dashed: stopped. Filled dots are good, open squares are not, a ring is the current "
        "version. A version may judge that is good and that an audit cleared; the first is taken on "
        "trust, and judges where it is a whole model."
    )
    drawn = (tree(nodes, lines, "lineage", "Lineage"),)
    table = tuple(
        (
            name,
            f"{gate if old == '—' else f'{gate}, from {old}'}; may{'' if judge == 'yes' else ' not'} judge",
            why,
        )
        for name, old, gate, judge, why in line_rows(lineage)
    )
    return Section("Lineage", lede, drawn, (Grid(("version", "gate", "why"), table, words=True),))


def _reasons(compared: Sequence[Compared]) -> "Section":
    from molehunt.report.sheet import Grid, Section

    table = tuple((c.name, f"{c.bound:g}", words.brief(c.why, 400)) for c in compared)
    return Section(
        "Why these bounds",
        "Set before anything was asked.",
        tables=(Grid(("measure", "bound", "why"), table, words=True),),
    )


def label(name: str) -> str:
    """A measure's name, short enough for a plot."""
    what = named(name)
    if not what.behaviour:
        return words.plain(name)
    cued = ", cued" if what.when else ""
    return f"{words.plain(what.behaviour)}{' choice' if what.kind == 'choice' else ''}{cued}"


def rowed(number: int, name: str) -> str:
    """A row of the drawing: its number in the table, and as many whole words as there is room for."""
    return shorten(f"{number}. {label(name)}", WIDE, placeholder="…")


def _share(harm: Measure, bound: float) -> Measure:
    low, high = (None if e is None else e / bound for e in (harm.low, harm.high))
    return replace(harm, value=harm.value / bound, unit="share of the bound", low=low, high=high)


def _value(value: Measure | NotMeasured) -> str:
    return words.number(value.value) if isinstance(value, Measure) else "—"


def _harm(one: Compared) -> str:
    if isinstance(one.harm, NotMeasured):
        return f"not measured: {words.brief(one.harm.reason, 80)}"
    return f"{words.number(one.harm.value)} ({words.interval(one.harm)}), n = {one.harm.n}"


def _so(one: Compared) -> str:
    said = {"open": "not shown to hold", "not measured": "—"}
    return said.get(one.state, one.state) + (f", {one.looks} looks" if one.looks > 1 else "")
