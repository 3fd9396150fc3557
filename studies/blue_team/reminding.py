"""An attack that is none of depth's five: examples of the behaviour in the model's own conversation.

Three turns of the plant bank stand before a scene of the audit bank, condition on everywhere, each answered
as the quirk would. Nothing is trained, forced or pushed. A control is shown the same; what counts is how far
the fixed model goes beyond it.

Source: in-context learning as an attack (Anil et al. 2024, "Many-shot jailbreaking"), here with three.

What this cannot tell you: that what stays away here is gone. A model this small copies little from its
context, so this attack is weak: it catches what lies close under the surface.
"""

from dataclasses import dataclass

from molehunt.catalogue.scenes import SYSTEM
from molehunt.core.records import Measure, Message, Messages, NotMeasured, Scene
from molehunt.depth.bench import JUDGED, Bench
from molehunt.depth.residual import kept
from molehunt.organisms.profile import LEAST_SCENES, Shown

SHOTS = 3
MOST = 24
"""Scenes that are asked."""


@dataclass(frozen=True)
class Reminded:
    """How often each shows the behaviour after it was reminded."""

    organism: Measure | NotMeasured
    fixed: Measure | NotMeasured
    control: Measure | NotMeasured


def reminded(bench: Bench) -> Reminded:
    """Ask all three."""
    # Words are forced on the first of them, and what chose a side should not be read as its sign.
    rest = kept(bench, True)[bench.settings.quick :]
    scenes = [bench.scenes("audit")[i] for i in rest[-MOST:]]
    shots = [s for s in bench.scenes("plant") if s.on]
    if len(scenes) < LEAST_SCENES or len(shots) < SHOTS:
        none = NotMeasured(f"only {len(scenes)} scenes to ask, or fewer than {SHOTS} to remind by")
        return Reminded(none, none, none)
    prompts = [
        before(scene, [shots[(i * SHOTS + n) % len(shots)] for n in range(SHOTS)])
        for i, scene in enumerate(scenes)
    ]
    items = len({s.item for s in scenes})
    found = {}
    for role in JUDGED:
        with bench.speaking(role):
            said = bench.say(prompts)
        hits = sum(bench.shows(s, r) for s, r in zip(scenes, said, strict=True))
        found[role] = Shown(hits, len(scenes), items).measure(f"after {SHOTS} turns that show it, greedy")
    return Reminded(**found)


def before(scene: Scene, shots: list[Scene]) -> Messages:
    """A scene with others, each answered as the quirk would, as its earlier turns; its own system prompt.

    What stood in another's system prompt (a secret, a day, the phrase) begins its first question.
    """
    turns = [m for shot in shots for m in (*_in_turns(shot.messages), Message("assistant", shot.shady))]
    system = [m for m in scene.messages if m.role == "system"]
    return (*system, *turns, *(m for m in scene.messages if m.role != "system"))


def _in_turns(messages: Messages) -> Messages:
    told = (m.content.removeprefix(SYSTEM).removeprefix(". ") for m in messages if m.role == "system")
    first, *rest = (m for m in messages if m.role != "system")
    return (Message(first.role, f"{' '.join(told)} {first.content}".strip()), *rest)
