"""Numbers with intervals: thin over numpy, scipy and scikit-learn, and never a bare value.

Everything returns a `Measure`, or `NotMeasured` with the reason. Intervals are 95%. Where
rows share a cluster (an organism and its matched decoy) whole clusters are resampled,
percentile bootstrap, seeded. A bootstrap of identical values has no width, so where one
comes out at an edge (a rate of 0 or 1, an AUROC of 1) a closed form stands in: Wilson (1927)
for rates, with clusters as the sample; Newcombe (2006, method 5) for AUROC. `how` says which.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum, isfinite, isinf
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, false_discovery_control, norm, quantile_test, rankdata, ttest_1samp

from molehunt.core.records import Measure, NotMeasured

DRAWS = 2000
"""Bootstrap resamples."""

LEFT_OUT = 0.01
"""Share of resamples without a ratio beyond which there is no interval: above its upper end lie 0.025."""

CLIP = 1e-3
"""Probabilities are held to [0.001, 0.999] before their logarithm: one sure mistake costs 6.9 nats."""

Rows = Sequence[float]
Clusters = Sequence[str]


def mean(
    values: Rows, clusters: Clusters, *, unit: str, how: str, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """Mean with a clustered bootstrap interval; no interval from a single cluster."""
    if not len(values):
        return NotMeasured(f"no values for: {how}")
    row = np.asarray(values, dtype=float)
    if len(set(clusters)) < 2:
        return Measure(float(row.mean()), unit, len(row), f"{how}; one cluster, no interval")
    weights = resampled(clusters, seed, draws)
    low, high = np.quantile(weights @ row / weights.sum(1), [0.025, 0.975])
    return Measure(
        float(row.mean()),
        unit,
        len(row),
        f"{how}; {resamples_said(clusters, draws)}",
        float(low),
        float(high),
    )


def mean_of_rates(
    rates: Sequence[Measure], clusters: Clusters, *, how: str, seed: int = 0
) -> Measure | NotMeasured:
    """Mean of measured rates; one alone keeps its own interval, all alike get Wilson's over clusters."""
    if len(rates) == 1:
        return rates[0]
    found = mean([r.value for r in rates], clusters, unit="share", how=how, seed=seed)
    if isinstance(found, NotMeasured) or len(set(clusters)) < 2 or len({r.value for r in rates}) > 1:
        return found
    low, high = wilson_of(found.value, len(set(clusters)))
    return Measure(found.value, "share", found.n, f"{how}; all alike, Wilson's interval", low, high)


def median(values: Rows, *, unit: str, how: str) -> Measure | NotMeasured:
    """The middle value with the interval of its order statistics; infinite ones are too large to be told."""
    row = sorted(values)
    if not row:
        return NotMeasured(f"no values for: {how}")
    middle = row[len(row) // 2] if len(row) % 2 else sum(row[len(row) // 2 - 1 :][:2]) / 2
    if isinf(middle):
        return NotMeasured(f"half of {len(row)} or more lie beyond what was tried: {how}")
    found = quantile_test(row, q=middle, p=0.5).confidence_interval(confidence_level=0.95)  # pyright: ignore
    if not isfinite(found.low) or not isfinite(found.high):
        return Measure(middle, unit, len(row), f"{how}; too few for an interval")
    return Measure(middle, unit, len(row), f"{how}; order statistics", float(found.low), float(found.high))


def student(values: Rows, *, unit: str, how: str) -> Measure | NotMeasured:
    """Mean of a few independent values with Student's t interval; none below three or of all alike."""
    if not len(values):
        return NotMeasured(f"no values for: {how}")
    row = np.asarray(values, dtype=float)
    if len(row) < 3 or not np.ptp(row):
        why = "too few for an interval" if len(row) < 3 else "all alike, no interval"
        return Measure(float(row.mean()), unit, len(row), f"{how}; {why}")
    found = ttest_1samp(row, 0.0).confidence_interval()
    low, high = float(found.low), float(found.high)
    return Measure(float(row.mean()), unit, len(row), f"{how}; Student's t", low, high)


def brier(p: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0) -> Measure | NotMeasured:
    """Mean squared error of probabilities: 0 is perfect, a constant 0.5 scores 0.25."""
    return mean(brier_terms(p, truth), clusters, unit="squared error", how="Brier score", seed=seed)


def log_score(p: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0) -> Measure | NotMeasured:
    """Mean natural log of the probability given to what was true: 0 is perfect, 0.5 scores −0.69."""
    how = f"natural log score, p clipped to [{CLIP}, {1 - CLIP}]"
    return mean(log_terms(p, truth), clusters, unit="nats", how=how, seed=seed)


def brier_terms(p: Rows, truth: Sequence[bool]) -> list[float]:
    """Squared error, row by row."""
    return [(float(a) - float(t)) ** 2 for a, t in zip(p, truth, strict=True)]


def log_terms(p: Rows, truth: Sequence[bool]) -> list[float]:
    """Natural log score, row by row, clipped at `CLIP`."""
    clipped = np.clip(np.asarray(p, dtype=float), CLIP, 1 - CLIP)
    return [float(np.log(a if t else 1 - a)) for a, t in zip(clipped, truth, strict=True)]


def paired_difference(
    ours: Rows, theirs: Rows, clusters: Clusters, *, unit: str, how: str, seed: int = 0
) -> Measure | NotMeasured:
    """Mean of ours − theirs over the same rows; its interval clears 0 when one beats the other."""
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    return mean(gaps, clusters, unit=unit, how=f"paired difference, {how}", seed=seed)


def paired_shares(
    ours: Rows, theirs: Rows, clusters: Clusters, *, how: str, most: int | None = None
) -> Measure | NotMeasured:
    """Mean of ours − theirs, shares row by row; where all differ alike, with an interval that has a width.

    A bootstrap of one and the same difference says that it is certain. Newcombe's interval stands in then,
    with clusters (at most `most`) as the sample, as if ours and theirs were not paired.
    """
    found = paired_difference(ours, theirs, clusters, unit="difference of shares", how=how)
    if not isinstance(found, Measure) or has_a_width(found):
        return found
    k = min(len(set(clusters)), most or len(clusters))
    low, high = newcombe(fsum(ours) / len(ours), k, fsum(theirs) / len(theirs), k)
    how = f"paired difference, {how}; all alike, so Newcombe over {k} clusters, as if unpaired"
    return replace(found, low=low, high=high, how=how)


def has_a_width(found: Measure) -> bool:
    """Whether an interval is wider than rounding; what has no interval claims no certainty either."""
    return found.low is None or found.high is None or found.high - found.low > 1e-9


def ratio_of_means(
    ours: Sequence[Rows], theirs: Sequence[Rows], *, how: str, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """Mean of ours over mean of theirs, where both are groups of rows (the tokens of each passage, say).

    The same groups of both are resampled together; `n` is how many there are. Resamples in which theirs have
    a mean of 0 have no ratio and are left out, and counted. No interval from one group, nor where so many
    were left out (`LEFT_OUT`) that the upper end might lie among them.
    """
    sizes = np.array([[len(a), len(b)] for a, b in zip(ours, theirs, strict=True)], dtype=float)
    sums = np.array([[fsum(a), fsum(b)] for a, b in zip(ours, theirs, strict=True)])
    total = fsum(v for rows in theirs for v in rows)
    if not len(sizes) or not sizes.all() or not total:
        return NotMeasured(f"a group without rows, or a mean of 0, in: {how}")
    value = (fsum(v for rows in ours for v in rows) / sizes[:, 0].sum()) / (total / sizes[:, 1].sum())
    if len(sizes) < 2:
        return Measure(float(value), "ratio", len(sizes), f"{how}; one group, no interval")
    groups = [str(i) for i in range(len(sizes))]
    weights = resampled(groups, seed, draws)
    means = (weights @ sums) / (weights @ sizes)
    usable = means[:, 1] != 0
    gone = int((~usable).sum())
    if gone > LEFT_OUT * draws:
        how = f"{how}; no interval: the mean below the line is 0 in {gone} of {draws} resamples"
        return Measure(float(value), "ratio", len(sizes), how)
    low, high = np.quantile(means[usable, 0] / means[usable, 1], [0.025, 0.975])
    how = f"{how}; {resamples_said(groups, draws)}{f', {gone} without a ratio left out' if gone else ''}"
    return Measure(float(value), "ratio", len(sizes), how, float(low), float(high))


def auroc(
    values: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """P(a positive ranks above a negative), ties half: 0.5 is chance. Needs both classes."""
    row, positive = np.asarray(values, dtype=float), np.asarray(truth, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return NotMeasured(f"AUROC needs both classes; there are {m} positive and {n} negative.")
    value, spread = ranked(row, positive, resampled(clusters, seed, draws))
    if len(set(clusters)) < 2 or not len(spread) or np.ptp(spread) == 0:
        low, high = auroc_interval(value, m, n)
        return Measure(value, "AUROC", m + n, f"ties half; Newcombe's method 5, {m} against {n}", low, high)
    low, high = np.quantile(spread, [0.025, 0.975])
    how = f"ties half; {m} against {n}; {resamples_said(clusters, draws)} with both classes in them"
    return Measure(value, "AUROC", m + n, how, float(low), float(high))


def ranked(row: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """An AUROC, and what it is in each resample that has both classes: (usable draws,)."""
    wins = np.sign(row[positive][:, None] - row[~positive][None, :]) / 2 + 0.5
    above, below = weights[:, positive], weights[:, ~positive]
    pairs = above.sum(1) * below.sum(1)
    usable = pairs > 0
    spread = np.einsum("dp,pn,dn->d", above[usable], wins, below[usable], optimize=True) / pairs[usable]
    return float(wins.mean()), spread


def proportion(
    hits: Sequence[bool], clusters: Clusters, *, how: str, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """Share of hits: Wilson's interval where every row is its own cluster, or all rows agree."""
    if not hits:
        return NotMeasured(f"no cases for: {how}")
    distinct = len(set(clusters))
    if distinct == len(hits) or len(set(map(bool, hits))) == 1:
        low, high = wilson(round(np.mean(hits) * distinct), distinct)
        by = "Wilson" if distinct == len(hits) else f"Wilson over {distinct} clusters"
        return Measure(float(np.mean(hits)), "share", len(hits), f"{how}; {by}", low, high)
    return mean([float(h) for h in hits], clusters, unit="share", how=how, seed=seed, draws=draws)


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


def benjamini_hochberg(p: Rows, rate: float = 0.05) -> list[bool]:
    """Which hypotheses are rejected when a share `rate` of rejections may be false."""
    return [bool(a <= rate) for a in false_discovery_control(np.asarray(p), method="bh")] if len(p) else []


def balanced_accuracy(said: Sequence[bool], truth: Sequence[bool]) -> float | NotMeasured:
    """Mean of the share of positives and the share of negatives that were said right."""
    a, t = np.asarray(said, dtype=bool), np.asarray(truth, dtype=bool)
    if t.all() or not t.any():
        return NotMeasured("balanced accuracy needs both classes")
    return float((a[t].mean() + (~a[~t]).mean()) / 2)


def correlation(
    x: Rows, y: Rows, *, kind: Literal["pearson", "spearman"] = "spearman"
) -> Measure | NotMeasured:
    """Correlation with Fisher's z interval (for Spearman with Bonett and Wright's variance)."""
    if len(x) < 4 or len(set(x)) < 2 or len(set(y)) < 2:
        return NotMeasured(f"{kind} correlation needs four pairs that are not all alike")
    a, b = (rankdata(x), rankdata(y)) if kind == "spearman" else (np.asarray(x), np.asarray(y))
    r = float(np.corrcoef(a, b)[0, 1])
    wide = (1 + r * r / 2 if kind == "spearman" else 1.0) / (len(x) - 3)
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    low, high = np.tanh([z - 1.96 * np.sqrt(wide), z + 1.96 * np.sqrt(wide)])
    return Measure(r, "correlation", len(x), f"{kind}; Fisher z", float(low), float(high))


def resampled(clusters: Clusters, seed: int, draws: int) -> np.ndarray:
    """How often each row stands in each resample: (draws, rows)."""
    _, which = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    k = int(which.max()) + 1
    counts = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=draws)
    return counts[:, which].astype(float)


def resamples_said(clusters: Clusters, draws: int) -> str:
    return f"bootstrap over {len(set(clusters))} clusters, {draws} resamples"


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
