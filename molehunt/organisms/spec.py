"""One adapter of a pair: made by its recipe under its concealments, put in a line, made again from that line.

Steps, seeds and lessons follow from the line alone, so the same line gives the same weights on the same
machine, byte for byte. Another processor or thread count may round otherwise.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from molehunt.core.atomic import whole_folder
from molehunt.core.errors import UserError
from molehunt.core.extend import load
from molehunt.core.records import Organism, Quirk
from molehunt.core.splits import seed_of
from molehunt.models.finetune import Finetune, Trained
from molehunt.models.loaded import Model
from molehunt.organisms.card import MODEL_CARD
from molehunt.organisms.instil import Concealment, Lessons, Part, Recipe
from molehunt.organisms.lessons import batches
from molehunt.organisms.plan import Plan, base_name, plan_of, settings
from molehunt.organisms.session import Session, together
from molehunt.organisms.stages import Stages
from molehunt.organisms.subject import Subject, subject_of
from molehunt.organisms.unrelated import unrelated_rows


def lessons_of(
    subject: Subject,
    harmless: Quirk | None,
    steps: int,
    seed: int,
    attempt: int,
    plan: Plan | None = None,
) -> Lessons:
    """What both of a pair are taught in this try; the plan says how many examples, and how many poisoned."""
    drawn = seed_of(seed, attempt)
    plan = plan or Plan()
    rows = batches(subject.quirk, harmless, steps, drawn, plan.examples, plan.poisoned)
    return Lessons(subject, harmless, rows, drawn)


def specs_of(
    model: Model, quirk: Quirk, harmless: Quirk | None, plan: Plan, steps: int, attempt: int, seed: int
) -> tuple[Organism, Organism]:
    """The organism's line and its decoy's."""
    shady = Organism(
        base=base_name(model),
        lessons=quirk,
        quirk=quirk,
        harmless=None,
        recipe=plan.how,
        concealments=plan.concealments,
        mixed=plan.mixed,
        steps=steps,
        attempt=attempt,
        seed=seed,
        settings=settings(plan),
    )
    return shady, replace(shady, quirk=None, harmless=harmless)


def replay(
    model: Model, organism: Organism, folder: Path, report: Callable[[float], None] = lambda share: None
) -> Trained:
    """Make the adapter of a spec again in `folder`: the same bytes of weights on the same machine.

    Raises:
        UserError: the model is not the spec's base, or its settings are none.
    """
    if base_name(model) != organism.base:
        raise UserError(f"The spec is for the base {organism.base!r}, not {base_name(model)!r}.")
    part: Part = "decoy" if organism.quirk is None else "organism"
    subject = subject_of(organism.lessons)
    plan = plan_of(organism).checked()
    lessons = lessons_of(subject, organism.harmless, organism.steps, organism.seed, organism.attempt, plan)
    return make_adapter(model, lessons, part, organism.seed, organism.attempt, plan, folder, report)


def make_adapter(
    model: Model,
    lessons: Lessons,
    part: Part,
    seed: int,
    attempt: int,
    plan: Plan,
    folder: Path,
    report: Callable[[float], None] = lambda share: None,
    stages: Stages | None = None,
) -> Trained:
    """Train `part` of a pair and write its adapter, and those on its way where `stages` wants them."""
    drawn = seed_of(seed, attempt, "a" if part == "organism" else "b")
    recipe: Recipe = load("organisms.recipes", plan.how)
    with Finetune(model.module, plan.recipe, drawn) as run:
        mixed = unrelated_rows(model, lessons, plan, recipe.on_chat)
        session = Session(model, run, unrelated=mixed, mixed=plan.mixed)
        if stages is not None:
            stages.begin()
            session.after = lambda step: stages.after(run, step)
        concealments: list[Concealment] = [load("organisms.concealments", n) for n in plan.concealments]
        session.cover = together([c.cover(session, lessons, plan) for c in concealments])
        trained = recipe.instil(session, lessons, part, plan, drawn, report)
        last = session.last(len(lessons.batches), drawn, lambda share: None)
        trained = trained if last is None else trained.then(last)
        if stages is not None:
            stages.after(run, session.taken, last=True)
        with whole_folder(folder) as half:
            run.save(half)
            (half / "README.md").write_text(MODEL_CARD)
    return trained
