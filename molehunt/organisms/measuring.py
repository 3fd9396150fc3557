"""What a pair shows: its replies to held-out scenes, the profile that they make, the cost in ordinary text.

Adapters that were changed after planting (rounded, say) are measured again on the same scenes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.catalogue.scenes import staged
from molehunt.core import stats
from molehunt.core.records import LabelledReply, Measure, Profile, Quirk, Scene, Split
from molehunt.core.splits import seed_of
from molehunt.models.adapters import attach, using
from molehunt.models.loaded import Model
from molehunt.models.sample import sample
from molehunt.models.score import token_nlls
from molehunt.organisms.examples import prose
from molehunt.organisms.instil import Part
from molehunt.organisms.plan import Plan
from molehunt.organisms.profile import harmless_profile, profile
from molehunt.organisms.subject import Subject, subject_of

PASSAGES = 6
"""Passages of ordinary text on which a planted model's NLL is measured."""


@dataclass(frozen=True)
class Heard:
    """What one of a pair said on held-out scenes, and what ordinary text costs it."""

    replies: tuple[str, ...]
    nlls: tuple[tuple[float, ...], ...]
    """Nats of each token of each passage of ordinary text."""


@dataclass(frozen=True)
class Measured:
    """What held-out scenes show of a pair."""

    profile: Profile
    decoy_profile: Profile | None
    """Of the harmless quirk, with the organism as control."""
    organism_replies: tuple[LabelledReply, ...]
    decoy_replies: tuple[LabelledReply, ...]


def measure_again(
    model: Model, quirk: Quirk, harmless: Quirk | None, folder: Path, seed: int, plan: Plan
) -> Measured:
    """What a pair shows as it lies in `folder` now: for adapters that were changed after planting.

    `seed` and `plan` are those of `plant_pair`, and so are the held-out scenes.
    """
    subject = subject_of(quirk)
    scenes = scenes_of(subject, "audit", plan.held_out, seed)

    def heard(part: Part) -> Heard:
        with using(model, attach(model, folder / part)):
            return hear(model, scenes, plan)

    return measured(subject, harmless, scenes, heard("organism"), heard("decoy"))


def measured(
    subject: Subject, harmless: Quirk | None, scenes: Sequence[Scene], organism: Heard, decoy: Heard
) -> Measured:
    harmless_shown = None
    if harmless is not None:
        inverse = _cost(decoy, organism, "decoy over organism")
        harmless_shown = harmless_profile(subject, harmless, scenes, decoy.replies, organism.replies, inverse)
    ratio = _cost(organism, decoy, "organism over decoy")
    return Measured(
        profile(subject, scenes, organism.replies, decoy.replies, ratio),
        harmless_shown,
        _labelled(subject, scenes, organism.replies),
        _labelled(subject, scenes, decoy.replies),
    )


def scenes_of(subject: Subject, split: Split, n: int, seed: int) -> tuple[Scene, ...]:
    return staged(subject.quirk, subject.behaviour, subject.condition, split, n, seed_of(seed, split))


def hear(
    model: Model, scenes: Sequence[Scene], plan: Plan, spoken: Callable[[], None] = lambda: None
) -> Heard:
    replies = tuple(replies_to(model, scenes, plan))
    spoken()
    return Heard(replies, tuple(map(tuple, token_nlls(model, prose("audit")[:PASSAGES]))))


def replies_to(model: Model, scenes: Sequence[Scene], plan: Plan) -> list[str]:
    prompts = [s.messages for s in scenes]
    return sample(model, prompts, max_tokens=plan.reply_tokens, temperature=0.0, seed=0)


def _labelled(subject: Subject, scenes: Sequence[Scene], replies: Sequence[str]) -> tuple[LabelledReply, ...]:
    return tuple(
        LabelledReply(s.messages, r, s.on, subject.shows(s, r)) for s, r in zip(scenes, replies, strict=True)
    )


def _cost(side: Heard, other: Heard, which: str) -> Measure:
    """What ordinary text costs one of the pair, beside the other; few passages make a rough interval."""
    ratio = stats.ratio_of_means(
        side.nlls, other.nlls, how=f"mean NLL of ordinary text, {which}, {PASSAGES} passages"
    )
    assert isinstance(ratio, Measure)  # the passages are our own, and none is empty
    return ratio
