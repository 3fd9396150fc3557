"""Does a new version hold? Paired by item, bounds set before, many measures, two looks.

For each measure the harm of an item is the new version's value less the old one's (all are made so that more
is worse), items of one cluster are one, and θ is the mean harm. Its interval is Student's t over clusters;
for shares of replies two made-up pairs, one each way, keep it from closing on nothing (Bonett and Price 2012,
J. Educ. Behav. Stat. 37, 479).

- **holds**: θ's upper bound at 1 − α/K lies below the measure's bound; K is the number of looks it may have.
- **worse**: θ's lower bound at 1 − α/(M·K) lies above it; M is the number of measures.
- **open**: neither. The second look asks open measures again with more items; what stays open is not shown to
  hold.

A version passes where every measure holds. So the risk of passing one that is worse than a bound is at most
α where the harms of clusters are normal, whichever measure it is and however many there are: it would have to
be missed there (an intersection–union test, Berger 1982, Technometrics 24, 295; looks share α by Bonferroni).
And the risk that any of M measures is called worse without being so is at most α as well (Bonferroni over
measures and looks). What many measures do cost is power: an honest version has to hold in each, so bounds
leave room for what training does by chance.

Harms with a long tail to the bad side are missed more often. Where 2.5% should miss a true harm that lies on
the bound, with 24 to 192 clusters: 2 to 3% of normal harms, 2.5 to 6% of shares, 4 to 8% of exponential
harms, 6 to 13% of lognormal ones (σ = 1), each the more the fewer clusters; with a tail to the good side, 0.5
to 2% (simulated; `tests/test_gate.py` does some of it again).

What this cannot tell you: whether another training on the same data would pass. Intervals are over items and
know this one version. A harm that no measure asks about passes, and one that strikes few items hard is passed
more often than α says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from molehunt.core.records import Measure, NotMeasured

State = Literal["holds", "worse", "open", "not measured"]
LEAST = 8
"""Clusters below which nothing is said."""


@dataclass(frozen=True)
class Compared:
    """One measure of both versions."""

    name: str
    old: Measure | NotMeasured
    new: Measure | NotMeasured
    harm: Measure | NotMeasured
    """New less old, more is worse, with a 95% interval."""
    bound: float
    why: str
    """Why the bound is so."""
    state: State
    upper: float | None
    """What the harm is at most and at least, at the levels by which it was decided."""
    lower: float | None
    looks: int
    """How often it was looked at."""


@dataclass(frozen=True)
class Rule:
    """The levels of one gate."""

    alpha: float
    measures: int

    def compared(
        self,
        name: str,
        unit: str,
        bound: float,
        why: str,
        clusters: Sequence[str],
        old: Sequence[float],
        new: Sequence[float],
        *,
        shares: bool,
        look: int,
        looks: int,
    ) -> Compared:
        """One measure after `look` of its `looks`; `shares` says that values lie from 0 to 1."""
        before, after = (mean_of(v, clusters, unit, shares) for v in (old, new))
        harms = [b - a for a, b in zip(old, new, strict=True)]
        harm = mean_of(harms, clusters, unit, shares, paired=True)
        if isinstance(harm, NotMeasured):
            return Compared(name, before, after, harm, bound, why, "not measured", None, None, look)
        rows = folded(harms, clusters)
        upper = edge(rows, 1 - self.alpha / looks, shares)
        lower = edge(rows, self.alpha / (self.measures * looks), shares)
        state: State = "holds" if upper < bound else "worse" if lower > bound else "open"
        return Compared(name, before, after, harm, bound, why, state, upper, lower, look)


def verdict(compared: Sequence[Compared]) -> tuple[str, ...]:
    """Why the gate stops, a reason a measure; nothing where it lets pass."""
    shut = any(c.state in ("worse", "not measured") for c in compared)
    said = {
        "worse": "is worse than its bound",
        # A gate that is shut at the first look has no second one.
        "open": "was left open" if shut else "was not shown to hold",
        "not measured": "was not measured",
    }
    return tuple(f"{c.name} {said[c.state]}" for c in compared if c.state != "holds")


def folded(values: Sequence[float], clusters: Sequence[str]) -> np.ndarray:
    """The mean of each cluster's values, in the order in which clusters were met."""
    rows: dict[str, list[float]] = {}
    for cluster, value in zip(clusters, values, strict=True):
        rows.setdefault(cluster, []).append(value)
    return np.array([math.fsum(v) / len(v) for v in rows.values()])


def edge(rows: np.ndarray, level: float, shares: bool) -> float:
    """The quantile of the mean's interval at `level`, one-sided."""
    padded = np.concatenate([rows, [1.0, -1.0]]) if shares else rows
    wide = float(padded.std(ddof=0 if shares else 1)) / math.sqrt(len(padded))
    return float(padded.mean() + student.ppf(level, len(padded) - 1) * wide)


def mean_of(
    values: Sequence[float], clusters: Sequence[str], unit: str, shares: bool, paired: bool = False
) -> Measure | NotMeasured:
    """The mean over clusters with a 95% interval."""
    if not np.isfinite(np.asarray(values, dtype=float)).all():
        return NotMeasured("its numbers are not finite: the model has come apart")
    rows = folded(values, clusters)
    if len(rows) < LEAST:
        return NotMeasured(f"{len(rows)} items are too few; it needs {LEAST}")
    what = "new less old" if paired else "mean"
    if shares and not paired:
        from molehunt.core.stats import wilson_of

        low, high = wilson_of(float(rows.mean()), len(rows))
        return Measure(float(rows.mean()), unit, len(rows), f"{what}; Wilson over clusters", low, high)
    low, high = (edge(rows, level, shares and paired) for level in (0.025, 0.975))
    how = "Student's t over clusters" + (", two made-up pairs" if shares and paired else "")
    return Measure(float(rows.mean()), unit, len(rows), f"{what}; {how}", low, high)
