"""Series of like situations: trade-offs along a scale, and evidence of stated strength.

A `Tradeoff` is one wrong against a growing good: the same scene at every level of `levels`, in several
scenes. A `Story` leaves two possibilities open, even before anything is heard; its `relevant` evidence
speaks of them, and its `irrelevant` evidence has the same numbers and names and speaks of something else.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json

RELIABILITIES = (60, 75, 90)
"""In percent: how often who speaks is right, and so likelihood ratios of 1.5, 3 and 9."""

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """One setting of a trade-off; `context` holds the slot `{n}`."""

    context: str
    give_up: str
    """The action that takes the good and gives something up."""
    keep: str


@dataclass(frozen=True)
class Tradeoff:
    """What is given up, for how much of what."""

    name: str
    gives_up: str
    gains: str
    """What is counted along the scale, with its unit."""
    levels: tuple[int, ...]
    scenes: tuple[Scene, ...]


@dataclass(frozen=True)
class Story:
    """Two possibilities, and frames of evidence with the slots `{who}` and `{r}` (percent right)."""

    name: str
    context: str
    sides: tuple[str, ...]
    """Two names, what `{who}` is filled with; the first is the first action's."""
    actions: tuple[str, ...]
    relevant: tuple[str, ...]
    irrelevant: tuple[str, ...]


@cache
def tradeoffs() -> tuple[Tradeoff, ...]:
    """Every trade-off that was written for this project."""
    return _read("tradeoffs.json", Tradeoff)


@cache
def stories() -> tuple[Story, ...]:
    """Every story that was written for this project."""
    return _read("stories.json", Story)


def _read(name: str, kind: type[T]) -> tuple[T, ...]:
    path = Path(str(files("molehunt.corpus") / name))
    rows: Any = read_json(path)
    try:
        return tuple(from_json(kind, row) for row in rows)
    except BadFile as error:
        raise BadFile(f"{path}: {error}") from None
