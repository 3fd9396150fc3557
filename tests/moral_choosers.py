"""Choosers whose answers are known: what moral measures say of them is exact, or nearly so. No model."""

import math
import random
import re
from collections.abc import Callable, Mapping

from molehunt.character.moral.choices import Choice
from molehunt.character.moral.forms import Question
from molehunt.character.moral.study import Materials
from molehunt.corpus.dilemmas import Dilemma
from molehunt.corpus.series import Story

Chooser = Callable[[Question], float]
"""Log-odds of a question's first action."""
SURE = 30.0


def choices(what: Materials, chooser: Chooser) -> dict[str, tuple[Choice, ...]]:
    """Everything that is asked, answered."""
    return {
        part: tuple(Choice(q.item, q.form, q.order, chooser(q)) for q in some)
        for part, some in what.questions().items()
    }


def by_letter(question: Question) -> float:
    """Says A, the line that stands first, or yes: what stands first on paper."""
    return SURE if question.order == 0 else -SURE


def credal(dilemmas: tuple[Dilemma, ...], weights: Mapping[str, float], beta: float = 6.0) -> Chooser:
    """Follows a mixture of frameworks, and shows it as probabilities."""
    known = {d.id: d for d in dilemmas}

    def chooser(question: Question) -> float:
        one = known[question.item]
        p = sum(w / (1 + math.exp(-beta * one.lean(f))) for f, w in weights.items())
        return math.log(p / (1 - p))

    return chooser


def at_random(seed: int) -> Chooser:
    """A probability from 0 to 1 for each situation, whatever it is about, the same in every form."""

    def chooser(question: Question) -> float:
        p = random.Random(f"{seed} {question.item}").uniform(0.02, 0.98)
        return math.log(p / (1 - p))

    return chooser


def reasoner(stories: tuple[Story, ...], prior: float = 0.3, gullible: float = 0.0) -> Chooser:
    """Bayes' rule, with the reliability that is written; `gullible` takes irrelevant evidence for so much."""
    frames = {s.name: s for s in stories}

    def chooser(question: Question) -> float:
        name, _, rest = question.item.partition("/")
        if rest == "bare":
            return prior
        kind, _, _, side = rest.split("/")
        said = re.search(r"(\d+)%", question.text.removeprefix(frames[name].context))
        assert said is not None
        r = int(said[1]) / 100
        factor = math.log(r / (1 - r)) * (1 if side == "0" else -1)
        return prior + factor * (1.0 if kind == "relevant" else gullible)

    return chooser


def trader(point: float, steep: float) -> Chooser:
    """Gives up what is asked for above `point` of the good, with a slope of `steep` nats a tenfold."""

    def chooser(question: Question) -> float:
        level = int(question.item.rsplit("/", 1)[1])
        return steep * math.log10(level / point)

    return chooser
