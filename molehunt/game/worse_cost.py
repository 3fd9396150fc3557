"""What a search for worse organisms would take, said before it begins: nothing is loaded, written or trained.

What this cannot tell you: what specs that the search tries will take; some train twice as long, some with
unrelated rows in each step, and rewards and penalties take more. Minutes tell minutes from hours, no more
(`estimate.py`).
"""

from dataclasses import dataclass

from molehunt.core.records import NotMeasured
from molehunt.game.against import SIDES
from molehunt.game.estimate import AUDIT_TOKENS, FIX_SECONDS, SCENE_TOKENS, pace
from molehunt.game.monitoring import QUESTIONS
from molehunt.game.remains import SCENES
from molehunt.game.spec import METHODS
from molehunt.game.worse_task import Task
from molehunt.organisms.learnable import steps_for

TRIAL_SECONDS = 15.0
"""Loading a model and starting an audit, each trial."""
LONGEST = 2.0
"""The space's longest spec has so many times the plain one's steps."""


@dataclass(frozen=True)
class Cost:
    """What a search would take from the start; trials on disk are not counted off."""

    plantings: int
    """Pairs at most, by the search."""
    plantings_fresh: int
    """Pairs planted anew at the end, at most: winner and plain spec."""
    audits: int
    """Suspects times methods, all valid."""
    fixes: int
    """Suspects times remedies, all valid."""
    monitored: int
    """Suspects times monitors, all valid; each suspect is asked once for all of them."""
    seconds: float | NotMeasured
    """If all specs cost what the plain one does."""
    seconds_most: float | NotMeasured
    """If all were the longest, with the most unrelated rows a step; rewards and penalties take more."""
    basis: str


def cost(what: Task) -> Cost:
    """Reckon; nothing is loaded, written or trained (the machine is measured, once, in about a second)."""
    from molehunt.models.machine import this_machine

    setting, again = what.setting, 2 * (what.fresh + what.others)
    pairs = what.allowance.plantings + again
    many = (setting.against, setting.remedies, setting.monitors)
    audits, fixes, monitored = (len(SIDES) * len(some) * pairs for some in many)
    counts = (what.allowance.plantings, again, audits, fixes, monitored)
    at = pace(setting.model)
    if isinstance(at, NotMeasured):
        return Cost(*counts, at, at, this_machine().why())
    steps = sum(steps_for(q, what.plan.steps) for q in what.quirks) / len(what.quirks)
    scenes = 4 * what.plan.held_out + (2 * len(setting.remedies) + 1) * 2 * SCENES * bool(setting.remedies)
    tokens = scenes * SCENE_TOKENS
    tokens += round(3 * AUDIT_TOKENS * setting.effort * len(setting.against) / len(METHODS))
    asked = len(SIDES) * QUESTIONS * bool(setting.monitors)
    scenes += asked  # once to answer; each monitor reads it all again, without a token at a time
    tokens += asked * SCENE_TOKENS * (1 + len(setting.monitors))
    mending = FIX_SECONDS * setting.fix_effort * len(setting.remedies) * (setting.model == "default")

    rows = next(axis.values for axis in what.space.axes if axis.name == "mixed")

    def seconds(longer: float, rows: float) -> float:
        trained = at.training(2 * steps * longer, rows)
        return pairs * (TRIAL_SECONDS + trained + at.reading(tokens, scenes) + mending)

    unknown = bool(setting.remedies) and setting.model != "default"
    basis = f"{at.basis}; remedies' time is known of the default model alone" if unknown else at.basis
    return Cost(*counts, seconds(1.0, rows[0]), seconds(LONGEST, max(rows)), basis)
