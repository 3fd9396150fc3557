"""About how long `moral`, `character` and `gate` take, said before a model is opened: their --dry-run.

Counts come from what would be asked; seconds from this machine's pace with the model
(`molehunt/game/estimate.py`). They tell minutes from hours, no more.

What this cannot tell you: what is done already in the folder, what a judge or teacher elsewhere takes, or the
time of a model whose size is not known before it is fetched.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from molehunt.core.records import NotMeasured
from molehunt.game.estimate import Pace, in_words, pace
from molehunt.verbs._cost import PROMPT_TOKENS, SAMPLED, START

if TYPE_CHECKING:
    from molehunt.character.conduct.cells import Subject
    from molehunt.character.moral.study import Materials
    from molehunt.character.training.plan import Plan
    from molehunt.gate.bounds import Bounds

LETTERS, TURN = 4.2, 30
"""Letters of a token, and tokens around a question, on the default model."""
PAIR = 160
"""Tokens of a written case with both of its replies."""
DEED = 400
"""Tokens of a task with tools up to where it decides, with both calls."""
TRAITS, DRIFT = 60_000, 40_000
"""Tokens that a model reads where traits are ranked, and where drift is looked at."""
PREFERENCE = 3.0
"""A step on preferences takes as long as so many on replies: two sides, and a reference."""
PASSAGE = 250
"""Tokens of a passage of ordinary text."""


@dataclass(frozen=True)
class Time:
    """How long, about."""

    seconds: float | NotMeasured
    basis: str

    @property
    def said(self) -> str:
        """A sentence."""
        about = in_words(self.seconds, self.seconds)
        return f"Time: {about}, reckoned from {self.basis}" if self.basis else f"Time: {about}"


def moral_time(models: Sequence[str], texts: Iterable[str]) -> Time:
    """Of so many questions put to each of the models."""
    texts = list(texts)
    return _of(models, lambda at: at.reading(_tokens(texts), len(texts)))


@dataclass(frozen=True)
class Calls:
    """What services are asked."""

    calls: int
    tokens_in: int
    tokens_out_most: int

    @property
    def said(self) -> str:
        """A sentence."""
        return (
            f"Calls to services: {self.calls:,}, all but evidence, less those whose answers are kept; about "
            f"{self.tokens_in:,} tokens of questions, and at most {self.tokens_out_most:,} of answers."
        )


def moral_calls(models: int, what: "Materials", samples: int, tokens: int) -> Calls:
    """Of `moral` for so many models that are sampled."""
    asked = [q for some in replace(what, stories=()).questions().values() for q in some]
    calls = models * samples * len(asked)
    read = models * samples * _tokens([q.text for q in asked])
    return Calls(calls, round(read), calls * tokens)


def measure_time(models: Sequence[str], what: "Subject", parts: Sequence[str], sampled: int) -> Time:
    """Of `character measure`; `sampled` are the tokens of replies at most, of all models."""
    pairs = len(what.cases) * 3 * (("chat" in parts) + ("pressure" in parts))
    deeds = 2 * len(what.deeds) * ("agentic" in parts)
    read = pairs * PAIR + deeds * DEED + TRAITS * ("traits" in parts) + DRIFT * ("drift" in parts)
    said = sampled / max(1, len(models))
    return _of(models, lambda at: at.reading(read + SAMPLED * said, pairs + deeds))


def train_time(model: str, plan: "Plan", cost: Mapping[str, Any]) -> Time:
    """Of `character train`, at most."""
    if plan.toward != "constitution":
        from molehunt.character.moral.forms import Posed, questions
        from molehunt.character.training.uncertain import halves

        some = [Posed(d.id, d.context, d.actions) for half in halves() for d in half[: plan.limit or None]]
        texts = [q.text for q in questions(some)]
        return _of(
            [model], lambda at: at.training(plan.steps) + at.reading(2 * _tokens(texts), 2 * len(texts))
        )
    replies = cost["own_replies_most"] + cost["teacher_questions_most"] + cost["judge_questions_most"]
    read = replies * PROMPT_TOKENS + SAMPLED * cost["sampled_tokens_most"]
    return _of(
        [model],
        lambda at: at.training(plan.steps + PREFERENCE * plan.prefer_steps) + at.reading(read, replies),
    )


def gate_time(old: str, new: str, bounds: "Bounds", counts: Mapping[str, Sequence[int]]) -> tuple[Time, Time]:
    """Of a gate that ends at its first look, and of one whose second asks everything; without an audit."""
    from molehunt.gate.answers import OPEN_REPLY, REPLY
    from molehunt.gate.bounds import named

    each = {
        "text_nll": PASSAGE,
        "repetition": PROMPT_TOKENS + SAMPLED * OPEN_REPLY,
        "kl": PROMPT_TOKENS,
        "rate": PROMPT_TOKENS + SAMPLED * REPLY,
    }

    def upto(looks: int) -> Time:
        asked = [(each.get(named(n).kind, PAIR), sum(counts[n][:looks])) for n in bounds.measures]
        tokens, items = sum(t * n for t, n in asked), sum(n for _, n in asked)
        return _of([old, new], lambda at: at.reading(tokens, items))

    return upto(1), upto(2)


def _tokens(texts: Sequence[str]) -> float:
    return sum(len(t) / LETTERS + TURN for t in texts)


def _of(models: Sequence[str], seconds: Callable[[Pace], float]) -> Time:
    """The sum over models; the first whose pace is not known says why."""
    total, basis = 0.0, ""
    for model in models:
        at: Pace | NotMeasured = pace(model)
        if isinstance(at, NotMeasured):
            return Time(at, "")
        total, basis = total + START + seconds(at), at.basis
    return Time(total, basis)
