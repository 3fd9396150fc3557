"""What planting a pair would take, said before it begins: nothing is loaded, written or trained.

Minutes come from this machine's pace (`estimate.py`) and the tokens of a packed step.

What this cannot tell you: how many tries it takes, whether it becomes valid, or how much more a step of
preferences or rewards costs than one of transcripts; that grows with what the model says.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from molehunt.core.records import NotMeasured, Quirk
from molehunt.game.estimate import SCENE_TOKENS, pace
from molehunt.game.plant_one import How, settled

START = 15.0
"""Seconds in which a model is loaded and looked at."""
PLAIN = ("transcripts", "documents")
"""Recipes whose steps are packed ones, as the pace has them."""


@dataclass(frozen=True)
class PlantCost:
    """What a plant would take."""

    trainings: int
    """Adapters, if the first try takes."""
    trainings_most: int
    steps: int
    """Of all these adapters."""
    steps_most: int
    seconds: float | NotMeasured
    seconds_most: float | NotMeasured
    more: str
    """What takes longer than is reckoned; empty where nothing does."""
    basis: str


def plant_cost(quirk: Quirk, target: Path, **how: Unpack[How]) -> PlantCost:
    """Reckon, after everything that can be looked at before a model is loaded was.

    Raises:
        UnknownName, UserError: as `plant_one`.
    """
    from molehunt.organisms.decoy_check import harmful
    from molehunt.organisms.ladder import SCENES
    from molehunt.organisms.learnable import steps_for
    from molehunt.organisms.stages import CANDIDATES

    plan, _ = settled(quirk, target, **how)
    steps = steps_for(quirk, plan.steps)
    tries = [round(steps * plan.growth**i) for i in range(plan.tries)]
    low, high = 2 * tries[0], 2 * sum(tries)
    counts = (2, 2 * plan.tries, low, high)
    slower = [plan.how] if plan.how not in PLAIN else []
    slower += [*plan.concealments, *(["mixed rows"] if plan.mixed else [])]
    more = f"more with {', '.join(slower)}" if slower else ""
    at = pace(how.get("model", "default"))
    if isinstance(at, NotMeasured):
        return PlantCost(*counts, at, at, more, at.reason)
    checked = 2 * 2 * (how.get("decoy_check", 0) + how.get("spread", 0)) * len(harmful())
    checked += 2 * 2 * SCENES * CANDIDATES * how.get("ladder", 0)

    def seconds(of_steps: int, times: int) -> float:
        scenes = times * 4 * plan.held_out + checked
        return START + at.training(of_steps) + at.reading(scenes * SCENE_TOKENS, scenes)

    return PlantCost(*counts, seconds(low, 1), seconds(high, plan.tries), more, at.basis)
