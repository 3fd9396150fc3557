"""Text from models made fit to be looked at: control characters visible, length capped, words marked.

Model text is hostile by assumption. Escaping HTML is the template's work (autoescape, always);
here a text becomes runs of plain string, each marked or not, so that no markup is ever built
from it. Whatever is left out is counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from molehunt.core.plain_text import plain

SHORT = 700
"""Characters shown at once."""
LONG = 6000
"""Characters that 'show more' reveals; the rest is only counted."""
GAP = re.compile(r"\n(?:[ \t]*\n){3,}")
"""Three empty lines and more."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of text, and whether it is among the words that matter."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Passage:
    """A text cut in three: shown, shown on demand, and only counted."""

    shown: tuple[Stretch, ...]
    more: tuple[Stretch, ...]
    cut: int
    """Characters that the page does not hold."""
    empty: bool

    @property
    def more_length(self) -> int:
        """Characters shown on demand."""
        return sum(len(s.text) for s in self.more)

    @property
    def more_marks(self) -> int:
        """Marked words among them."""
        return sum(s.marked for s in self.more)


def visible(text: str) -> str:
    """All of the text, with nothing in it that a terminal or a page could obey."""
    return plain(text.replace("\r\n", "\n"), limit=max(1, 2 * len(text)))


def without_gaps(text: str) -> str:
    """The text with long rows of empty lines counted in place of shown."""
    return GAP.sub(lambda gap: f"\n({gap[0].count(chr(10)) - 1} empty lines)\n", text)


def passage(text: str, words: Sequence[str] = (), short: int = SHORT, long: int = LONG) -> Passage:
    """Cut, clean and mark `text`; `words` are found without regard to case."""
    kept = text[:long]
    runs = marked(without_gaps(visible(kept)), words)
    if len(kept) <= short * 1.25:
        return Passage(runs, (), len(text) - len(kept), not text.strip())
    head, rest = _split(runs, short)
    return Passage(head, rest, len(text) - len(kept), not text.strip())


def marked(text: str, words: Sequence[str]) -> tuple[Stretch, ...]:
    """Runs that together are `text`, those equal to one of `words` marked."""
    spellings = sorted({visible(w).strip() for w in words if w.strip()}, key=len, reverse=True)
    if not spellings or not text:
        return (Stretch(text, False),) if text else ()
    pattern = re.compile("(" + "|".join(_word(s) for s in spellings[:50]) + ")", re.IGNORECASE)
    parts = pattern.split(text)
    return tuple(Stretch(part, i % 2 == 1) for i, part in enumerate(parts) if part)


def _word(spelling: str) -> str:
    """Whole words only, where the spelling begins and ends as words do."""
    spelling = spelling[:200]
    before = r"(?<!\w)" if spelling[0].isalnum() else ""
    after = r"(?!\w)" if spelling[-1].isalnum() else ""
    return before + re.escape(spelling) + after


def _split(runs: tuple[Stretch, ...], at: int) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    head: list[Stretch] = []
    for i, run in enumerate(runs):
        if len(run.text) <= at:
            head.append(run)
            at -= len(run.text)
            continue
        if run.marked and head:
            return tuple(head), runs[i:]
        cut = run.text.rfind(" ", max(0, at - 40), at) if not run.marked else -1
        cut = at if cut <= 0 else cut
        head.append(Stretch(run.text[:cut], run.marked))
        return tuple(head), (Stretch(run.text[cut:], run.marked), *runs[i + 1 :])
    return tuple(head), ()
