"""Bradley–Terry strengths of a few things from log-odds between each two, with intervals, and cycles.

Each cluster (a setting, a request) gives log-odds of the first over the second for every pair. Preferences
are p = σ(log-odds), averaged over clusters; the strengths θ minimise the cross-entropy of p under

    P(i over j) = σ(θ_i − θ_j),   Σ θ = 0,

by Newton's method with a small ridge. Intervals resample clusters, or leave each out in turn where there are
few (`core/intervals.py`). The **cycle rate** is the share of
triples, cluster by cluster, in which i beats j, j beats k and k beats i; 1/4 where preferences are tossed.

Source: Bradley and Terry 1952 (Biometrika 39:324); cycles as in value conflicts (2509.25369).

What this cannot tell you: that there is one order. Strengths are the nearest order to preferences that may
have none: read the cycle rate beside them. And noise draws the agreement of two orders toward 0: its interval
reaches as far above the value as below, and still holds a perfect agreement no more than 91% of the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

from molehunt.core import intervals, stats
from molehunt.core.records import Measure, NotMeasured

RIDGE = 1e-3
STEPS = 60
TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Ranked:
    """Strengths with what they rest on."""

    strengths: Mapping[str, Measure | NotMeasured]
    """Nats above the mean of all."""
    cycles: Measure | NotMeasured
    drawn: np.ndarray
    """[resamples, things], the strengths of each resample; none of too few clusters to resample."""
    clusters: int


def ranked(
    names: Sequence[str], odds: np.ndarray, *, how: str, seed: int = 0, draws: int = stats.DRAWS
) -> Ranked:
    """Strengths from log-odds [clusters, pairs], pairs in the order of `combinations(names, 2)`."""
    missing = NotMeasured(f"fewer than two clusters or things: {how}")
    if len(odds) < 2 or len(names) < 2:
        return Ranked(dict.fromkeys(names, missing), missing, np.zeros((0, len(names))), len(odds))
    p, k = expit(odds), len(odds)
    best = strengths(len(names), p.mean(0)[None])[0]
    drawn = np.zeros((0, len(names)))
    if k >= intervals.SPARSE:
        weights = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=draws) / k
        drawn = strengths(len(names), weights @ p)
    if k >= intervals.FEW:
        ends, by = (
            np.quantile(drawn, [0.025, 0.975], axis=0),
            f"bootstrap over {k} clusters, {draws} resamples",
        )
    else:
        ends = intervals.jackknife(best, strengths(len(names), (p.sum(0) - p) / (k - 1)))
        by = f"Student's t over {k} clusters, each left out in turn"
        by = f"{k} clusters are too few for an interval" if ends is None else by
    found: dict[str, Measure | NotMeasured] = {}
    for i, name in enumerate(names):
        low, high = (None, None) if ends is None else (float(ends[0][i]), float(ends[1][i]))
        said = f"Bradley–Terry, {how}; {by}"
        found[name] = Measure(float(best[i]), "nats above the mean", odds.size, said, low, high, k)
    return Ranked(found, _cycles(len(names), odds, how, seed), drawn, k)


def strengths(count: int, p: np.ndarray) -> np.ndarray:
    """[rows, things] of preferences [rows, pairs]; each row sums to 0."""
    design = np.zeros((p.shape[1], count))
    for row, (i, j) in enumerate(combinations(range(count), 2)):
        design[row, i], design[row, j] = 1.0, -1.0
    found = np.zeros((len(p), count))
    for _ in range(STEPS):
        q = expit(found @ design.T)
        slope = (q - p) @ design + RIDGE * found
        bend = np.einsum("rp,pi,pj->rij", q * (1 - q), design, design) + (RIDGE + TINY) * np.eye(count)
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        found -= step * np.minimum(1.0, 3.0 / np.maximum(length, TINY))
        if length.max() < 1e-8:
            break
    return found - found.mean(1, keepdims=True)


def agreement(one: Ranked, other: Ranked) -> Measure | NotMeasured:
    """Rank correlation of two orders of the same things; resamples are paired as they come.

    The interval is the percentiles' and their mirror image about the value, whichever reaches farther; none
    where one of the two rests on fewer than ten clusters, from which either holds too seldom.
    """
    best = [[m.value for m in r.strengths.values() if isinstance(m, Measure)] for r in (one, other)]
    if not best[0] or not best[1] or list(one.strengths) != list(other.strengths):
        return NotMeasured("one of the two orders is missing")
    value = _spearman(*map(np.array, best))
    if value is None:
        return NotMeasured("one of the two has no order: all its things are as strong")
    k, how = min(one.clusters, other.clusters), f"Spearman over {len(best[0])} things"
    pairs = zip(one.drawn, other.drawn, strict=False)
    drawn = [r for a, b in pairs if (r := _spearman(a, b)) is not None]
    if not drawn:
        how = f"{how}; {k} clusters are too few for an interval"
        return Measure(value, "correlation", len(best[0]), how, clusters=k)
    low, high = np.quantile(drawn, [0.025, 0.975])
    ends = min(low, 2 * value - high), max(high, 2 * value - low)
    how = f"{how}; both resampled and mirrored, {len(drawn)} resamples that have an order"
    return Measure(value, "correlation", len(best[0]), how, *map(float, np.clip(ends, -1, 1)), clusters=k)


def _spearman(one: np.ndarray, other: np.ndarray) -> float | None:
    """Rank correlation; None where one of the two has no order."""
    a, b = rankdata(one), rankdata(other)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else None


def _cycles(count: int, odds: np.ndarray, how: str, seed: int) -> Measure | NotMeasured:
    """Share of triples that go round, over clusters."""
    place = {pair: n for n, pair in enumerate(combinations(range(count), 2))}
    round_: list[float] = []
    clusters: list[str] = []
    for number, row in enumerate(odds):
        for i, j, k in combinations(range(count), 3):
            first, second, third = row[place[i, j]] > 0, row[place[j, k]] > 0, row[place[i, k]] > 0
            round_.append(float(first == second and second != third))
            clusters.append(str(number))
    said = f"triples that go round, chance 1/4, {how}"
    return stats.mean(round_, clusters, unit="share", how=said, seed=seed, within=(0, 1))
