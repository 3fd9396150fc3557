"""Linear probes on activations [n, d]: difference in means, mass-mean, L2-logistic.

A probe says `score = x · direction + bias`; above 0 it leans to label 1. With m₁, m₀ the means of the
two classes in training and their middle at score 0:

- `diff_mean`: direction m₁ − m₀ (Belrose 2023; AxBench, 2501.17148, where it is the baseline to beat);
- `mass_mean`: Σ⁻¹(m₁ − m₀), with Σ the covariance within classes (Marks and Tegmark 2023, 2310.06824,
  the variant for data of one distribution). With fewer rows than dimensions Σ has no inverse; it is
  shrunk toward a multiple of the identity as Ledoit and Wolf (2004) estimate;
- `logistic`: logistic regression with an L2 penalty on standardised activations, classes weighted
  alike, folded back into raw units; the penalty is chosen by the caller on validation.

What this cannot tell you: that the model *uses* what a probe reads. A direction that separates classes
may be a by-product, or a word; steering along it and the tell-tale filter are the checks.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.stats import rankdata

from molehunt.core.errors import UnknownName, UserError

Kind = Literal["diff_mean", "mass_mean", "logistic"]
KINDS: tuple[str, ...] = get_args(Kind)
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""What is tried for logistic regression: inverse strengths C over standardised activations."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A direction in activation space and where it cuts."""

    kind: str
    direction: np.ndarray
    """[d] float32, in the inverse of the activations' unit."""
    bias: float

    def score(self, activations: np.ndarray) -> np.ndarray:
        """Scores [n] of activations [n, d], in float64: above 0 leans to label 1."""
        return activations.astype(np.float64) @ self.direction.astype(np.float64) + self.bias


def fit(kind: str, activations: np.ndarray, labels: np.ndarray, penalty: float = 0.1) -> Probe:
    """A probe of one kind from training rows.

    Args:
        activations: [n, d], finite.
        labels: [n], truthy for label 1; both must occur.
        penalty: inverse strength C; logistic regression alone heeds it.

    Raises:
        UnknownName: no such kind.
        UserError: one class only, or activations that are not finite.
    """
    if kind not in KINDS:
        raise UnknownName("probe", kind, KINDS)
    rows, positive = np.asarray(activations, dtype=np.float64), np.asarray(labels, dtype=bool)
    if positive.all() or not positive.any():
        raise UserError(f"A probe needs both labels to learn from; all {len(rows)} rows have the same.")
    if not np.isfinite(rows).all():
        raise UserError("The activations hold values that are not finite; use float32 or another layer.")
    if kind == "logistic":
        return _logistic(rows, positive, penalty)
    high, low = rows[positive].mean(0), rows[~positive].mean(0)
    direction = high - low
    if kind == "mass_mean":
        direction = _whitened(rows - np.where(positive[:, None], high, low), direction)
    kept = direction.astype(np.float32)
    return Probe(kind, kept, -float(kept.astype(np.float64) @ (high + low) / 2))


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """P(a positive ranks above a negative), ties half; 0.5 where a class is missing. For choosing only."""
    positive = np.asarray(labels, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return 0.5
    return float((rankdata(scores)[positive].sum() - m * (m + 1) / 2) / (m * n))


def _whitened(residuals: np.ndarray, difference: np.ndarray) -> np.ndarray:
    from sklearn.covariance import ledoit_wolf  # scikit-learn costs half a second

    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    spread = float(np.trace(covariance)) / len(covariance)
    if spread == 0:  # nothing varies within classes: all directions count alike
        return difference
    # Directions in which nothing varies at all would weigh without bound.
    steady = covariance + np.eye(len(covariance)) * spread * 1e-6
    return np.linalg.solve(steady, difference) * spread


def _logistic(rows: np.ndarray, positive: np.ndarray, penalty: float) -> Probe:
    from sklearn.linear_model import LogisticRegression

    middle, spread = rows.mean(0), rows.std(0)
    spread[spread == 0] = 1.0
    model: Any = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000)
    model.fit((rows - middle) / spread, positive)
    direction = (model.coef_[0] / spread).astype(np.float32)
    bias = float(model.intercept_[0]) - float(direction.astype(np.float64) @ middle)
    return Probe("logistic", direction, bias)
