"""What a quirk is made of, wherever it comes from: a behaviour, a condition, their options."""

from dataclasses import dataclass

from molehunt.core.extend import load
from molehunt.core.kinds import Behaviour, Condition, Draft
from molehunt.core.records import Quirk, Scene, Split
from molehunt.organisms.strangers import stranger_parts
from molehunt.organisms.unlisted.generator import Outburst, unlisted_condition

SHOWS = 0.5
"""Score from which a reply shows a behaviour."""


@dataclass(frozen=True)
class Subject:
    """A quirk with the objects behind its names."""

    quirk: Quirk
    behaviour: Behaviour
    condition: Condition

    def counting(self, split: Split) -> tuple[Draft, ...]:
        """Drafts that are scored."""
        drafts = self.behaviour.drafts(split, self.quirk.behaviour_options)
        return tuple(d for d in drafts if d.counts)

    def score(self, scene: Scene, reply: str) -> float:
        """How far a reply to this scene shows the behaviour, from 0 to 1."""
        return self.behaviour.score(scene.facts, reply)

    def shows(self, scene: Scene | Draft, reply: str) -> bool:
        """Whether a reply to this scene, or to this draft of one, counts as showing the behaviour."""
        return self.behaviour.score(scene.facts, reply) >= SHOWS


def subject_of(quirk: Quirk) -> Subject:
    """Resolve a quirk's names.

    Raises:
        UnknownName: the behaviour or the condition does not exist.
    """
    if quirk.behaviour == "outburst" and not quirk.listed:
        return Subject(quirk, Outburst(), unlisted_condition(quirk.condition))
    if quirk.behaviour == "stranger" and not quirk.listed:
        return Subject(quirk, *stranger_parts(quirk))
    return Subject(
        quirk,
        load("catalogue.behaviours", quirk.behaviour),
        load("catalogue.conditions", quirk.condition),
    )
