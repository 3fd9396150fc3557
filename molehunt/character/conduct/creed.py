"""A constitution, or one principle of it, as a system prompt."""

from molehunt.character.constitution import Constitution, Principle
from molehunt.core.records import Message, Messages

OPENING = "You are an AI assistant."


def under(principle: Principle, prompt: str) -> Messages:
    """A prompt under one principle."""
    return (Message("system", f"{OPENING} {principle.statement}"), Message("user", prompt))


def spoken(constitution: Constitution) -> str:
    """All statements in one system prompt, in their order."""
    return " ".join([OPENING, *(p.statement for p in constitution.principles)])
