"""A training toward a character as a page: signs of life along the way, what it came to, what was taught."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.character.training.plan import Plan
from molehunt.character.training.result import Result
from molehunt.core.atomic import read_jsonl
from molehunt.report import words
from molehunt.verbs._character_said import trained_rows

if TYPE_CHECKING:
    from molehunt.report.sheet import Section

CANNOT = (
    "What it did to character: the watched cases are few. `molehunt character measure` asks others.",
    "That a model is well which did not collapse: the signs are bounds for ruins, not for a release.",
    "Whether another seed would end alike: this is one training.",
    "That what was taught is good. Replies and principles are one author's, a teacher's or the model's own.",
)
TAUGHT = 10
"""Lessons of each kind that stand on the page."""
SHARES = {"kept": "good reply likelier", "right": "easy questions right", "repeats": "repeats itself"}
AMOUNTS = {"margin": "margin, nats a token", "nll": "ordinary text, nats a token"}


def write_train_page(path: Path, result: Result, plan: Plan, live: Path, lessons: Path) -> None:
    """`live` holds the signs, a line a look; `lessons` what was taught, a line a lesson."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    came = (
        f"It came apart: {words.brief(result.collapsed)}. The last good adapter is kept. "
        if result.collapsed
        else ""
    )
    first = Section(
        "What it came to",
        f"{came}Signs are of a few watched cases, questions and replies, without intervals; what was asked "
        "of dilemmas or of the model's oversight of itself has 95% intervals, where there are any.",
        tables=(Grid(("measure", "value"), tuple(trained_rows(result)), words=True),),
    )
    seen = read_jsonl(live) if live.is_file() else []
    sections = [first, *_signs(seen, plan), *_taught(read_jsonl(lessons) if lessons.is_file() else [])]
    facts = (
        ("toward", words.brief(plan.constitution if plan.toward == "constitution" else plan.toward, 80)),
        ("taught by", words.brief(result.teacher, 80)),
        ("steps", f"{result.steps:,}"),
        ("rows", f"{result.lessons:,}"),
        ("preferences", f"{result.preferences:,}"),
        ("seed", str(plan.seed)),
    )
    summary = "A training toward a character: how the model fared on the way, and what it was taught."
    write_sheet(path, Sheet("Training", summary, facts, tuple(sections), CANNOT))


def _signs(seen: Sequence[Mapping[str, Any]], plan: Plan) -> list["Section"]:
    """Curves over the steps of both stages, and what the model said of itself at each look."""
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section

    if not seen:
        return []
    at = [int(s["step"]) + (plan.steps if s["stage"] == "preferences" else 0) for s in seen]

    def line(name: str, look: Any) -> Line:
        some = [(x, s[name]) for x, s in zip(at, seen, strict=True) if isinstance(s.get(name), int | float)]
        return Line((SHARES | AMOUNTS)[name], tuple(Point(float(x), float(v)) for x, v in some), look)

    drawings = []
    shares = [line(name, look) for name, look in zip(SHARES, ("first", "second", "third"), strict=True)]
    drawings.append(curves(shares, "steps", "share", "shares", "Signs, as shares", shares=True))
    for name, said in AMOUNTS.items():
        own = line(name, "first")
        if own.points:
            drawings.append(curves([own], "steps", said, name, said.capitalize()))
    own = tuple(
        (str(s["stage"]), str(s["step"]), words.brief(str(s["sample"]), 300)) for s in seen if s.get("sample")
    )
    table = Grid(("stage", "step", "a reply of its own, to one and the same question"), own, words=True)
    lede = (
        "Looked at before the first step and on the way, with the adapter as it then was: while it learned "
        "replies, then preferences."
    )
    return [Section("Signs along the way", lede, tuple(drawings), (table,) if own else ())]


def _taught(rows: Sequence[Mapping[str, Any]]) -> list["Section"]:
    """Some lessons of each stage, spread over all."""
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    by: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by.setdefault(str(row.get("stage", "choices")), []).append(row)
    sections = []
    for stage, own in by.items():
        some = own[:: max(1, len(own) // TAUGHT)][:TAUGHT]
        speeches = tuple(
            Speech(
                passage(str(r.get("prompt", r.get("text", ""))), short=400),
                tuple((name, passage(text, short=400)) for name, text in _sides(r)),
            )
            for r in some
        )
        lede = f"{len(own):,} in all; {len(some)} of them, spread over all, as they were taught."
        sections.append(Section(f"Taught: {words.plain(stage)}", lede, speeches=speeches))
    return sections


def _sides(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "answers" in row:
        first = float(row["target"])
        return [(f"taught {p:.2f}", str(a)) for a, p in zip(row["answers"], (first, 1 - first), strict=True)]
    names = ("reply", "chosen", "rejected")
    source = f", {words.brief(str(row['source']), 60)}" if row.get("source") else ""
    return [(f"{n}{source}", str(row[n])) for n in names if n in row]
