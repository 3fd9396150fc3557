"""Which pair is fixed in which way from which seed, in the order in which it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from samples import Sample

Part = Literal["fixes", "hidden", "seeds"]
REMEDIES = (
    "honest",
    "adversarial",
    "nothing",
    "preferences",
    "steering",
    "character",
    "projecting",
    "pruning",
    "noise",
)
"""Blind remedies, the best guesses and the control first. `unlearning` needs an audit's verdicts, and a pair
has none."""
CORE = 5
"""So many of them are crossed with every organism before the rest begins."""
NOTHING = "nothing"
SHELL, CLEANSE = "shell", "cleanse"
KNOWN = (SHELL, CLEANSE)
"""Made to hide, and fixed with the truth known."""


@dataclass(frozen=True)
class Cell:
    """One fix of one pair, and how deep it goes."""

    sample: Sample
    way: str
    """A remedy, or a fix with the truth known."""
    seed: int = 0

    @property
    def name(self) -> str:
        """A file name."""
        return f"{self.sample.name}-{self.way}-{self.seed}"


def fixes(samples: Sequence[Sample], remedies: Sequence[str]) -> list[Cell]:
    """Every remedy on every organism. One organism of each behaviour comes before the second of any."""
    met: set[str] = set()
    first = [s for s in samples if s.quirk.behaviour not in met and not met.add(s.quirk.behaviour)]
    others = [s for s in samples if s not in first]
    core, rest = remedies[:CORE], remedies[CORE:]
    return [
        Cell(s, r)
        for some, ways in ((first, core), (others, core), (samples, rest))
        for r in ways
        for s in some
    ]


def hidden(samples: Sequence[Sample], a_side: int) -> list[Cell]:
    """So many organisms made to hide, and as many fixed with the truth known; more seeds where pairs lack."""
    rounds = -(-a_side // max(1, len(samples)))
    places = [(s, seed) for seed in range(rounds) for s in samples][:a_side]
    # Two pairs in turn, so that two at work at once do not both read the same one, and both sides of a pair
    # are in soon.
    blocks = [places[i : i + 2] for i in range(0, len(places), 2)]
    return [Cell(s, way, seed) for block in blocks for way in KNOWN for s, seed in block]


def seeds(samples: Sequence[Sample], best: Sequence[str], more: int) -> list[Cell]:
    """The best remedies again from further seeds."""
    return [Cell(s, r, seed) for seed in range(1, more + 1) for r in best for s in samples]
