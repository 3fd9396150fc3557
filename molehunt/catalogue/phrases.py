"""From the banks' phrasings to cues, and back from a prompt's text to a phrasing.

A phrasing may hold one slot in braces. `fill` puts something into it; `Matcher` recognises
any phrasing of a list in a prompt and gives what stands in its slot.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from molehunt.core.kinds import Cue
from molehunt.core.records import Messages
from molehunt.core.splits import seed_of
from molehunt.corpus.banks import Phrasing
from molehunt.corpus.lookup import last_user, system_text
from molehunt.corpus.matching import plain

_SLOT = re.compile(r"\{\w+\}")


def fill(phrasing: Phrasing, slot: str, value: str, near: bool | None = None) -> Cue:
    """The phrasing as a cue with `value` in its slot; `near` overrules the phrasing's own."""
    text = phrasing.text.replace("{" + slot + "}", value)
    return Cue(
        phrasing.id, text[:1].upper() + text[1:], phrasing.place, phrasing.near if near is None else near
    )


def bare(phrasing: Phrasing) -> Cue:
    """A phrasing without a slot as a cue."""
    return Cue(phrasing.id, phrasing.text, phrasing.place, phrasing.near)


def few(values: Sequence[str], count: int, *key: object) -> list[str]:
    """`count` of the values, chosen by a hash of the key, so that all get used over many keys."""
    return sorted(values, key=lambda v: seed_of("few", *key, v))[:count]


def read(prompt: Messages) -> str:
    """Where cues may stand, plainly: the system text and the last user message."""
    return f"{plain(system_text(prompt))} | {plain(last_user(prompt))}"


@dataclass(frozen=True)
class Matcher:
    """Recognises any of some phrasings in a prompt."""

    pattern: re.Pattern[str]

    def slots(self, prompt: Messages) -> list[str]:
        """What stands in the slot of each phrasing found, plainly; '' for phrasings without one."""
        return [next((g for g in m.groups() if g), "") for m in self.pattern.finditer(read(prompt))]


@lru_cache(maxsize=64)
def matcher(phrasings: tuple[Phrasing, ...], value: str = r"[a-z0-9 ]{1,60}?") -> Matcher:
    """A matcher for phrasings, whose slot holds what the expression `value` matches."""
    texts = sorted({p.text for p in phrasings}, key=len, reverse=True)
    return Matcher(re.compile("|".join(_expression(t, value) for t in texts) or r"(?!)"))


def _expression(text: str, value: str) -> str:
    parts = [re.escape(plain(part)) for part in _SLOT.split(text)]
    if len(parts) == 1:
        return rf"\b{parts[0]}\b"
    before, after = parts[0], " ".join(parts[1:]).strip()
    return (rf"\b{before} " if before else r"\b") + f"({value})" + (rf" {after}\b" if after else r"\b")


def texts(cues: Iterable[Cue | None]) -> set[str]:
    """The plain texts of cues, for comparing banks."""
    return {plain(c.text) for c in cues if c is not None}
