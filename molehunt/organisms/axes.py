"""What a space of specs is made of: axes, each with values of which the first is the plain one.

Without torch, so that a policy which chooses among specs starts at once (`core/choosing.py`). What the axes
of a search really are stands in `organisms/space.py`.
"""

import random
from dataclasses import dataclass
from typing import Any

Choice = tuple[int, ...]
"""One index into the values of each axis."""


@dataclass(frozen=True)
class Axis:
    """One thing that may be changed; the first value is the plain one."""

    name: str
    values: tuple[Any, ...]
    beside: str = ""
    """Another axis, on which it depends whether this one makes a difference."""
    among: tuple[Any, ...] = ()
    """The values of that axis with which it does."""


@dataclass(frozen=True)
class Space:
    """Axes, each after the one that it stands beside, else what may tell most first."""

    axes: tuple[Axis, ...]

    @property
    def plain(self) -> Choice:
        """The plain spec."""
        return (0,) * len(self.axes)

    def values(self, choice: Choice) -> dict[str, Any]:
        """What was chosen, by axis."""
        return {axis.name: axis.values[i] for axis, i in zip(self.axes, choice, strict=True)}

    def settled(self, choice: Choice) -> Choice:
        """The choice with every axis that makes no difference at 0."""
        kept: dict[str, Any] = {}
        indices = []
        for axis, index in zip(self.axes, choice, strict=True):
            matters = not axis.beside or kept.get(axis.beside) in axis.among
            indices.append(index if matters else 0)
            kept[axis.name] = axis.values[indices[-1]]
        return tuple(indices)

    def singles(self) -> tuple[Choice, ...]:
        """Every choice that changes one thing of the plain spec: the first other value of every axis, then
        the second of every axis, and so on."""
        made = (
            self.settled((*self.plain[:i], value, *self.plain[i + 1 :]))
            for value in range(1, max((len(axis.values) for axis in self.axes), default=0))
            for i, axis in enumerate(self.axes)
            if value < len(axis.values)
        )
        return tuple(dict.fromkeys(choice for choice in made if any(choice)))

    def draw(self, rng: random.Random) -> Choice:
        """Any choice: each axis plain with even chance, else any of its other values."""
        return self.settled(
            tuple(
                rng.randrange(1, len(a.values)) if len(a.values) > 1 and rng.random() < 0.5 else 0
                for a in self.axes
            )
        )

    def change(self, choice: Choice, rng: random.Random) -> Choice:
        """The choice with one axis, or (even chance) two, at another value."""
        indices = list(choice)
        wide = [i for i, axis in enumerate(self.axes) if len(axis.values) > 1]
        for i in rng.sample(wide, min(len(wide), 1 + (rng.random() < 0.5))):
            indices[i] = rng.choice([v for v in range(len(self.axes[i].values)) if v != indices[i]])
        return self.settled(tuple(indices))
