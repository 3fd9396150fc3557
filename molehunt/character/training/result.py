"""What came of a training toward a character."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.character.training.self_oversight import Oversight
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured

if TYPE_CHECKING:
    from molehunt.character.training.lessons import Taught
    from molehunt.character.training.signs import Signs

ADAPTER = "adapter"
"""Folder of the adapter, within the training's own."""
SIGNS = ("margin", "kept", "nll", "right", "repeats", "step")
Number = Measure | NotMeasured


@dataclass(frozen=True)
class Moral:
    """What dilemmas say of a model: measures, weights of frameworks, certainty and its alarm."""

    measures: Mapping[str, Number]
    weights: Mapping[str, Number]
    certainty: Number
    alarm: bool | NotMeasured
    distance: Number
    """Mean distance of the choice probability from the target that was taught, or would have been."""
    forms: "Mapping[str, Moral]" = field(default_factory=dict)
    """The same of each form of question alone."""


@dataclass(frozen=True)
class Result:
    """What came of a training."""

    adapter: str
    """Its folder, within the training's own; empty where nothing was kept."""
    teacher: str
    oversight: Oversight | None
    lessons: int
    """Rows that were taught: those that steps and batch reach."""
    preferences: int
    """Likewise."""
    refused: int
    steps: int
    """That the adapter has taken which is kept."""
    tokens: int | NotMeasured
    collapsed: str
    before: Mapping[str, float]
    """Signs before the first step, those that were measured."""
    after: Mapping[str, float]
    """Signs of the adapter that was kept; empty where none was."""
    moral: Mapping[str, Mapping[str, Moral]]
    """Toward an uncertainty: `before` and `after`, each with `taught` and `held_out`."""


def result_of(
    taught: "Taught",
    teacher: str,
    seen: Oversight | None,
    lessons: int,
    preferences: int,
    refused: int,
    moral: Mapping[str, Mapping[str, Moral]],
) -> Result:
    """From how it went."""
    before, after = (_told(s) for s in (taught.before, taught.after))
    return Result(
        ADAPTER if taught.after is not None else "",
        teacher,
        seen,
        lessons,
        preferences,
        refused,
        taught.steps,
        taught.tokens,
        taught.collapsed,
        before,
        after,
        moral,
    )


def _told(signs: "Signs | None") -> dict[str, float]:
    values = {} if signs is None else {n: getattr(signs, n) for n in SIGNS}
    return {n: float(v) for n, v in values.items() if not isinstance(v, NotMeasured)}


def standing(result: Result, folder: Path) -> Result:
    """The result itself.

    Raises:
        UserError: the training collapsed.
    """
    if result.collapsed:
        kept = (
            f"the adapter as it last was good is in {folder / result.adapter}"
            if result.adapter
            else "nothing is kept"
        )
        raise UserError(
            f"The training collapsed ({result.collapsed}); {kept}. Take a lower --learning-rate or fewer "
            "steps, in a new folder."
        )
    return result
