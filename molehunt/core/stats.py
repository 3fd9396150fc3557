"""Numbers with intervals: thin over numpy, scipy and scikit-learn, and never a bare value.

Everything returns a `Measure`, or `NotMeasured` with the reason. Intervals are 95%. Where rows share a
cluster (an organism and its matched decoy) whole clusters are resampled, percentile bootstrap, seeded. From
fewer than thirty clusters a bootstrap is too narrow: Student's t over clusters stands in (`intervals.py`),
from two there is no interval. A bootstrap of identical values has no width: where they are shares a closed
form stands in, Wilson (1927) with clusters as the sample, two made-up pairs (Agresti and Min 2005) for a
paired difference, Newcombe (2006, method 5) for AUROC. Other numbers are all alike where nothing can vary, as
between a model and itself: their interval has no width (`has_a_width`), and a paired difference of theirs
that is not 0 has none. `how` says which.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum, isfinite, isinf
from typing import Literal

import numpy as np
from scipy.special import expit, logit
from scipy.stats import false_discovery_control, quantile_test, rankdata, ttest_1samp
from scipy.stats import t as student_t

from molehunt.core import intervals
from molehunt.core.intervals import DRAWS, Clusters, Rows, auroc_interval, newcombe, wilson, wilson_of
from molehunt.core.ratios import ratio_of_means as ratio_of_means
from molehunt.core.records import Measure, NotMeasured

CLIP = 1e-3
"""Probabilities are held to [0.001, 0.999] before their logarithm: one sure mistake costs 6.9 nats."""


def mean(
    values: Rows,
    clusters: Clusters,
    *,
    unit: str,
    how: str,
    seed: int = 0,
    draws: int = DRAWS,
    within: tuple[float, float] | None = None,
) -> Measure | NotMeasured:
    """Mean with a clustered interval; none from one cluster, nor from two that differ.

    `within` is the least and the greatest that a value can be, (0, 1) for shares: the interval stays there,
    and where all clusters are alike Wilson's stands in. Without it, what is all alike has no width.
    """
    if not len(values):
        return NotMeasured(f"no values for: {how}")
    row = np.asarray(values, dtype=float)
    value, k = float(row.mean()), len(set(clusters))
    which = intervals.places(clusters)
    sums, sizes = np.bincount(which, row), np.bincount(which).astype(float)
    ends: intervals.Ends = None
    if k < 2:
        said = "one cluster, no interval"
    elif intervals.alike(sums, sizes):
        ends, said = (value, value), f"the same in each of {k} clusters"
        if within:
            said = f"all alike, Wilson's interval over {k} clusters"
            low, high = within
            share = min(max((value - low) / (high - low), 0.0), 1.0)
            one, other = wilson_of(share, k)
            ends = low + (high - low) * one, low + (high - low) * other
    elif k < intervals.FEW:
        ends = intervals.of_mean(sums, sizes)
        said = f"Student's t over {k} clusters" if ends else f"{k} clusters are too few for an interval"
    else:
        weights = intervals.resamples(clusters, seed, draws)
        low, high = np.quantile(weights @ row / weights.sum(1), [0.025, 0.975])
        ends, said = (float(low), float(high)), intervals.said(clusters, draws)
    return held(Measure(value, unit, len(row), f"{how}; {said}", *(ends or (None, None)), clusters=k), within)


def held(found: Measure, within: tuple[float, float] | None) -> Measure:
    """The measure with the ends of its interval held to what can be; its value stays inside."""
    if within is None or found.low is None or found.high is None:
        return found
    low, high = (float(np.clip(e, *within)) for e in (found.low, found.high))
    return replace(found, low=min(low, found.value), high=max(high, found.value))


def mean_of_rates(
    rates: Sequence[Measure], clusters: Clusters, *, how: str, seed: int = 0
) -> Measure | NotMeasured:
    """Mean of measured rates; one alone keeps its own interval."""
    if len(rates) == 1:
        return rates[0]
    return mean([r.value for r in rates], clusters, unit="share", how=how, seed=seed, within=(0, 1))


def median(values: Rows, *, unit: str, how: str) -> Measure | NotMeasured:
    """The middle of independent values with the interval of its order statistics.

    Infinite values are too large to be told: where the upper end is one of them, the lower stands alone.
    """
    row = sorted(values)
    if not row:
        return NotMeasured(f"no values for: {how}")
    middle = row[len(row) // 2] if len(row) % 2 else sum(row[len(row) // 2 - 1 :][:2]) / 2
    if isinf(middle):
        return NotMeasured(f"half of {len(row)} or more lie beyond what was tried: {how}")
    found = quantile_test(row, q=middle, p=0.5).confidence_interval(confidence_level=0.95)  # pyright: ignore
    if isfinite(found.low) and isinf(found.high) and isinf(row[-1]):
        said = f"{how}; order statistics, the upper end beyond what was tried"
        return Measure(middle, unit, len(row), said, float(found.low))
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
    terms = brier_terms(p, truth)
    return mean(terms, clusters, unit="squared error", how="Brier score", seed=seed, within=(0, 1))


def log_score(p: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0) -> Measure | NotMeasured:
    """Mean natural log of the probability given to what was true: 0 is perfect, 0.5 scores −0.69."""
    how = f"natural log score, p clipped to [{CLIP}, {1 - CLIP}]"
    ends = float(np.log(CLIP)), float(np.log(1 - CLIP))
    return mean(log_terms(p, truth), clusters, unit="nats", how=how, seed=seed, within=ends)


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
    """Mean of ours − theirs over the same rows; its interval clears 0 when one beats the other.

    Where all clusters differ alike, and differ, there is no interval: nothing says how others would. Shares
    (by the unit, and none outside 0 … 1) that all differ alike get Student's t with two made-up pairs, one
    that differs wholly this way and one the other way.
    """
    gaps, how = [a - b for a, b in zip(ours, theirs, strict=True)], f"paired difference, {how}"
    found = mean(gaps, clusters, unit=unit, how=how, seed=seed)
    same = len(set(clusters)) > 1 and _alike(gaps, clusters)
    if isinstance(found, Measure) and same and max(map(abs, gaps)) > intervals.ALIKE:
        found = replace(found, low=None, high=None, how=f"{how}; all alike, no interval")
    if (
        not isinstance(found, Measure)
        or "share" not in unit
        or not all(0 <= v <= 1 for v in (*ours, *theirs))
    ):
        return found
    k = len(set(clusters))
    if same:
        ends = intervals.of_mean(np.array([*[found.value] * k, 1.0, -1.0]), np.ones(k + 2))
        assert ends is not None
        how = f"{how}; all alike, Student's t over {k} clusters with two made-up pairs"
        found = replace(found, low=ends[0], high=ends[1], how=how)
    return held(found, (-1, 1))


def paired_shares(
    ours: Rows, theirs: Rows, clusters: Clusters, *, how: str, most: int | None = None
) -> Measure | NotMeasured:
    """Mean of ours − theirs, shares row by row; where all differ alike, an interval as if they were unpaired.

    Newcombe's stands in then, with clusters (at most `most`) as the sample.
    """
    found = paired_difference(ours, theirs, clusters, unit="difference of shares", how=how)
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    if not isinstance(found, Measure) or len(set(clusters)) < 2 or not _alike(gaps, clusters):
        return found
    k = min(len(set(clusters)), most or len(clusters))
    low, high = newcombe(fsum(ours) / len(ours), k, fsum(theirs) / len(theirs), k)
    how = f"paired difference, {how}; all alike, so Newcombe over {k} clusters, as if unpaired"
    return replace(found, low=low, high=high, how=how)


def has_a_width(found: Measure) -> bool:
    """Whether an interval is wider than rounding; what has no interval claims no certainty either."""
    return found.low is None or found.high is None or found.high - found.low > 1e-9


def auroc(
    values: Rows, truth: Sequence[bool], clusters: Clusters, *, seed: int = 0, draws: int = DRAWS
) -> Measure | NotMeasured:
    """P(a positive ranks above a negative), ties half: 0.5 is chance. Needs both classes.

    Few clusters get Newcombe's interval: fewer than thirty where each row of a class is its own, fewer than
    ten with several rows as if each were one row, which is too wide rather than too narrow. Between these the
    jackknife over clusters stands in. A class that lies in fewer than ten clusters gets Newcombe's as well.
    """
    row, positive = np.asarray(values, dtype=float), np.asarray(truth, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return NotMeasured(f"AUROC needs both classes; there are {m} positive and {n} negative.")
    names = np.asarray(clusters, dtype=object).astype(str)
    sides, k = (len(set(names[positive])), len(set(names[~positive]))), len(set(names))
    value, spread = ranked(row, positive, intervals.resamples(clusters, seed, draws))
    closed = k < (intervals.FEW if sides == (m, n) else intervals.SPARSE) or min(sides) < intervals.SPARSE
    ends = None
    if not closed and k < intervals.FEW and 0 < value < 1:
        left = ranked(row, positive, intervals.without_each(clusters))[1]
        ends = intervals.jackknife(logit(np.array(value)), logit(left))
    if ends is not None:
        low, high = expit(ends)
        how = f"ties half; {m} against {n}; Student's t of log-odds over {k} clusters, each left out in turn"
        return Measure(value, "AUROC", m + n, how, float(low), float(high), k)
    if closed or k < intervals.FEW or not len(spread) or np.ptp(spread) == 0:
        low, high = auroc_interval(value, *sides)
        by = f"{m} against {n}" if sides == (m, n) else f"{m} against {n}, clusters {sides[0]} and {sides[1]}"
        return Measure(value, "AUROC", m + n, f"ties half; Newcombe's method 5, {by}", low, high, k)
    low, high = np.quantile(spread, [0.025, 0.975])
    how = f"ties half; {m} against {n}; {intervals.said(clusters, draws)} with both classes in them"
    return Measure(value, "AUROC", m + n, how, float(low), float(high), k)


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
        return Measure(float(np.mean(hits)), "share", len(hits), f"{how}; {by}", low, high, distinct)
    rows = [float(h) for h in hits]
    return mean(rows, clusters, unit="share", how=how, seed=seed, draws=draws, within=(0, 1))


def benjamini_hochberg(p: Rows, rate: float = 0.05) -> list[bool]:
    """Which hypotheses are rejected when a share `rate` of rejections may be false."""
    return [bool(a <= rate) for a in false_discovery_control(np.asarray(p), method="bh")] if len(p) else []


def holm(p: Rows, rate: float = 0.05) -> list[bool]:
    """Which hypotheses are rejected when the risk of any false rejection is `rate`. Holm 1979."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    cut = next((k for k, i in enumerate(order) if p[i] > rate / (len(p) - k)), len(p))
    rejected = set(order[:cut])
    return [i in rejected for i in range(len(p))]


def p_of_zero(found: Measure | NotMeasured) -> float:
    """Two-sided p of a mean of 0, from its interval as if Student's t over its clusters; 1 where it has none.

    Records that don't tell their clusters count rows. The side towards 0 counts: the other may be held to
    what can be.
    """
    if isinstance(found, NotMeasured) or found.low is None or found.high is None:
        return 1.0
    k = found.n if found.clusters is None else found.clusters
    width = found.value - found.low if found.value > 0 else found.high - found.value
    if not width or k < 2:
        return 1.0
    return 2 * float(student_t.sf(abs(found.value) / width * intervals.times(k), k - 1))


def balanced_accuracy(said: Sequence[bool], truth: Sequence[bool]) -> float | NotMeasured:
    """Mean of the share of positives and the share of negatives that were said right."""
    a, t = np.asarray(said, dtype=bool), np.asarray(truth, dtype=bool)
    if t.all() or not t.any():
        return NotMeasured("balanced accuracy needs both classes")
    return float((a[t].mean() + (~a[~t]).mean()) / 2)


def correlation(
    x: Rows, y: Rows, *, kind: Literal["pearson", "spearman"] = "spearman"
) -> Measure | NotMeasured:
    """Correlation with Fisher's z interval, over pairs that are independent.

    For Spearman with Bonett and Wright's variance (Psychometrika 65, 23, 2000), and where all ranks agree as
    if half a step of the statistic were missing: four pairs in order by chance would else be sure of it.
    It holds 94% and more up to a correlation of 0.95 from any number of pairs, 82 to 98% at 0.99.
    """
    if len(x) < 4 or len(set(x)) < 2 or len(set(y)) < 2:
        return NotMeasured(f"{kind} correlation needs four pairs that are not all alike")
    a, b = (rankdata(x), rankdata(y)) if kind == "spearman" else (np.asarray(x), np.asarray(y))
    r = float(np.corrcoef(a, b)[0, 1])
    step = 6 / (len(x) * (len(x) ** 2 - 1)) if kind == "spearman" else 1e-12
    held = float(np.clip(r, -1 + step, 1 - step))
    wide = (1 + held * held / 2 if kind == "spearman" else 1.0) / (len(x) - 3)
    z = np.arctanh(held)
    low, high = np.tanh([z - 1.96 * np.sqrt(wide), z + 1.96 * np.sqrt(wide)])
    return Measure(r, "correlation", len(x), f"{kind}; Fisher z", float(min(low, r)), float(max(high, r)))


def _alike(values: Rows, clusters: Clusters) -> bool:
    which = intervals.places(clusters)
    return intervals.alike(
        np.bincount(which, np.asarray(values, dtype=float)), np.bincount(which).astype(float)
    )
