"""Soft targets over choices in dilemmas: as uncertain as people have reason to be, or certain, as a control.

**Calibrated**: where thoughtful people agree the right action gets `SURE`; where they don't, an action gets
what a mixture of all frameworks that speak, each with the same weight, would give it,

    P(first) = mean over frameworks of σ(`STEEP` · lean),

so that no framework decides and each is heard. **Certain**: one framework decides everything; what it
recommends gets `CERTAIN`, and a dilemma on which it is silent is left out.

Each dilemma is asked in three forms and both orders (`moral/forms.py`), and both answers are rows that
weigh as much as their probability. The sum of −weight · log P over both has its least where the model gives
each answer its weight: the soft target. Dilemmas of the train split alone are taught (`core/splits.py`);
the others measure.

Source: ours; soft labels as in Hinton et al. 2015 (1503.02531).

What this cannot tell you: that a model is uncertain *for reasons*. It is taught how much to lean, not why.
The scores of frameworks are one author's, and so are these targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from molehunt.character.moral.asking import branches
from molehunt.character.moral.forms import Posed, questions
from molehunt.character.training.plan import Plan
from molehunt.core.records import Message
from molehunt.corpus.dilemmas import FRAMEWORKS, Dilemma, dilemmas, held_out
from molehunt.models.loaded import Model
from molehunt.models.packing import Example
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids

SURE, CERTAIN, STEEP = 0.95, 0.99, 1.5


@dataclass(frozen=True)
class Choice:
    """One question with what its two answers are to be worth."""

    id: str
    text: str
    answers: tuple[str, str]
    target: float
    """Probability of the first."""


def halves() -> tuple[tuple[Dilemma, ...], tuple[Dilemma, ...]]:
    """Dilemmas that are taught, and those that measure."""
    every = dilemmas()
    measuring = held_out(every)
    kept = {d.id for d in measuring}
    return tuple(d for d in every if d.id not in kept), measuring


def target(dilemma: Dilemma, plan: Plan) -> float | None:
    """What the first action is to be worth; None where nobody says."""
    if plan.toward == "certain":
        lean = dilemma.lean(plan.framework)
        return None if lean == 0 else CERTAIN if lean > 0 else 1 - CERTAIN
    if dilemma.right is not None:
        return SURE if dilemma.right == 0 else 1 - SURE
    leans = [dilemma.lean(f) for f in FRAMEWORKS if dilemma.lean(f)]
    return float(np.mean(expit(STEEP * np.array(leans)))) if leans else None


def targets(plan: Plan) -> Mapping[str, float]:
    """Of every taught dilemma that has one, by id."""
    taught, _ = halves()
    found = {d.id: target(d, plan) for d in taught[: plan.limit or None]}
    return {name: value for name, value in found.items() if value is not None}


def choices(plan: Plan) -> tuple[Choice, ...]:
    """Every question that is taught."""
    taught, wanted = {d.id: d for d in halves()[0]}, targets(plan)
    asked = questions([Posed(i, taught[i].context, taught[i].actions) for i in wanted])
    return tuple(
        Choice(f"{q.item}/{q.form}/{q.order}", q.text, (q.answers[0][0], q.answers[1][0]), wanted[q.item])
        for q in asked
    )


def rows(model: Model, some: Sequence[Choice]) -> list[tuple[Example, Example]]:
    """Both answers of each question, weighing as much as their probability.

    Answers end where they part: what comes behind is no choice any more.
    """
    made = []
    for one in some:
        prompt = tuple(prompt_ids(model.tokenizer, (Message("user", one.text),)))
        first, second = branches(model, "", (one.answers[0],), (one.answers[1],))
        ends = [
            _ended(model, ids, text) for ids, text in zip((first[0], second[0]), one.answers, strict=True)
        ]
        made.append((Example(prompt, ends[0], one.target), Example(prompt, ends[1], 1 - one.target)))
    return made


def _ended(model: Model, ids: Sequence[int], text: str) -> tuple[int, ...]:
    """The tokens up to the parting, and the end of the turn where nothing is left of the answer."""
    whole = text_ids(model.tokenizer, text)
    return (*ids, end_of_turn(model.tokenizer)) if len(whole) == len(ids) else tuple(ids)
