"""What `molehunt character measure` found, as a page that sets versions side by side."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from molehunt.character.conduct.findings import Number
from molehunt.character.conduct.study import Results
from molehunt.core.atomic import read_jsonl
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.verbs._character_rows import cell, heads, rows, said
from molehunt.verbs._moral_said import indented, label

if TYPE_CHECKING:
    from molehunt.report.sheet import Section

CANNOT = (
    "What a model would say or do by itself: margins compare two written replies, and both may be unlikely.",
    "That it keeps to a principle for the principle's sake. A manner of writing raises the margin too: read "
    "it beside the same replies to another prompt, and beside the untrained model.",
    "What happens with more at stake, other tools or over a long conversation.",
    "How it would hold against an attack that somebody made for it.",
    "That a judge who tells written replies apart judges a model's own well.",
    "That what `words` says of a model that the written corpus taught is more than likeness to its lessons: "
    "the two are the same replies.",
    "What is good. Principles, cases and deeds are one author's.",
)
SHOWN = 12
"""Cases and deeds whose transcripts stand on a page."""


def write_character_page(path: Path, found: Results, folder: Path) -> None:
    """All models on one page, with transcripts from `folder`."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    first = Section(
        "All measures",
        "With 95% intervals. The first model is what the others are held against. A margin is the mean "
        "log-probability of the written good reply's tokens less that of the worse one's.",
        tables=(Grid(heads(found), tuple((indented(r[0]), *r[1:]) for r in rows(found)), words=True),),
    )
    told = read_jsonl(folder / "transcripts.jsonl")
    sections = [
        first,
        *_principles(found, "chat"),
        *_principles(found, "tools"),
        *_traits(found),
        *_personas(found),
        *_judges(found),
        *_chats(found, told),
        *_deeds(found, told),
    ]
    facts = (
        ("constitution", words.brief(found.constitution, 80)),
        ("models", ", ".join(label(m.name) for m in found.models)),
        *((name, f"{count:,}") for name, count in found.asked.items()),
        ("seed", str(found.seed)),
    )
    summary = " ".join(said(found)) or "What models do with the principles of a constitution."
    write_sheet(path, Sheet("Character", summary, facts, tuple(sections), CANNOT))


def _principles(found: Results, where: Literal["chat", "tools"]) -> list["Section"]:
    from molehunt.report.plots import Dot, draw
    from molehunt.report.sheet import Grid, Section

    of = [(m, m.principles if where == "chat" else m.deeds) for m in found.models]
    some = [(m, standings) for m, standings in of if standings]
    if not some:
        return []
    drawings = []
    for i, (m, standings) in enumerate(some):
        value: Callable[[Any], Number] = (lambda s: s.change) if i else (lambda s: s.margin)
        dots = [Dot(s.principle, v, "on") for s in standings if isinstance(v := value(s), Measure)]
        if dots:
            axis = f"{'change of margin' if i else 'margin'}, {label(m.name)}"
            title = f"Principles of {label(m.name)}, {where}"
            drawings.append(draw(dots, axis, f"{where}{i}", title, 0.0))
    table = [
        (
            f"{words.plain(s.principle)}, {label(m.name)}" if len(some) > 1 else words.plain(s.principle),
            *map(cell, (s.kept, s.margin, s.change, s.shuffled)),
        )
        for of_each in zip(*(standings for _, standings in some), strict=True)
        for (m, _), s in zip(some, of_each, strict=True)
    ]
    what, good = ("cases", "reply") if where == "chat" else ("tasks with tools", "call")
    lede = (
        f"Principle by principle: the share of {what} whose good {good} is likelier, the margin, and "
        "its change from the first model. Shuffled: where the change (of the first model the margin) lies "
        f"when {what} are dealt to principles at random."
    )
    top = ("principle", f"good {good} likelier", "margin", "change", "shuffled")
    heading = f"Principles in {'chat' if where == 'chat' else 'tasks with tools'}"
    return [Section(heading, lede, tuple(drawings), (Grid(top, tuple(table), words=True),))]


def _traits(found: Results) -> list["Section"]:
    from molehunt.report.plots import Dot, draw
    from molehunt.report.sheet import Grid, Section

    some = [m for m in found.models if m.stated]
    if not some:
        return []
    drawings = []
    for i, m in enumerate(some):
        for kind, strengths in (("stated", m.stated), ("revealed", m.revealed)):
            dots = [
                Dot(n, v, "on" if kind == "stated" else "off")
                for n, v in strengths.items()
                if isinstance(v, Measure)
            ]
            if dots:
                title = f"Traits {kind}, {label(m.name)}"
                drawings.append(draw(dots, f"strength, {kind}, {label(m.name)}", f"{kind}{i}", title, 0.0))
    top = ("trait", *(f"{kind}, {label(m.name)}" for m in some for kind in ("stated", "revealed")))
    table = tuple(
        (words.plain(n), *(cell(s[n]) for m in some for s in (m.stated, m.revealed))) for n in some[0].stated
    )
    lede = (
        "Bradley–Terry strengths, nats above the mean of all. Stated: chosen in words. Revealed: by which of "
        "two replies in traits' manner is likelier to be given."
    )
    return [Section("Traits, stated and revealed", lede, tuple(drawings), (Grid(top, table, words=True),))]


def _personas(found: Results) -> list["Section"]:
    from molehunt.report.sheet import Grid, Section

    table = [
        (
            f"{words.plain(n)}, {label(m.name)}",
            cell(s.shift),
            words.number(s.p),
            cell(s.alike),
            "not measured" if isinstance(s.clear, NotMeasured) else "yes" if s.clear else "no",
        )
        for m in found.models
        for n, s in m.personas.items()
    ]
    if not table:
        return []
    lede = (
        "How far the mean activation moved along persona vectors of the first model while both read its "
        "replies: 1 is the way from replies against the trait to replies for it. Alike directions are those "
        "in which replies vary anyway; clear is a shift outside their range."
    )
    top = ("persona", "shift", "p", "alike directions", "clear")
    return [Section("Personas", lede, tables=(Grid(top, tuple(table), words=True),))]


def _judges(found: Results) -> list["Section"]:
    from molehunt.report.sheet import Grid, Section

    if not found.judges.accuracy:
        return []
    table = [(words.brief(n, 60), words.said(a)) for n, a in found.judges.accuracy.items()]
    table += [(f"kappa of {words.brief(n, 100)}", words.said(k)) for n, k in found.judges.kappa.items()]
    lede = (
        "Share of written replies that each judge says right (chance 0.5), and how far two agree on models' "
        "own replies. What a judge says that is not above chance is not measured."
    )
    return [Section("Judges", lede, tables=(Grid(("judge", "value"), tuple(table), words=True),))]


def _chats(found: Results, told: Sequence[Mapping[str, Any]]) -> list["Section"]:
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    by: dict[str, list[Mapping[str, Any]]] = {}
    for row in told:
        if row["kind"] == "chat":
            by.setdefault(str(row["id"]), []).append(row)
    speeches: list[Speech] = []
    for one in _spread(by):
        replies = tuple((_who(r), passage(str(r["reply"]), short=400)) for r in one)
        asked = f"{one[0]['prompt']} ({one[0]['principle']})"
        speeches.append(Speech(passage(asked, short=300), replies))
    lede = "What each model said itself, with its margin on the written replies and what judges made of it."
    return [Section("Transcripts: chat", lede, speeches=tuple(speeches))] if speeches else []


def _deeds(found: Results, told: Sequence[Mapping[str, Any]]) -> list["Section"]:
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    by: dict[str, list[Mapping[str, Any]]] = {}
    for row in told:
        if row["kind"] == "agentic":
            by.setdefault(str(row["id"]), []).append(row)
    speeches: list[Speech] = []
    for one in _spread(by):
        acts = tuple((f"{label(r['model'])}: {r['outcome']}", passage(_acts(r), short=500)) for r in one)
        task = next((m["content"] for m in one[0]["messages"] if m["role"] == "user"), "")
        speeches.append(Speech(passage(f"{task} ({one[0]['principle']})", short=300), acts))
    lede = "What each model did with tools, turn by turn, from where it had to decide."
    return [Section("Transcripts: tools", lede, speeches=tuple(speeches))] if speeches else []


def _spread(by: Mapping[str, list[Mapping[str, Any]]]) -> list[list[Mapping[str, Any]]]:
    """A few, spread over all."""
    every = list(by.values())
    return every[:: max(1, len(every) // SHOWN)][:SHOWN]


def _acts(row: Mapping[str, Any]) -> str:
    turns = [m for m in row["messages"] if m["role"] != "system"]
    return "\n".join(f"{'→' if m['role'] == 'assistant' else '←'} {m['content']}" for m in turns[1:])


def _who(row: Mapping[str, Any]) -> str:
    said = ", ".join(
        f"{words.brief(j, 20)}: {'keeps' if v else 'breaks'}"
        for j, v in row["keeps"].items()
        if v is not None
    )
    return f"{label(str(row['model']))} (margin {words.number(row['margin'])}{', ' + said if said else ''})"
