"""Scores to probabilities, and how far these are off: Platt's sigmoid and the calibration error.

`p = 1 / (1 + exp(−(slope·s + offset)))`, fitted on validation scores by maximum likelihood toward Platt's
(1999) softened targets (N₊+1)/(N₊+2) and 1/(N₋+2), so that separable scores get no infinite slope. The
expected calibration error sorts test rows by p into up to ten bins of equal size and averages |mean p −
share of label 1|; its interval resamples clusters.

What this cannot tell you: probabilities where label 1 is rarer or commoner than in validation; they
move with it. The error of even a perfect p is above 0 in few rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from molehunt.core.records import Measure, NotMeasured

BINS, DRAWS, LEAST = 10, 500, 20


@dataclass(frozen=True)
class Platt:
    """A sigmoid over scores."""

    slope: float
    offset: float

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities [n] of label 1."""
        return expit(self.slope * np.asarray(scores, dtype=float) + self.offset)


def platt(scores: np.ndarray, labels: np.ndarray) -> Platt:
    """The sigmoid of validation scores [n] with labels [n]."""
    row, positive = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    middle, spread = float(row.mean()), float(row.std()) or 1.0
    n = int(positive.sum())
    goal = np.where(positive, (n + 1) / (n + 2), 1 / (len(row) - n + 2))
    x = (row - middle) / spread

    def loss(ab: np.ndarray) -> tuple[float, np.ndarray]:
        z = ab[0] * x + ab[1]
        off = expit(z) - goal
        return float(np.sum(np.logaddexp(0, z) - goal * z)), np.array([off @ x, off.sum()])

    found = minimize(loss, np.zeros(2), jac=True, method="BFGS")
    slope = float(found.x[0]) / spread
    return Platt(slope, float(found.x[1]) - slope * middle)


def calibration_error(
    p: np.ndarray, labels: np.ndarray, clusters: Sequence[str], seed: int = 0
) -> Measure | NotMeasured:
    """Expected calibration error with a clustered bootstrap interval."""
    p, truth = np.asarray(p, dtype=float), np.asarray(labels, dtype=float)
    if len(p) < LEAST:
        return NotMeasured(f"a calibration error needs {LEAST} rows; there are {len(p)}")
    names, which = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    value = _error(p, truth, np.ones(len(p)))
    how = f"expected calibration error, up to {BINS} bins of equal size"
    if len(names) < 2:
        return Measure(value, "probability", len(p), f"{how}; one cluster, no interval")
    k = len(names)
    counts = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=DRAWS)
    low, high = np.quantile([_error(p, truth, c[which]) for c in counts], [0.025, 0.975])
    how = f"{how}; bootstrap over {k} clusters, {DRAWS} resamples"
    return Measure(value, "probability", len(p), how, float(low), float(high), k)


def _error(p: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(p, kind="stable")
    p, truth, weight = p[order], truth[order], weight[order].astype(float)
    bins = max(1, min(BINS, len(p) // 10))
    total = weight.sum()
    bin_of = np.minimum((np.cumsum(weight) - weight / 2) / total * bins, bins - 1e-9).astype(int)
    return float(np.abs(np.bincount(bin_of, weight * (p - truth), bins)).sum() / total)
