"""What a model is to be taught toward a constitution, written stage by stage into files that people can read.

    answers.jsonl       the model's own replies to the taught prompts
    guided.jsonl        its replies with the principle in a system prompt
    critiques.jsonl     what is amiss in the answers, by their principle
    revisions.jsonl     the answers written anew
    oversight.json      what its overseeing itself is worth (`self_oversight.py`), and who teaches
    preferences.jsonl   of two replies the one preferred: guided against plain, as judged; or the written good
                        one against the written worse one, where the corpus teaches
    reflections.jsonl   what it means to live by each principle
    voice.jsonl         the model's own replies to everyday questions, so that it keeps its voice
    lessons.jsonl       what is taught, row by row; training deals the rows out in a shuffled order, and all
                        of them only where its steps reach so far

Where the corpus teaches, critiques and revisions are made on the prompts that are tried out alone.

What this cannot tell you: that a lesson is right. Read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.character.bank import Case, beside
from molehunt.character.constitution import Constitution, Principle
from molehunt.character.training import lines
from molehunt.character.training.lines import Lesson, Preference, Progress
from molehunt.character.training.oversight import OddsWeigher
from molehunt.character.training.plan import AUTO, CORPUS, SELF, Plan
from molehunt.character.training.self_oversight import Oversight, oversight
from molehunt.character.training.teachers import open_teacher, open_weigher
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import Unteachable
from molehunt.core.record_json import from_json
from molehunt.models.loaded import Model


@dataclass(frozen=True)
class Written:
    """All that is taught toward a constitution."""

    lessons: tuple[Lesson, ...]
    preferences: tuple[Preference, ...]
    teacher: str
    """`corpus`, `self`, or a reader's name."""
    oversight: Oversight | None
    refused: int
    """Questions that the teacher did not answer."""


def write(
    model: Model,
    constitution: Constitution,
    cases: Sequence[Case],
    plan: Plan,
    folder: Path,
    parallel: int = 16,
    progress: Progress = lambda name, share: None,
) -> Written:
    """Every stage; those that `folder` holds whole are read.

    Args:
        cases: the taught ones, of the constitution's principles.

    Raises:
        UserError: a teacher or judge that cannot be opened, or refuses everything.
        Unteachable: there is nothing to teach.
    """
    principles = {p.id: p for p in constitution.principles}
    tried = cases[: plan.try_out]
    asks = plan.teacher not in (AUTO, CORPUS)
    teacher = open_teacher(plan.teacher if asks else SELF, model, folder, parallel)
    needed = tried if not asks else cases  # those whose own replies are wanted in any case
    told = lines.replies(model, needed, principles, plan, folder, progress)
    critiques, revisions = lines.overseen(teacher, needed, principles, told, plan, folder, progress)
    weigher = open_weigher(plan.judge, model, folder, parallel)
    seen = _oversight(model, tried, cases, principles, plan, folder, parallel, told, critiques, revisions)
    by = plan.teacher
    if by == AUTO:
        by = SELF if seen is not None and seen.able else CORPUS
        if by == SELF:
            told = lines.replies(model, cases, principles, plan, folder, progress)
            critiques, revisions = lines.overseen(teacher, cases, principles, told, plan, folder, progress)
    taught = (
        [Lesson(c.prompt, c.good, "written") for c in cases]
        if by == CORPUS
        else [Lesson(c.prompt, revisions[c.id], "revision") for c in cases if c.id in revisions]
    )
    preferences = lines.preferences(cases, principles, told, by, weigher, folder, progress)
    reflections = lines.reflections(constitution, teacher if by != CORPUS else None, plan, folder, progress)
    lessons = (
        *taught,
        *(Lesson(e.prompt, e.good, "example") for p in constitution.principles for e in p.examples),
        *reflections,
        *lines.voice(model, plan, folder, progress),
    )
    if not taught and not any(p.examples for p in constitution.principles):
        raise Unteachable(
            f"{constitution.name!r} gives no example, and no written case is of its principles; give your "
            "own with --cases."
        )
    return Written(lessons, tuple(preferences), by, seen, lines.refused(folder))


def _oversight(
    model: Model,
    tried: Sequence[Case],
    cases: Sequence[Case],
    principles: Mapping[str, Principle],
    plan: Plan,
    folder: Path,
    parallel: int,
    told: Mapping[str, Mapping[str, str]],
    critiques: Mapping[str, str],
    revisions: Mapping[str, str],
) -> Oversight | None:
    """What overseeing is worth, of the model itself or of the teacher that stands in for it."""
    path = folder / "oversight.json"
    if not tried:
        return None
    if path.is_file():
        return from_json(Oversight, read_json(path))
    own = {
        c.id: {
            **told[c.id],
            **({"critique": critiques[c.id]} if c.id in critiques else {}),
            **({"revision": revisions[c.id]} if c.id in revisions else {}),
        }
        for c in tried
    }
    by = SELF if plan.teacher in (AUTO, CORPUS) else plan.teacher
    weigher = OddsWeigher(SELF, model) if by == SELF else open_weigher(by, model, folder, parallel)
    statements = {name: p.statement for name, p in principles.items()}
    found = oversight(tried, statements, weigher, own, cases, plan.seed)
    write_json(path, found)
    return found


def taught_cases(creed: Constitution, own: Sequence[Case], plan: Plan) -> tuple[Case, ...]:
    """Cases that are taught, principle by principle in turn, so that a limit leaves some of each."""
    some = beside(own, [p.id for p in creed.principles], "train")
    rank: dict[str, int] = {}
    places: dict[str, int] = {}
    for case in some:
        rank[case.id] = places.get(case.principle, 0)
        places[case.principle] = rank[case.id] + 1
    return tuple(sorted(some, key=lambda c: rank[c.id])[: plan.limit or None])


def rows_of(written: Written) -> list[dict[str, Any]]:
    """What is taught as lines for people."""
    taught = [{"stage": "replies", **vars(one)} for one in written.lessons]
    return [*taught, *({"stage": "preferences", **vars(one)} for one in written.preferences)]
