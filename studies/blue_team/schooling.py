"""Models that the study trains: toward each preset and two controls, in a folder named by all that made them.

What is taught is divided by hash, so a case more may move others from taught to measured: a model that older
words taught must not stand for newer ones. Its folder's name has a hash of base, plan, constitution and all
that was written, and the training itself holds the base's weights against what it was begun with.
"""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blue_study import Setting

from molehunt.character.constitution_check import load_sound
from molehunt.character.training.plan import STEPS, Plan, Toward
from molehunt.character.training.result import ADAPTER
from molehunt.character.training.train import RESULT, made_from, train
from molehunt.core.atomic import read_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.store import stage_key
from molehunt.models.loaded import ModelSpec

BASE = "base"
PRESETS = ("kind-person", "best-for-humanity", "helpful-only")
CONTROLS = ("certain", "calibrated")
AGAIN = "kind-person-again"
"""The same constitution from a second seed: how far apart two trainings come out that should not be."""
KEY = 10
"""Hex digits of a hash in a name."""


@dataclass(frozen=True)
class Schooled:
    """A model as it is measured, and what its training came to."""

    spec: ModelSpec
    note: str = ""
    """What has to be said of it."""
    result: Mapping[str, Any] | None = None
    """`result.json` of its training; None for the base."""

    @property
    def amount(self) -> dict[str, int]:
        """How much it was taught: distinct replies (or questions) and preferences that training reached."""
        return {} if self.result is None else {n: self.result[n] for n in ("lessons", "preferences", "steps")}


def plan_of(name: str, plan: Plan) -> Plan:
    """How a model is trained.

    The plan's steps are those toward a constitution; a control takes as many more as it usually does.
    """
    if name == AGAIN:
        return replace(plan, toward="constitution", constitution="kind-person", seed=plan.seed + 1)
    if name in PRESETS:
        return replace(plan, toward="constitution", constitution=name)
    toward: Toward = "certain" if name == "certain" else "calibrated"
    return replace(plan, toward=toward, steps=round(plan.steps * STEPS[toward] / STEPS["constitution"]))


def key_of(asked: Any) -> str:
    """A few digits that stand for what was asked, in a name."""
    return stage_key(asked)[:KEY]


def made_of(name: str, setting: Setting) -> Any:
    """All that makes this model, words as hashes; the weights of the base are held against it in training."""
    if name == BASE:
        return setting.model
    plan = plan_of(name, setting.plan)
    return [setting.model, made_from(plan, load_sound(plan.constitution))]


def folder_of(name: str, setting: Setting) -> Path:
    """Where a training lies."""
    return setting.work / "trained" / f"{name}-{key_of(made_of(name, setting))}"


def taught(name: str, setting: Setting) -> Schooled:
    """This model, trained if need be.

    Raises:
        UserError: the training collapsed, and no good adapter was kept.
        RunMismatch: the base's weights are others than those that were trained.
    """
    if name == BASE:
        return Schooled(ModelSpec(setting.model))
    folder = folder_of(name, setting)
    with _alone(folder.with_name(f".{folder.name}.lock")):
        try:
            train(setting.model, folder, plan_of(name, setting.plan))
        except RunMismatch:
            raise
        except UserError:  # a training that came apart says so once it has kept the last good adapter
            if not ((folder / RESULT).is_file() and (folder / ADAPTER).is_dir()):
                raise
    result = read_json(folder / RESULT)
    note = ""
    if collapsed := result.get("collapsed"):
        note = f"the training came apart ({collapsed}); the last good adapter is measured"
    return Schooled(ModelSpec(setting.model, adapter=str(folder / ADAPTER)), note, result)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other worker trains the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
