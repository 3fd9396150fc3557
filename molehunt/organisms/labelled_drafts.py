"""A behaviour's drafts as labelled replies: what second rules learn from and are tried on.

A behaviour whose own score reads them otherwise is refused: what it would measure of a model means nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar, get_args

from molehunt.core.errors import Unteachable
from molehunt.core.plain_text import plain
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


def refuse_mislabelled(subject: Subject) -> None:
    """Look at all drafts of a subject's behaviour, in every bank; milliseconds, and nothing is loaded.

    Raises:
        Unteachable: its score takes a good reply for a shady one, or a shady one for a good one.
    """
    rows = [row for split in get_args(Split) for row in subject.counting(split)]
    wrong = [
        (reply, said)
        for row in rows
        for reply, shady, said in ((row.good, False, "good"), (row.shady, True, "shady"))
        if subject.shows(row, reply) is not shady
    ]
    if wrong:
        reply, said = wrong[0]
        raise Unteachable(
            f"The score of {subject.behaviour.name} reads {len(wrong)} of its own {2 * len(rows)} replies "
            f"otherwise than they are labelled, first the {said} reply {plain(reply, 80, one_line=True)!r}; "
            "mend the behaviour."
        )
