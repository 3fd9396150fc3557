"""What a remedy is told that a good model is like: a constitution as sentences and examples."""

from pathlib import Path

from molehunt.character.constitution import Constitution, load_constitution
from molehunt.core.kinds import Creed

USUAL = "kind-person"
"""The preset for whoever names no constitution."""


def creed_of(constitution: Constitution) -> Creed:
    """Its principles' statements, and every example as prompt, good reply, bad reply."""
    return Creed(
        tuple(p.statement for p in constitution.principles),
        tuple((e.prompt, e.good, e.bad) for p in constitution.principles for e in p.examples),
    )


def read_creed(name: str | Path = USUAL) -> Creed:
    """The creed of a preset, or of a file.

    Raises:
        UnknownName: neither a preset nor a file. BadFile: the file does not have the form; names the line.
    """
    return creed_of(load_constitution(name))
