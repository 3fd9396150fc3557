"""Whole texts drawn again, flipped or halved: intervals and nulls in which tokens of one text stay together.

Everything is computed from sums over texts. For rows x_i of text c let S_c = Σ x_i and n_c their number;
the mean over rows is ΣS_c / Σn_c. A bootstrap gives each text a weight (how often it was drawn), a sign
flip gives it −1 or +1, a split into halves puts it on one of two sides; each is a product of weights and
sums, and the squared norm of any weighted sum of vectors is wᵀGw with G = S Sᵀ.

Source: Efron 1979 for the bootstrap; for sign flips with the largest statistic of each flip as the null
of all statistics, Nichols and Holmes 2002 (Human Brain Mapping 15:1-25).

What this cannot tell you: how other *kinds* of text would do. Resampling knows the texts that it has.
"""

from collections.abc import Sequence

import numpy as np

from molehunt.core import intervals
from molehunt.core.records import Measure, NotMeasured

DRAWS = 2000
"""Bootstrap resamples and sign flips."""
HALVES = 400
"""Random splits into halves."""
FEWEST = 8
"""Documents below which contexts are resampled in their place."""


def resamples(n: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """How often each of `n` texts stands in each bootstrap sample: [draws, n]."""
    return np.random.default_rng((seed, 1)).multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def flips(n: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """A sign for each text in each draw: [draws, n] of −1 and 1."""
    return np.random.default_rng((seed, 2)).choice((-1.0, 1.0), size=(draws, n))


def halves(n: int, seed: int, draws: int = HALVES) -> np.ndarray:
    """Random splits into two halves: [draws, n] of True and False, as many of either as can be."""
    draw = np.random.default_rng((seed, 3))
    side = np.arange(n) < (n + 1) // 2
    return np.stack([draw.permutation(side) for _ in range(draws)])


def clusters(documents: Sequence[int], contexts: Sequence[int]) -> tuple[np.ndarray, str]:
    """What is resampled: the documents, or the contexts where there are few documents; and its name."""
    kinds = np.unique(np.asarray(documents))
    if len(kinds) >= FEWEST:
        return np.searchsorted(kinds, np.asarray(documents)), "documents"
    return np.unique(np.asarray(contexts), return_inverse=True)[1], "contexts"


def folded(rows: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Sums [contexts, ...] added up by cluster: [clusters, ...]."""
    made = np.zeros((int(which.max()) + 1, *rows.shape[1:]))
    np.add.at(made, which, rows)
    return made


def ratio(
    sums: np.ndarray, counts: np.ndarray, *, unit: str, how: str, seed: int = 0, of: str = "documents"
) -> Measure | NotMeasured:
    """Mean over rows, Σsums / Σcounts, with a 95% percentile interval over resampled texts.

    `sums` and `counts` are [texts]; n is the number of rows.
    """
    total = float(counts.sum())
    if not total:
        return NotMeasured(f"no rows for: {how}")
    value, texts = float(sums.sum() / total), len(counts)
    if texts < 2:
        return Measure(value, unit, int(total), f"{how}; one text, no interval")
    if texts < intervals.FEW:
        low, high = intervals.of_mean(sums, counts) or (None, None)
        by = "too few for an interval" if low is None else "Student's t"
        return Measure(value, unit, int(total), f"{how}; {texts} {of}, {by}", low, high, texts)
    weights = resamples(texts, seed)
    drawn = weights @ counts
    some = drawn > 0
    low, high = np.quantile((weights @ sums)[some] / drawn[some], [0.025, 0.975])
    said = f"{how}; bootstrap over {texts} {of}, {DRAWS} resamples"
    return Measure(value, unit, int(total), said, float(low), float(high), texts)


def norms(gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Norm of each weighted sum of vectors, [draws], from their Gram matrix [n, n] and weights [draws, n]."""
    return np.sqrt(np.einsum("dn,nm,dm->d", weights, gram, weights, optimize=True).clip(min=0.0))


def half_weights(counts: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Weights [draws, texts] whose weighted sum is the mean of one half less the mean of the other."""
    first, second = sides * 1.0, ~sides * 1.0
    return first / (first @ counts)[:, None] - second / (second @ counts)[:, None]


def largest_null(sums: np.ndarray, seed: int, draws: int = DRAWS // 2) -> tuple[np.ndarray, np.ndarray]:
    """|Σ| / √Σ² of each column of [texts, columns], and the largest of all columns under each sign flip.

    Flipping leaves the denominator as it is, so columns of any size compare. Returns [columns], [draws].
    """
    scale = np.sqrt((sums**2).sum(0))
    safe = np.where(scale > 0, scale, 1.0)
    own = np.abs(sums.sum(0)) / safe
    signs, best = flips(len(sums), seed, draws), np.zeros(draws)
    for start in range(0, sums.shape[1], 4096):
        part = slice(start, start + 4096)
        best = np.maximum(best, (np.abs(signs @ sums[:, part]) / safe[part]).max(1, initial=0.0))
    return own, best


def p_values(own: np.ndarray, null: np.ndarray) -> np.ndarray:
    """(1 + draws of the null at least as large) / (1 + draws), for each statistic."""
    ranked = np.sort(null)
    # A flip that gives the very same sum in another order must count as equal.
    above = len(ranked) - np.searchsorted(ranked, own * (1 - 1e-9), side="left")
    return (1 + above) / (1 + len(ranked))
