"""How much better one score ranks than another, on the same rows."""

from collections.abc import Sequence

import numpy as np

from molehunt.core import intervals
from molehunt.core.intervals import DRAWS, Clusters, Rows, auroc_interval
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import ranked


def auroc_change(
    ours: Rows, theirs: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """AUROC of ours less that of theirs on the same rows, whole clusters of both resampled together.

    With fewer than ten clusters of either class, or where every resample says the same, the two closed
    intervals are added in squares (Newcombe's hybrid, as in `newcombe`), as if ours and theirs were not
    paired. With fewer than thirty the jackknife over clusters stands in for resamples.
    """
    positive = np.asarray(truth, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return NotMeasured(f"AUROC needs both classes; there are {m} positive and {n} negative.")
    k = len(set(clusters))
    resampled = k >= intervals.FEW
    weights = intervals.resamples(clusters, seed, draws) if resampled else intervals.without_each(clusters)
    (a, first), (b, second) = (
        ranked(np.asarray(rows, dtype=float), positive, weights) for rows in (ours, theirs)
    )
    names = np.asarray(clusters, dtype=object).astype(str)
    sides = len(set(names[positive])), len(set(names[~positive]))
    how = f"AUROC, ours less theirs, {m} against {n} of each"
    if min(sides) < intervals.SPARSE or not len(first) or np.ptp(first - second) == 0:
        (low, high), (other_low, other_high) = auroc_interval(a, *sides), auroc_interval(b, *sides)
        low, high = a - b - np.hypot(a - low, other_high - b), a - b + np.hypot(high - a, b - other_low)
        how = f"{how}; few clusters or resamples alike, so Newcombe's method 5 of both, as if unpaired"
    elif not resampled:
        low, high = np.clip(intervals.jackknife(np.array(a - b), first - second) or (-1.0, 1.0), -1, 1)
        how = f"{how}; Student's t over {k} clusters, each left out in turn"
    else:
        low, high = np.quantile(first - second, [0.025, 0.975])
        how = f"{how}; {intervals.said(clusters, draws)} with both classes in them"
    return Measure(a - b, "difference of AUROC", m + n, how, float(low), float(high), k)
