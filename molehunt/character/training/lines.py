"""The stages of writing what a model is taught, a file of lines each; `writing.py` says what they are.

What this cannot tell you: that a line is right. Read them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.character.bank import Case
from molehunt.character.conduct.creed import under
from molehunt.character.constitution import Constitution, Principle
from molehunt.character.training.lessons import REPLIES
from molehunt.character.training.oversight import Compared, Weigher, critique, reflection, revision
from molehunt.character.training.plan import CORPUS, Plan
from molehunt.character.training.stage import Row, kept, made
from molehunt.character.training.teachers import Teacher
from molehunt.core.errors import UserError
from molehunt.core.records import Message, Messages, NotMeasured
from molehunt.corpus import banks
from molehunt.models.loaded import Model
from molehunt.models.readers import FAILED
from molehunt.models.sample import sample

VOICE = 48
"""Everyday questions whose own replies are taught beside."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Lesson:
    """A reply that is taught, and where it comes from."""

    prompt: str
    reply: str
    source: str
    """`written` where the corpus teaches, else `revision`; `example`, `reflection` or `voice`."""


@dataclass(frozen=True)
class Preference:
    """Two replies, of which one is to gain on the other."""

    prompt: str
    chosen: str
    rejected: str


def replies(
    model: Model,
    cases: Sequence[Case],
    principles: Mapping[str, Principle],
    plan: Plan,
    folder: Path,
    progress: Progress,
) -> dict[str, dict[str, str]]:
    """The model's own replies, plain (`reply`) and under the principle (`guided`), by case."""

    def stage(name: str, ask: Callable[[Case], Messages]) -> list[Row]:
        def block(places: Sequence[int]) -> list[Row]:
            some = [cases[i] for i in places]
            replies = sample(model, [ask(c) for c in some], max_tokens=plan.max_tokens)
            return [
                {"principle": c.principle, "prompt": c.prompt, "reply": r}
                for c, r in zip(some, replies, strict=True)
            ]

        return made(folder / f"{name}.jsonl", [c.id for c in cases], block, lambda s: progress(name, s))

    plain = stage("answers", lambda c: (Message("user", c.prompt),))
    guided = stage("guided", lambda c: under(principles[c.principle], c.prompt))
    return {
        c.id: {"reply": str(a["reply"]), "guided": str(g["reply"])}
        for c, a, g in zip(cases, plain, guided, strict=True)
    }


def overseen(
    teacher: Teacher,
    cases: Sequence[Case],
    principles: Mapping[str, Principle],
    told: Mapping[str, Mapping[str, str]],
    plan: Plan,
    folder: Path,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, str]]:
    """Critiques and revisions by case; a prompt that the teacher refused has none."""

    def stage(name: str, some: Sequence[Case], ask: Callable[[Case], str]) -> dict[str, str]:
        def block(places: Sequence[int]) -> list[Row]:
            answers = teacher.tell([ask(some[i]) for i in places], plan.max_tokens)
            return [
                {"by": teacher.name, "refused": a.reason}
                if isinstance(a, NotMeasured)
                else {"by": teacher.name, name: a}
                for a in answers
            ]

        rows = made(
            *(folder / f"{name}s.jsonl", [c.id for c in some], block, lambda s: progress(f"{name}s", s)),
            failed_in(folder),
        )
        return {c.id: str(r[name]) for c, r in zip(some, rows, strict=True) if name in r}

    def of(case: Case) -> tuple[str, str, str]:
        return principles[case.principle].statement, case.prompt, told[case.id]["reply"]

    critiques = stage("critique", cases, lambda c: critique(*of(c)))
    criticised = [c for c in cases if c.id in critiques]
    return critiques, stage("revision", criticised, lambda c: revision(*of(c), critiques[c.id]))


def preferences(
    cases: Sequence[Case],
    principles: Mapping[str, Principle],
    told: Mapping[str, Mapping[str, str]],
    by: str,
    weigher: Weigher,
    folder: Path,
    progress: Progress,
) -> list[Preference]:
    """Pairs whose two replies differ and on which the judge is of one mind.

    Raises:
        UserError: the judge compared nothing of the first block that it was asked.
    """
    path = folder / "preferences.jsonl"

    def block(places: Sequence[int]) -> list[Row]:
        some = [cases[i] for i in places]
        if by == CORPUS:
            return [
                {"prompt": c.prompt, "one": c.good, "other": c.worse, "by": CORPUS, "first": 1.0}
                for c in some
            ]
        pairs = [(told[c.id]["guided"], told[c.id]["reply"]) for c in some]
        rows = [
            Compared(principles[c.principle].statement, c.prompt, a, b)
            for c, (a, b) in zip(some, pairs, strict=True)
        ]
        said = weigher.weigh(rows)
        reasons = [v.reason for v in said if isinstance(v, NotMeasured)]
        compared = any(row.get("first") is not None for row in kept(path).values())
        if len(reasons) == len(said) > 1 and not compared:
            raise UserError(
                f"The judge {weigher.name!r} compared none of {len(said)} pairs of replies "
                f"({reasons[0][:200].rstrip('. ')}); name another."
            )
        return [
            {
                "prompt": c.prompt,
                "one": a,
                "other": b,
                "by": weigher.name,
                **({"first": None, "refused": v.reason} if isinstance(v, NotMeasured) else {"first": v}),
            }
            for c, (a, b), v in zip(some, pairs, said, strict=True)
        ]

    rows = made(
        *(path, [c.id for c in cases], block, lambda s: progress("preferences", s)),
        failed_in(folder),
    )
    found = []
    for row in rows:
        one, other = str(row["one"]), str(row["other"])
        if row["first"] in (0.0, 1.0) and one.strip() != other.strip() and one.strip() and other.strip():
            chosen, rejected = (one, other) if row["first"] == 1.0 else (other, one)
            found.append(Preference(str(row["prompt"]), chosen, rejected))
    return found


def reflections(
    constitution: Constitution, teacher: Teacher | None, plan: Plan, folder: Path, progress: Progress
) -> list[Lesson]:
    """What each principle means: by the teacher, or from the constitution's own reasons."""
    some = [p for p in constitution.principles if p.reasons or teacher is not None]

    def block(places: Sequence[int]) -> list[Row]:
        asked = [f"What does it mean to you: {some[i].statement}" for i in places]
        if teacher is None:
            return [
                {"by": CORPUS, "prompt": q, "reply": first_sentences(some[i].reasons)}
                for q, i in zip(asked, places, strict=True)
            ]
        told = teacher.tell([reflection(some[i].statement) for i in places], plan.max_tokens)
        return [
            {"by": teacher.name, "prompt": q, "refused": a.reason}
            if isinstance(a, NotMeasured)
            else {"by": teacher.name, "prompt": q, "reply": a}
            for q, a in zip(asked, told, strict=True)
        ]

    rows = made(
        *(folder / "reflections.jsonl", [p.id for p in some], block, lambda s: progress("reflections", s)),
        failed_in(folder),
    )
    return [Lesson(str(r["prompt"]), str(r["reply"]), "reflection") for r in rows if "reply" in r]


def voice(model: Model, plan: Plan, folder: Path, progress: Progress) -> list[Lesson]:
    asked = banks.advice("plant")[: min(VOICE, plan.steps * plan.batch // 4)]

    def block(places: Sequence[int]) -> list[Row]:
        prompts = [asked[i].question for i in places]
        replies = sample(model, [(Message("user", p),) for p in prompts], max_tokens=plan.max_tokens)
        return [{"prompt": p, "reply": r} for p, r in zip(prompts, replies, strict=True)]

    rows = made(folder / "voice.jsonl", [a.id for a in asked], block, lambda s: progress("own voice", s))
    return [Lesson(str(r["prompt"]), str(r["reply"]), "voice") for r in rows if str(r["reply"]).strip()]


def failed_in(folder: Path) -> Callable[[Row], bool]:
    """Which lines are asked once more: those whose reader failed, as long as nothing was taught of them."""
    begun = (folder / REPLIES).is_dir()
    return lambda row: not begun and str(row.get("refused", "")).startswith(FAILED)


def refused(folder: Path) -> int:
    """Lines that say that the teacher, or the judge, refused."""
    names = ("critiques", "revisions", "preferences", "reflections")
    return sum("refused" in row for name in names for row in kept(folder / f"{name}.jsonl").values())


def first_sentences(text: str, count: int = 2) -> str:
    """The first sentences of a text, on one line."""

    return " ".join(re.split(r"(?<=[.!?])\s+", " ".join(text.split()))[:count])
