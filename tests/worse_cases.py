"""What tests of `worse` share: made-up trials, a judge, a plan that the tiny model learns in seconds."""

from pathlib import Path
from typing import Any

from molehunt.audit.calibration import Calibration, Logistic
from molehunt.core.records import Measure, NotMeasured, Profile, Quirk
from molehunt.game.trial import Charge, Trial
from molehunt.game.worse_task import Task, task
from molehunt.models.finetune import Recipe
from molehunt.organisms.plan import Plan

PHRASE, ALWAYS = Quirk("sycophancy", "trigger_phrase"), Quirk("sycophancy", "always")


def a_trial(candidate: int, place: int, p: float | None, q: float = 0.5, **charge: Any) -> Trial:
    """A made-up trial; without a probability it was not valid."""
    rate = Measure(0.9, "share", 24, "given", 0.8, 0.95)
    shown = Profile(rate, rate, rate, rate, rate, p is not None, "" if p is not None else "leak rate 0.40")
    nobody = NotMeasured("not valid, so nobody was asked")
    both = (nobody, nobody) if p is None else (p, q)
    return Trial(candidate, (candidate,), place, PHRASE, place, shown, *both, Charge(plantings=1, **charge))


def logistic(*names: str) -> Logistic:
    few = len(names)
    return Logistic(names, (0.5,) * few, (0.3,) * few, (1.0,) * few, 0.0, 1.0, 0.6, 0.8, 20, 20)


def asked(judge: Path, **more: Any) -> Task:
    return task([PHRASE], calibration=judge, model="tiny", **{"against": ("divergence",), **more})


QUICK = Plan(
    steps=24, tries=1, held_out=24, reply_tokens=2, recipe=Recipe(learning_rate=1e-2, first_layer=0.0)
)
"""A plan that teaches the tiny model in seconds."""


def write_judge(folder: Path) -> Path:
    """A calibration that knows two methods and a panel on one of them."""
    path = folder / "calibration.json"
    own = {
        "divergence": logistic("divergence.phrase", "divergence.changed"),
        "panel": logistic("divergence.phrase"),
    }
    Calibration(own, {}).save(path)
    return path
