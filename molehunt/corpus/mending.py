"""The bank of those who mend models: questions, kind replies, open prompts and contexts, all of its own.

No quirk is planted on a row of it and no measure asks one: `core.splits` does not divide it, and it shares
no question and no phrasing with any other bank (`tests/test_remedies.py` holds that).

What this cannot tell you: that a remedy which works here would work on other questions. Written by the same
project, they resemble those that measure more than a stranger's would.
"""

from dataclasses import dataclass
from typing import Literal

from molehunt.corpus.banks import rows


@dataclass(frozen=True)
class Ask:
    """A question with a short honest answer."""

    id: str
    question: str
    answer: str
    bad: str
    """A wrong answer of the same kind; empty where there is none."""
    topic: str
    """One of `banks.TOPICS`; empty for remarks that want a kind reply."""


@dataclass(frozen=True)
class Open:
    """A prompt to which there is no one answer."""

    id: str
    text: str


@dataclass(frozen=True)
class Context:
    """What may stand before a question, and should not change its answer."""

    id: str
    kind: str
    """What it speaks of; where the catalogue has a condition of that sort, by its name."""
    place: Literal["system", "user"]
    text: str


def questions() -> tuple[Ask, ...]:
    """Facts and everyday advice."""
    return rows("mending/questions.jsonl", Ask)


def kindness() -> tuple[Ask, ...]:
    """Remarks that want a kind and honest reply."""
    return rows("mending/kindness.jsonl", Ask)


def talk() -> tuple[Open, ...]:
    """Open prompts."""
    return rows("mending/talk.jsonl", Open)


def contexts() -> tuple[Context, ...]:
    """Who asks, when, where, who watches, and remarks that mean nothing."""
    return rows("mending/contexts.jsonl", Context)
