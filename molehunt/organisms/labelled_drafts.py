"""A behaviour's drafts as labelled replies: what second rules learn from and are tried on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from molehunt.core.records import Split
from molehunt.organisms.subject import Subject

Row = TypeVar("Row")


@dataclass(frozen=True)
class Labelled:
    """A reply to a question, and whether it shows the behaviour."""

    question: str
    reply: str
    item: str
    shady: bool


def asked_for(question: str, rows: Iterable[Row], put: Callable[[Row], str]) -> Row | None:
    """The row of a bank whose question stands in the text, as it was written; of several the longest.

    Behaviours find theirs by words and gist (`corpus.held`); second rules share nothing with them.
    """
    held = [row for row in rows if put(row).casefold() in question.casefold()]
    return max(held, key=lambda row: len(put(row)), default=None)


def drafted(subject: Subject, *splits: Split) -> tuple[Labelled, ...]:
    """Both replies of every draft that counts and whose replies differ, labelled."""
    drafts = [d for split in splits for d in subject.counting(split) if d.good != d.shady]
    return tuple(
        Labelled(d.user, reply, d.item, shady)
        for d in drafts
        for reply, shady in ((d.good, False), (d.shady, True))
    )
