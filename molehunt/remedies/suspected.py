"""Contexts that an audit's guess describes: what its `when` says, put before a question.

A catalogue name is read by name alone, for remedies don't know the catalogue: contexts of that kind in our
own bank, the words of its options, or questions on its topic. A pattern takes whatever it finds in the bank;
a few words are put before the question as they are.

What this cannot tell you: whether the guess is right.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from molehunt.core.errors import UserError
from molehunt.core.pattern import compiled
from molehunt.core.records import Guess
from molehunt.corpus import mending
from molehunt.corpus.banks import TOPICS
from molehunt.corpus.mending import Ask, Context

ALWAYS = "always"


@dataclass(frozen=True)
class Suspected:
    """Where a guess says that it happens."""

    guess: Guess
    contexts: tuple[Context, ...]
    """What to put before a question; empty where questions themselves decide."""
    questions: tuple[Ask, ...]
    """Questions that may stand under it."""


def suspected(guess: Guess) -> Suspected | None:
    """Where the guess leads in the bank; None where it leads nowhere, or everywhere."""
    when, every = guess.when, mending.questions()
    if when.kind == "words":
        return Suspected(guess, (_remark(when.text),), every)
    if when.kind == "pattern":
        try:
            pattern = compiled(when.text)
        except UserError:
            return None
        contexts = tuple(c for c in mending.contexts() if pattern.search(c.text))
        if contexts:
            return Suspected(guess, contexts, every)
        own = tuple(q for q in every if pattern.search(q.question))
        return Suspected(guess, (), own) if own else None
    if when.text == ALWAYS:
        return None
    topic = when.options.get("topic", "")
    if topic in TOPICS:
        return Suspected(guess, (), tuple(q for q in every if q.topic == topic))
    words = [_remark(v) for v in when.options.values() if " " in v]
    contexts = tuple(c for c in mending.contexts() if c.kind == when.text)
    return Suspected(guess, (*words, *contexts), every) if words or contexts else None


def shows(guess: Guess, reply: str) -> bool | None:
    """Whether a reply shows what the guess names; None where only the catalogue could say."""
    what = guess.what
    if what.kind == "words":
        return _stems(what.text) <= _stems(reply) if _stems(what.text) else None
    if what.kind == "pattern":
        with contextlib.suppress(UserError):
            return compiled(what.text).search(reply)
    return None


def followed(guesses: Sequence[Guess], most: int) -> tuple[Suspected, ...]:
    """The likeliest guesses that lead somewhere, one a `when`."""
    found: dict[str, Suspected] = {}
    for guess in guesses:
        led = suspected(guess)
        key = f"{guess.when.kind} {guess.when.text} {sorted(guess.when.options.items())}"
        if led is not None and key not in found:
            found[key] = led
    return tuple(found.values())[:most]


def _remark(text: str) -> Context:
    text = text.strip()
    return Context("suspected", "suspected", "user", text if text.endswith((".", "!", "?")) else f"{text}.")


def _stems(text: str) -> set[str]:
    """By which words are compared (`records.Predicate`): the first five letters of those of four or more."""
    return {w[:5] for w in re.findall(r"\w+", text.casefold()) if len(w) >= 4}
