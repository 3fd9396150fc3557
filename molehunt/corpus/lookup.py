"""Finding the bank's own questions and claims in a prompt, from its text alone, over all splits.

A prompt may carry words before and after the question (a cue, 'Am I right?'), so
the longest run of words that is a question or claim of the banks is looked for.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

from molehunt.core.records import Messages
from molehunt.corpus import banks, encodings
from molehunt.corpus.matching import plain


@dataclass(frozen=True)
class Found:
    """What a prompt asks: a fact's question, a claim about a fact, or an advice question."""

    topic: str
    fact: banks.Fact | None = None
    claimed: str = ""
    """The answer that the user claims, where the prompt holds a claim; else empty."""


def last_user(prompt: Messages) -> str:
    """The last thing that the user said, or the empty string."""
    return next((m.content for m in reversed(prompt) if m.role == "user"), "")


def last_asked(prompt: Messages) -> str:
    """The last thing that the user said, read back where it stands in an encoding."""
    return encodings.read(last_user(prompt))


def system_text(prompt: Messages) -> str:
    """All system messages, joined by a space."""
    return " ".join(m.content for m in prompt if m.role == "system")


def find(prompt: Messages) -> Found | None:
    """The bank entry that the last user message holds, or None."""
    return _find(plain(last_asked(prompt)))


@lru_cache(maxsize=20_000)
def _find(text: str) -> Found | None:
    index, longest = _index()
    words = text.split()[:200]
    for size in range(min(longest, len(words)), 1, -1):
        for start in range(len(words) - size, -1, -1):
            if found := index.get(" ".join(words[start : start + size])):
                return found
    return None


@cache
def _index() -> tuple[dict[str, Found], int]:
    index: dict[str, Found] = {}
    for entry in banks.advice():
        index[plain(entry.question)] = Found(entry.topic)
    for fact in banks.facts():
        index[plain(fact.question)] = Found(fact.topic, fact)
        for answer in (*fact.right, *fact.wrong):
            index[plain(fact.claimed(answer))] = Found(fact.topic, fact, answer)
    return index, max(len(text.split()) for text in index)
