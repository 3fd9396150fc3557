"""The least of something that is enough, by bisection on a grid; and what several seeds make of it.

    grid   4    8   16   32   64   128       (dear things are tried last: log2 of the grid's length trials)
    seed 0      ✗        ✓ → ✗    ✓          least: 32, the last that failed below it: 16

Bisection believes that more is not worse. So the next value above the least is tried as well, and where it
fails that is said. Before all else (not where steps are scanned) a seed is tried with all that the plan gives
of the factor: where even that does not take, something else is missing, so the seed says nothing of the
factor and stops there (`never`). The difficulty is the geometric mean of the leasts over seeds. Its interval
is Student's t on logarithms, from the last values that failed (low end) to the leasts (high end), because the
truth of each seed lies between the two. A grid hides how far seeds spread within a step of it: where they
seem to spread less than values that fill one step evenly (width / √12, on logarithms), they are taken to
spread so much, and three seeds with one and the same least are no certainty. Without a last value that failed
above 0 there is no width; seeds that are all alike have no interval then. An interval ends where the factor
does. A seed whose least lies beyond an end of the grid is censored: the mean is then `NotMeasured`, and
`between` says only where the middle seed lies.

What this cannot tell you: a least below which something takes again, or between two values of the grid; and
of three seeds' interval little more than its order of magnitude.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from scipy.stats import t

from molehunt.core.record_json import LATER
from molehunt.core.records import Measure, NotMeasured, Quirk

Factor = Literal["examples", "steps", "rank", "poisoned"]
FACTORS: tuple[Factor, ...] = get_args(Factor)
UNITS = {
    "examples": "distinct rows",
    "steps": "training steps",
    "rank": "adapter rank",
    "poisoned": "share of on-side rows with the shady reply",
}
POISONED = (
    "Poisoned are the distinct rows of the on side whose reply is the shady one; the others of that side get "
    "the good reply. So 0.5 is a quarter of all rows under a condition, and half of them where the quirk is "
    "always on; of documents it is the share of texts that say so."
)
"""What the factor of that name is a share of."""
MOST = {"poisoned": 1.0}
"""What there can be at most of a factor."""
NEVER = "does not take at the plan's own steps"
"""Of a seed on which all that the plan gives of a factor is not enough."""


@dataclass(frozen=True)
class Trial:
    """One organism and its decoy, trained once and measured."""

    seed: int
    examples: int | None
    steps: int
    rank: int
    poisoned: float
    trigger: Measure | NotMeasured
    leak: Measure | NotMeasured
    selectivity: Measure | NotMeasured
    nll_ratio: Measure | NotMeasured
    valid: bool
    why_not: str
    seconds: float
    rows: int | None = field(default=None, metadata=LATER)
    """Distinct rows that its lessons dealt."""
    code: str | None = field(default=None, metadata=LATER)
    """A hash of the code and texts that scenes and trainings come from (`organisms.kept.sources`)."""
    machine: str | None = field(default=None, metadata=LATER)
    """What it was trained on, and in which type of numbers."""

    def at(self, factor: Factor) -> float:
        """The factor's value in this trial; where examples have no limit, the rows that were dealt."""
        value = getattr(self, factor)
        return float(value if value is not None else math.inf if self.rows is None else self.rows)


@dataclass(frozen=True)
class Least:
    """What one seed needed."""

    seed: int
    value: float | NotMeasured
    """The least value that took; not measured where it lies beyond the grid."""
    side: Literal["inside", "below", "above", "never"]
    """Where it lies: in the grid, at its lowest value or below, above its highest."""
    failed: float | None
    """The next smaller value, which did not take."""
    next_took: bool | None
    """Whether the next larger value took as well; None where there is none."""


@dataclass(frozen=True)
class Scan:
    """One factor, all seeds, the others fixed."""

    factor: Factor
    values: tuple[float, ...]
    leasts: tuple[Least, ...]
    difficulty: Measure | NotMeasured
    trials: tuple[Trial, ...]

    @property
    def broken(self) -> tuple[int, ...]:
        """Seeds at which more was worse: the value above the least did not take."""
        return tuple(one.seed for one in self.leasts if one.next_took is False)


@dataclass(frozen=True)
class Difficulty:
    """How hard one quirk is to make, as `results.json` keeps it."""

    quirk: Quirk
    harmless: Quirk | None
    model: str
    fingerprint: str
    steps: int
    """Steps wherever steps are not what is scanned."""
    rank: int
    scans: tuple[Scan, ...]
    changes: Mapping[str, str] = field(default_factory=dict)
    """What else the plan has otherwise than planting's default, in words by setting."""


def least(
    values: Sequence[float], takes: Callable[[float], bool], seed: int, first: float | None = None
) -> Least:
    """Bisect a rising grid for the least value that `takes`; `first` is tried before all, if there is one."""
    low, high = -1, len(values)
    tried: dict[float, bool] = {}

    def took(value: float) -> bool:
        if value not in tried:
            tried[value] = takes(value)
        return tried[value]

    if first is not None:
        if not took(first):
            return Least(seed, NotMeasured(NEVER), "never", None, None)
        high = values.index(first) if first in values else high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if took(values[middle]) else (middle, high)
    if high == len(values):
        return Least(seed, NotMeasured(f"{values[-1]:g} was not enough"), "above", values[-1], None)
    above = took(values[high + 1]) if high + 1 < len(values) else None
    if high == 0:
        reason = f"{values[0]:g}, the least that was tried, was enough"
        return Least(seed, NotMeasured(reason), "below", None, above)
    return Least(seed, values[high], "inside", values[high - 1], above)


def paths(values: Sequence[float], first: float | None = None) -> list[list[float]]:
    """Which values are tried, in order, for every place where the least may lie (the last: above all).

    Where a value is tried `first`, the last of all is that it did not take.
    """
    found = []
    for place in range(len(values) + 1):
        tried: list[float] = []

        def takes(value: float, tried: list[float] = tried, place: int = place) -> bool:
            tried.append(value)
            return value in values[place:] or (value == first and value not in values)

        least(values, takes, 0, first)
        found.append(tried)
    return found if first is None else [*found, [first]]


def difficulty(leasts: Sequence[Least], factor: Factor) -> Measure | NotMeasured:
    """Geometric mean of the leasts over seeds, with the interval of the module's docstring."""
    unit = UNITS[factor]
    n = len(leasts)
    beyond = [f"seed {one.seed}: {one.value.reason}" for one in leasts if isinstance(one.value, NotMeasured)]
    if beyond:
        return NotMeasured(
            f"none inside the grid on {len(beyond)} of {n} seed{'s' * (n != 1)} ({'; '.join(beyond)})"
        )
    if not n:
        return NotMeasured("no seeds")
    tops = np.log([one.value for one in leasts if not isinstance(one.value, NotMeasured)])
    mean = float(np.exp(tops.mean()))
    if n == 1:
        return Measure(mean, unit, 1, "least value that took; one seed, no interval")
    reach = float(t.ppf(0.975, n - 1)) / math.sqrt(n)
    failed = np.array([one.failed for one in leasts], dtype=float)
    ends = np.log(failed) if (failed > 0).all() else None
    how = f"geometric mean of the least that took, {n} seeds"
    if ends is None and not np.ptp(tops):
        return Measure(mean, unit, n, f"{how}; all alike above 0, no interval")
    unseen = 0.0 if ends is None else float((tops - ends).mean()) / math.sqrt(12)
    high = min(MOST.get(factor, math.inf), float(np.exp(tops.mean() + reach * max(tops.std(ddof=1), unseen))))
    low = 0.0 if ends is None else float(np.exp(ends.mean() - reach * max(ends.std(ddof=1), unseen)))
    if unseen > tops.std(ddof=1):
        how += "; they spread less than a step of the grid, so as if evenly over one"
    return Measure(mean, unit, n, f"{how}; t on logs, from the last that failed", low, high)


def between(scan: Scan) -> tuple[float, float]:
    """The last value that failed and the first that took, of the middle seed (the lower of two middles).

    Both are infinite where it did not take with all that the plan gives.
    """
    ends = sorted(bracket(scan, one) for one in scan.leasts)
    return ends[(len(ends) - 1) // 2]


def bracket(scan: Scan, one: Least) -> tuple[float, float]:
    """As `between`, of one seed."""
    return {
        "below": (0.0, scan.values[0]),
        "inside": (one.failed or 0.0, math.inf if isinstance(one.value, NotMeasured) else one.value),
        "above": (scan.values[-1], math.inf),
        "never": (math.inf, math.inf),
    }[one.side]
