"""The measures by name, in the order in which they are taken: the five of depth, and what it cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from molehunt.depth.bench import Bench
from molehunt.depth.costs import Cost, costs
from molehunt.depth.prefilling import Prefilled, prefilling
from molehunt.depth.reading import Read, reading
from molehunt.depth.relearning import Relearned, relearning
from molehunt.depth.residual import Residual, residual
from molehunt.depth.steering import Steered, steering


@dataclass(frozen=True)
class Taken:
    """How one measure is taken, and what it gives."""

    take: Callable[[Bench], Any]
    gives: type[Any]
    share: float
    """Of the time that all take, about: progress goes by it."""


BENEATH = ("prefill", "steering", "reading")
"""Those that say nothing but what lies beneath; relearning is 0 by rule where half of the scenes show it."""
MEASURES: Mapping[str, Taken] = {
    "residual": Taken(residual, Residual, 0.08),
    "relearning": Taken(relearning, Relearned, 0.6),
    "prefill": Taken(prefilling, Prefilled, 0.12),
    "steering": Taken(steering, Steered, 0.12),
    "reading": Taken(reading, Read, 0.05),
    "costs": Taken(costs, Cost, 0.03),
}
