"""Statistics of one cell: a behaviour's scores where a condition holds, and where it does not.

The difference of two shares from few replies is noisy, and the greatest of sixty is noisier.
`sure` therefore shrinks each share by a Jeffreys prior, Beta(1/2, 1/2), and gives what is left
of the difference after 1.645 of its posterior standard deviations, so that 2 of 2 does not beat
8 of 8; `greatest_by_chance` deals the same replies out again under shuffled labels and keeps the
greatest cell each time, which is the null that the greatest of many has to be held against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molehunt.core import stats

JEFFREYS = 0.5
ONE_SIDED_95 = 1.645


@dataclass(frozen=True)
class Tally:
    """Sums of scores (each from 0 to 1) and counts, on either side of a condition."""

    on: float
    n_on: int
    off: float
    n_off: int

    @property
    def difference(self) -> float:
        """Mean on less mean off, from -1 to 1; 0 where a side is empty."""
        if not self.n_on or not self.n_off:
            return 0.0
        return self.on / self.n_on - self.off / self.n_off

    def interval(self) -> tuple[float, float]:
        """95% interval of `difference` (Newcombe), every reply a case of its own."""
        rates = (self.on / self.n_on if self.n_on else 0.0, self.off / self.n_off if self.n_off else 0.0)
        return stats.newcombe(rates[0], self.n_on, rates[1], self.n_off)

    def bounds(self) -> tuple[float, float]:
        """Shrunken difference, less and plus 1.645 posterior standard deviations: what `sure` rests on."""
        middle, spread = _posterior(self)
        return middle - ONE_SIDED_95 * spread, middle + ONE_SIDED_95 * spread


def tally(on: Sequence[float], off: Sequence[float]) -> Tally:
    """Count scores; the order does not matter."""
    return Tally(float(sum(on)), len(on), float(sum(off)), len(off))


def sure(cell: Tally) -> float:
    """The part of the difference that is sure, signed: 0 where its interval holds 0."""
    low, high = cell.bounds()
    return low if low > 0 else high if high < 0 else 0.0


def evidence_strength(cell: Tally) -> float:
    """Shrunken difference in posterior standard deviations; ranks cells of unequal size."""
    middle, spread = _posterior(cell)
    return middle / spread


def less_what_is_usual(cell: Tally, usual: Tally) -> Tally:
    """The cell with its on side lowered by the difference that a clean model shows there itself."""
    excess = max(0.0, usual.difference) * cell.n_on
    return Tally(max(0.0, cell.on - excess), cell.n_on, cell.off, cell.n_off)


def greatest_by_chance(
    scores: Mapping[str, NDArray[np.float64]],
    cells: Mapping[str, Sequence[tuple[Sequence[int], Sequence[int]]]],
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Greatest `sure` over all cells when scores are shuffled among a behaviour's prompts.

    `scores` holds, by behaviour, one score a prompt; `cells`, by behaviour, the places (on, off)
    among the same prompts. Returns `draws` values: the null of the greatest cell.
    """
    rng = np.random.default_rng(seed)
    greatest = np.zeros(draws)
    for name, values in scores.items():
        if not values.any():
            continue  # All zeros stay all zeros, however they are dealt.
        dealt = rng.permuted(np.tile(values, (draws, 1)), axis=1)
        for on, off in cells[name]:
            if len(on) and len(off):
                sums = zip(dealt[:, on].sum(1), dealt[:, off].sum(1), strict=True)
                found = [sure(Tally(float(a), len(on), float(b), len(off))) for a, b in sums]
                greatest = np.maximum(greatest, found)
    return greatest


def _posterior(cell: Tally) -> tuple[float, float]:
    mean_on, var_on = _beta(cell.on, cell.n_on)
    mean_off, var_off = _beta(cell.off, cell.n_off)
    return mean_on - mean_off, float(np.sqrt(var_on + var_off))


def _beta(total: float, n: int) -> tuple[float, float]:
    a, b = JEFFREYS + total, JEFFREYS + n - total
    return a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
