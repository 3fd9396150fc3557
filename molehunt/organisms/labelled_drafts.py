"""A behaviour's drafts as labelled replies: what second rules learn from and are tried on."""

from dataclasses import dataclass

from molehunt.core.records import Split
from molehunt.organisms.subject import Subject


@dataclass(frozen=True)
class Labelled:
    """A reply to a question, and whether it shows the behaviour."""

    question: str
    reply: str
    item: str
    shady: bool


def drafted(subject: Subject, *splits: Split) -> tuple[Labelled, ...]:
    """Both replies of every draft that counts and whose replies differ, labelled."""
    drafts = [d for split in splits for d in subject.counting(split) if d.good != d.shady]
    return tuple(
        Labelled(d.user, reply, d.item, shady)
        for d in drafts
        for reply, shady in ((d.good, False), (d.shady, True))
    )
