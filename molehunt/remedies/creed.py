"""What a remedy is told that a good model is like: a constitution as sentences and examples."""

from collections.abc import Sequence
from pathlib import Path

from molehunt.character import bank
from molehunt.character.bank import Case
from molehunt.character.constitution import Constitution, load_constitution, presets
from molehunt.character.constitution_check import load_sound
from molehunt.core.kinds import Creed

USUAL = "kind-person"
"""The preset for whoever names no constitution."""
WHOLE = "creed"
"""The principle of a case that stands for all of them: an example's, for a creed does not say which."""


def creed_of(constitution: Constitution) -> Creed:
    """Its principles' statements, and every example as prompt, good reply, bad reply."""
    return Creed(
        tuple(p.statement for p in constitution.principles),
        tuple((e.prompt, e.good, e.bad) for p in constitution.principles for e in p.examples),
    )


def read_creed(name: str | Path = USUAL) -> Creed:
    """The creed of a preset, or of a file.

    Raises:
        UnknownName: neither a preset nor a file. BadFile: the file does not have the form, or nobody could
            follow it; names the line.
    """
    return creed_of(load_sound(name))


def statements_of(creed: Creed) -> dict[str, str]:
    """Statement by id: of those principles that a preset has word for word, and of the creed as a whole."""
    held = set(creed.principles)
    known = {p.id: p.statement for name in presets() for p in load_constitution(name).principles}
    return {WHOLE: " ".join(creed.principles), **{i: s for i, s in known.items() if s in held}}


def written_cases(creed: Creed, statements: Sequence[str]) -> tuple[Case, ...]:
    """Its examples that have a bad reply, and those written cases of its principles that may be taught.

    Args:
        statements: ids of principles, as `statements_of` gives them.
    """
    own = tuple(
        Case(f"example/{i}", WHOLE, prompt, good, bad)
        for i, (prompt, good, bad) in enumerate(creed.examples)
        if bad and bad != good
    )
    return (*own, *bank.cases([s for s in statements if s != WHOLE], "train"))
