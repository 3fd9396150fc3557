"""Ratios of two means over the same groups of rows: the tokens of each passage, say.

The groups of both are resampled together. Fewer than thirty get Fieller's interval, fewer than three none.
Resamples in which theirs have a mean of 0 have no ratio and are left out, and counted; there is no interval
where so many were left out (`LEFT_OUT`) that the upper end might lie among them. A ratio that is the same in
every group has an interval without a width (`stats.has_a_width`), as weights beside themselves should, unless
it is a share.
"""

from collections.abc import Sequence
from math import fsum

import numpy as np

from molehunt.core import intervals
from molehunt.core.intervals import DRAWS, Rows, wilson_of
from molehunt.core.records import Measure, NotMeasured

LEFT_OUT = 0.01
"""Share of resamples without a ratio beyond which there is no interval: above its upper end lie 0.025."""


def ratio_of_means(
    ours: Sequence[Rows],
    theirs: Sequence[Rows],
    *,
    how: str,
    seed: int = 0,
    draws: int = DRAWS,
    share: bool = False,
) -> Measure | NotMeasured:
    """Mean of ours over mean of theirs, both groups of rows; `n` is how many groups there are.

    With `share`, ours is a part of theirs: where the ratio is the same in every group, Wilson's interval over
    the groups stands in.
    """
    sizes = np.array([[len(a), len(b)] for a, b in zip(ours, theirs, strict=True)], dtype=float)
    sums = np.array([[fsum(a), fsum(b)] for a, b in zip(ours, theirs, strict=True)])
    total = fsum(v for rows in theirs for v in rows)
    if not len(sizes) or not sizes.all() or not total:
        return NotMeasured(f"a group without rows, or a mean of 0, in: {how}")
    value = float((fsum(v for rows in ours for v in rows) / sizes[:, 0].sum()) / (total / sizes[:, 1].sum()))
    k = len(sizes)

    def found(said: str, low: float | None = None, high: float | None = None) -> Measure:
        return Measure(value, "ratio", k, f"{how}; {said}", low, high)

    if k < 2:
        return found("one group, no interval")
    gaps = intervals.residuals(sums[:, 0], sizes[:, 0]) - value * intervals.residuals(sums[:, 1], sizes[:, 1])
    if np.abs(gaps).max() <= intervals.ALIKE * np.abs(sums / sizes.sum(0)).max():
        if not share:
            return found(f"the same in each of {k} clusters", value, value)
        ends = wilson_of(min(max(value, 0.0), 1.0), k)
        said = f"all alike, Wilson's interval over {k} clusters"
        return found(said, min(ends[0], value), max(ends[1], value))
    if k < intervals.FEW:
        if k < intervals.LEAST:
            return found(f"{k} clusters are too few for an interval")
        ends = intervals.of_ratio(sums[:, 0], sums[:, 1], sizes)
        said = "Fieller's interval" if ends else "no interval, the mean below the line may be 0"
        return found(f"{said}, {k} clusters", *(ends or ()))
    groups = [str(i) for i in range(k)]
    weights = intervals.resamples(groups, seed, draws)
    means = (weights @ sums) / (weights @ sizes)
    usable = means[:, 1] != 0
    gone = int((~usable).sum())
    if gone > LEFT_OUT * draws:
        return found(f"no interval: the mean below the line is 0 in {gone} of {draws} resamples")
    low, high = np.quantile(means[usable, 0] / means[usable, 1], [0.025, 0.975])
    said = f"{intervals.said(groups, draws)}{f', {gone} without a ratio left out' if gone else ''}"
    return found(said, float(low), float(high))
