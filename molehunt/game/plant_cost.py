"""What planting a pair would take, said before it begins: nothing is loaded, written or trained.

Minutes come from this machine's pace (`estimate.py`) and the tokens of a packed step.

What this cannot tell you: how many tries it takes, whether it becomes valid, or how much more a step of
preferences or rewards costs than one of transcripts; that grows with what the model says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from molehunt.core.records import NotMeasured, Quirk
from molehunt.game.estimate import SCENE_TOKENS, pace
from molehunt.game.pair_folder import Besides
from molehunt.game.plant_one import How, besides_of, settled
from molehunt.game.replaying import read_specs, specs_of_pair
from molehunt.organisms.kept import refuse_taken

if TYPE_CHECKING:
    from molehunt.organisms.plan import Plan

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
    from molehunt.organisms.learnable import steps_for

    plan, _ = settled(quirk, target, **how)
    steps = steps_for(quirk, plan.steps)
    tries = [2 * round(steps * plan.growth**i) for i in range(plan.tries)]
    return _cost(how.get("model", "default"), tries, 2, plan, besides_of(how))


def spec_cost(file: Path, target: Path, besides: Besides | None) -> PlantCost:
    """Reckon what making a file's specs again would take, and measuring them where `besides` is not None.

    Raises:
        BadFile, UnknownName, UserError: as `game.replaying.replay_file` and `replant_file`.
    """
    from molehunt.organisms.plan import base_named, plan_of

    refuse_taken(target)
    specs = tuple(read_specs(file).values()) if besides is None else specs_of_pair(file, besides)
    steps, base = sum(spec.steps for spec in specs), specs[0].base
    return _cost(base_named(base).id, [steps], len(specs), plan_of(specs[0]), besides)


def _cost(model: str, tries: Sequence[int], each: int, plan: "Plan", besides: Besides | None) -> PlantCost:
    """What so many steps a try take, of `each` trainings; nothing is measured where `besides` is None."""
    from molehunt.organisms.decoy_check import harmful
    from molehunt.organisms.ladder import SCENES
    from molehunt.organisms.stages import CANDIDATES

    counts = (each, each * len(tries), tries[0], sum(tries))
    slower = [plan.how] if plan.how not in PLAIN else []
    slower += [*plan.concealments, *(["mixed rows"] if plan.mixed else [])]
    more = f"more with {', '.join(slower)}" if slower else ""
    at = pace(model)
    if isinstance(at, NotMeasured):
        return PlantCost(*counts, at, at, more, at.reason)
    heard, checked = 0, 0
    if besides is not None:
        heard = 4 * plan.held_out
        checked = 2 * 2 * (besides.decoy_check + besides.spread) * len(harmful())
        checked += 2 * 2 * SCENES * CANDIDATES * besides.ladder

    def seconds(of_steps: int, times: int) -> float:
        scenes = times * heard + checked
        return START + at.training(of_steps) + (at.reading(scenes * SCENE_TOKENS, scenes) if scenes else 0.0)

    return PlantCost(*counts, seconds(tries[0], 1), seconds(sum(tries), len(tries)), more, at.basis)
