"""How intervals come about: by resampling clusters, or in closed form where a bootstrap is too narrow.

A percentile bootstrap of normal data holds the mean 50% of the time from two clusters, 76% from three, 82%
from five, 89% from eight, 91% from ten, 92% from twenty and 93% from thirty, where it says 95%. Below `FEW`
clusters stand in

    mean   m ± t √(k / (k − 1) · Σ (s − m n)²) / Σ n      s: sum of a cluster, n: its rows, m = Σ s / Σ n
    ratio  all r with (a − r b)² ≤ t² · Var(a − r b)      a, b: the two means over the clusters
    other  v ± t √((k − 1) / k · Σ (v_i − mean v_i)²)     v_i: the number v without the i-th cluster

with t at k − 1 degrees of freedom: exact where clusters are normal and of one size. Over clusters of one size
the first is Student's t of their means; else it is that of the ratio Σ s / Σ n, linearised. The last is the
jackknife's, for what is smooth in the clusters.

Source: Student, Biometrika 6, 1 (1908); Cochran, Sampling Techniques, 3rd edition (1977), chapter 6; Fieller,
Journal of the Royal Statistical Society B 16, 175 (1954); Miller, "The jackknife: a review", Biometrika 61, 1
(1974). Of rates and AUROC: at each function.

What this cannot tell you: a mean of strongly skewed clusters. At a skewness of 1 Student's t holds it 93% of
the time, of an exponential (a skewness of 2) 88%, whether from three clusters or nine; and one cluster with
nearly all rows leaves fewer degrees of freedom than are counted.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, norm, t

FEW = 30
"""Clusters below which Student's t stands in for the bootstrap; that holds 93% at thirty, normal data."""
SPARSE = 10
"""Clusters below which a jackknife of ranks is no good either: clusters count as single cases then."""
LEAST = 3
"""Clusters below which there is no interval: from two, t is 12.7 standard errors."""
ALIKE = 1e-9
"""Rounding, as a share of the largest value: what differs by less is alike."""

Rows = Sequence[float]
Clusters = Sequence[str]
DRAWS = 2000
"""Bootstrap resamples."""

Ends = tuple[float, float] | None


def places(clusters: Clusters) -> np.ndarray:
    """The number of each row's cluster: [rows]."""
    return np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1]


def resamples(clusters: Clusters, seed: int, draws: int) -> np.ndarray:
    """How often each row stands in each resample: (draws, rows)."""
    which = places(clusters)
    k = int(which.max()) + 1
    counts = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=draws)
    return counts[:, which].astype(float)


def without_each(clusters: Clusters) -> np.ndarray:
    """Which rows are left without each cluster, 1 or 0: (clusters, rows)."""
    which = places(clusters)
    return (which[None, :] != np.arange(int(which.max()) + 1)[:, None]).astype(float)


def said(clusters: Clusters, draws: int) -> str:
    """How a bootstrap is named where its interval stands."""
    return f"bootstrap over {len(set(clusters))} clusters, {draws} resamples"


def residuals(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """What each cluster adds to the error of Σ sums / Σ sizes: [clusters], and they add up to 0."""
    return (sums - sums.sum() / sizes.sum() * sizes) / sizes.sum()


def alike(sums: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether all clusters have one and the same mean, but for rounding."""
    means = sums / sizes
    return bool(np.ptp(means) <= ALIKE * np.abs(means).max())


def of_mean(sums: np.ndarray, sizes: np.ndarray) -> Ends:
    """95% interval of Σ sums / Σ sizes from the clusters' sums and sizes; none below `LEAST` clusters."""
    k = len(sums)
    if k < LEAST:
        return None
    middle = float(sums.sum() / sizes.sum())
    half = times(k) * float(np.sqrt(k / (k - 1) * np.square(residuals(sums, sizes)).sum()))
    return middle - half, middle + half


def jackknife(value: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """95% interval of numbers [...] from what they are without each cluster, [clusters, ...].

    None below `LEAST` clusters, and where one of them is no number without some cluster.
    """
    k = len(left)
    if k < LEAST or not np.isfinite(left).all():
        return None
    half = times(k) * np.sqrt((k - 1) / k * np.square(left - left.mean(0)).sum(0))
    return value - half, value + half


def of_ratio(ours: np.ndarray, theirs: np.ndarray, sizes: np.ndarray) -> Ends:
    """95% interval of mean(ours) / mean(theirs) by Fieller's theorem.

    Args:
        ours, theirs: sums over each cluster's rows, [clusters]. sizes: rows of both, [clusters, 2].

    None below `LEAST` clusters, and where the mean below the line is not clear of 0: any ratio would do then.
    """
    k = len(ours)
    if k < LEAST:
        return None
    a, b = ours.sum() / sizes[:, 0].sum(), theirs.sum() / sizes[:, 1].sum()
    da, db = residuals(ours, sizes[:, 0]), residuals(theirs, sizes[:, 1])
    scale = times(k) ** 2 * k / (k - 1)
    return fieller(float(a), float(b), *(float(scale * v) for v in (da @ da, da @ db, db @ db)))


def fieller(a: float, b: float, aa: float, ab: float, bb: float) -> Ends:
    """All r with (a − r b)² ≤ aa − 2 r ab + r² bb, which are (co)variances times t²; None if unbounded."""
    square, line, rest = b * b - bb, a * b - ab, a * a - aa
    if square <= 0:
        return None
    room = float(np.sqrt(max(0.0, line * line - square * rest)))
    return float((line - room) / square), float((line + room) / square)


@cache
def times(k: int) -> float:
    """How many standard errors a 95% interval reaches to either side, from k clusters."""
    return float(t.ppf(0.975, k - 1))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a rate."""
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def wilson_of(rate: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a mean of scores from 0 to 1 over `n` independent cases; 0 to 1 of none."""
    if not n:
        return 0.0, 1.0
    z = float(norm.ppf((1 + level) / 2))
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(rate: float, n: int, other: float, n_other: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the difference of two rates, Newcombe's hybrid of two Wilson intervals.

    Statistics in Medicine 17, 873 (1998), method 10.
    """
    (low, high), (other_low, other_high) = wilson_of(rate, n, level), wilson_of(other, n_other, level)
    gap = rate - other
    return (
        gap - float(np.hypot(rate - low, other_high - other)),
        gap + float(np.hypot(high - rate, other - other_low)),
    )


def auroc_interval(value: float, m: int, n: int) -> tuple[float, float]:
    """95% interval of an AUROC of m positives against n negatives, all independent.

    Newcombe 2006, Statistics in Medicine 25:559-573, method 5."""
    z = float(norm.ppf(0.975))
    spare = (m + n) / 2 - 1

    def apart(x: float) -> float:
        spread = x * (1 - x) * (1 + spare * (1 - x) / (2 - x) + spare * x / (1 + x)) / (m * n)
        return (value - x) ** 2 - z * z * spread

    low = 0.0 if value == 0 else float(np.real(brentq(apart, 0, value - 1e-9)))  # pyright: ignore
    high = 1.0 if value == 1 else float(np.real(brentq(apart, value + 1e-9, 1)))  # pyright: ignore
    return low, high
