"""From statistics to a probability: what practice on other organisms and decoys taught.

For each auditor (every method, every baseline, and the panel of all) a ridge logistic regression
turns its key statistics into log odds at prior odds of one. Practice gives twenty to forty rows, so
little may be learned from them: statistics go in as signed square roots (most are shares, near zero for
a clean model, and a root spreads what is small), standardised and clipped at three deviations, their
weights may not be negative (a method promises: the higher, the shadier), classes weigh the same,
and the strength of the ridge is the one that predicts rows of left-out behaviours best.
The panel is made of the methods that told organisms from decoys better than chance in practice
(Newcombe's interval of the AUROC above one half), or of all where none did. A statistic that was not
measured stands at the mean: it moves nothing. An auditor of which nothing was measured says 0.5.

The threshold for an accusation comes from practice decoys alone, as predicted with their own
behaviour left out: with n of them, the floor(0.05 (n + 1))-th greatest probability, and never under
0.5. A new decoy lies above the j-th greatest of n with chance j / (n + 1), as in conformal prediction
(Vovk et al. 2005), only roughly so here: decoys are scored by fits other than the one that ships.
Below 19 decoys it is the greatest one: no promise of 5%, only the most careful choice that the rows
allow. The ridge is chosen on the same predictions, so `auroc_held_out` flatters a little.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured

DEFAULT = Path(__file__).with_name("calibration_default.json")
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
CLIP = 3.0
MOST_FALSE = 0.05
MOST_CERTAIN = 0.98
"""Forty rows can't carry more certainty than this, whatever the fit says."""

Features = Mapping[str, float | NotMeasured]
"""Statistics by `method.statistic`."""


@dataclass(frozen=True)
class Logistic:
    """One auditor's fit: log odds = intercept + Σ weight · clip((±√|x| − mean) / spread)."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    ridge: float
    threshold: float
    """Accuse above this."""
    auroc_held_out: float
    """Over practice rows, each predicted with its behaviour left out."""
    decoys: int
    organisms: int

    def p_shady(self, features: Features) -> float:
        """Probability at prior odds of one; 0.5 where none of the statistics was measured."""
        odds = self.log_odds(features)
        return float(np.clip(1 / (1 + math.exp(-odds)), 1 - MOST_CERTAIN, MOST_CERTAIN))

    def log_odds(self, features: Features) -> float:
        """Its log-odds in nats, as the fit has them: not held to what practice can carry."""
        known = _roots([[_number(features.get(n)) for n in self.names]])
        if np.isnan(known).all():
            return 0.0
        x = _standard(known, np.array(self.means), np.array(self.spreads))[0]
        return self.intercept + float(x @ np.array(self.weights))


@dataclass(frozen=True)
class Calibration:
    """What practice taught, by auditor, and where it was taught."""

    auditors: Mapping[str, Logistic]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Base model, seeds, date, commit of the practice: whatever its maker states."""

    def p_shady(self, features: Features, auditor: str = "panel") -> float | NotMeasured:
        """Probability that something is planted, as this auditor's statistics have it."""
        if auditor not in self.auditors:
            return NotMeasured(f"practice did not calibrate {auditor}")
        return self.auditors[auditor].p_shady(features)

    def save(self, path: Path) -> None:
        """Write as JSON; the file is whole or not there. Errors as `atomic.write_bytes`."""
        write_json(path, self)


def load(path: Path = DEFAULT) -> Calibration:
    """Read a calibration.

    Raises:
        UserError: there is none at `path`; BadFile: it is not one.
    """
    if not path.is_file():
        raise UserError(f"There is no calibration at {path}: run `molehunt practice` to make one.")
    try:
        return from_json(Calibration, read_json(path))
    except BadFile as error:
        raise BadFile(f"{path} is not a calibration ({error}): remake it by `molehunt practice`.") from error


def fit(
    rows: Sequence[tuple[Features, bool]],
    groups: Sequence[str],
    keys: Mapping[str, Sequence[str]],
    provenance: Mapping[str, Any] | None = None,
) -> Calibration:
    """Fit every auditor of `keys`, and `panel` on all their statistics together.

    `rows` are (features, shady) of practice suspects; `groups` names each row's behaviour (a decoy
    takes its organism's); `keys` gives the statistics each auditor is judged by. Baselines, whose
    names start with `baseline_`, are kept out of the panel.

    Raises:
        UserError: practice has not at least two shady and two clean suspects.
    """
    shady = np.array([s for _, s in rows], bool)
    if min(shady.sum(), (~shady).sum()) < 2:
        raise UserError("Practice needs at least two shady and two clean suspects: play more games.")
    chosen = {a: tuple(names) for a, names in keys.items() if names}
    fits = {a: _fit_one(rows, shady, groups, names) for a, names in chosen.items()}
    methods = [a for a in fits if not a.startswith("baseline_")]
    members = [a for a in methods if _tells(fits[a])] or methods
    if members:
        fits["panel"] = _fit_one(rows, shady, groups, [n for a in members for n in chosen[a]])
    return Calibration(fits, dict(provenance or {}))


def _fit_one(
    rows: Sequence[tuple[Features, bool]],
    shady: NDArray[np.bool_],
    groups: Sequence[str],
    names: Sequence[str],
) -> Logistic:
    raw = _roots([[_number(f.get(n)) for n in names] for f, _ in rows])
    held_out = {ridge: _left_out(raw, shady, groups, ridge) for ridge in RIDGES}
    ridge = min(RIDGES, key=lambda r: _log_loss(held_out[r], shady))
    means, spreads, weights, intercept = _solve(raw, shady, ridge)
    predicted = held_out[ridge]
    return Logistic(
        names=tuple(names),
        means=tuple(means.tolist()),
        spreads=tuple(spreads.tolist()),
        weights=tuple(weights.tolist()),
        intercept=intercept,
        ridge=ridge,
        threshold=_threshold(predicted[~shady]),
        auroc_held_out=_auroc(predicted, shady),
        decoys=int((~shady).sum()),
        organisms=int(shady.sum()),
    )


def _left_out(
    raw: NDArray[np.float64], shady: NDArray[np.bool_], groups: Sequence[str], ridge: float
) -> NDArray[np.float64]:
    """Each row's probability from a fit that never saw its group; 0.5 where no fit is possible."""
    of = np.array(groups)
    out = np.full(len(shady), 0.5)
    for group in np.unique(of):
        rest = of != group
        if min(shady[rest].sum(), (~shady[rest]).sum()) < 2:
            continue
        means, spreads, weights, intercept = _solve(raw[rest], shady[rest], ridge)
        odds = intercept + _standard(raw[~rest], means, spreads) @ weights
        out[~rest] = np.clip(1 / (1 + np.exp(-odds)), 1 - MOST_CERTAIN, MOST_CERTAIN)
    return out


def _solve(
    raw: NDArray[np.float64], shady: NDArray[np.bool_], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    counts = (~np.isnan(raw)).sum(0)
    means = np.where(counts > 0, np.nansum(raw, 0) / np.maximum(counts, 1), 0.0)
    spreads = np.sqrt(np.nansum((raw - means) ** 2, 0) / np.maximum(counts, 1))
    spreads = np.where(spreads > 1e-9, spreads, 1.0)
    x = _standard(raw, means, spreads)
    balance = np.where(shady, 0.5 / shady.mean(), 0.5 / (~shady).mean())
    sign = np.where(shady, 1.0, -1.0)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (x @ theta[:-1] + theta[-1])
        slope = -balance * sign / (1 + np.exp(margin))
        value = float((balance * np.logaddexp(0, -margin)).sum() + ridge * (theta[:-1] ** 2).sum() / 2)
        return value, np.append(x.T @ slope + ridge * theta[:-1], slope.sum())

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return means, spreads, found[:-1], float(found[-1])


def _standard(
    raw: NDArray[np.float64], means: NDArray[np.float64], spreads: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.nan_to_num(np.clip((raw - means) / spreads, -CLIP, CLIP), nan=0.0)


def _threshold(decoys: NDArray[np.float64]) -> float:
    allowed = math.floor(MOST_FALSE * (len(decoys) + 1))
    return max(0.5, float(np.sort(decoys)[::-1][max(allowed, 1) - 1]))


def _auroc(p: NDArray[np.float64], shady: NDArray[np.bool_]) -> float:
    """By ranks, ties half (Mann and Whitney)."""
    m, n = int(shady.sum()), int((~shady).sum())
    return float((rankdata(p)[shady].sum() - m * (m + 1) / 2) / (m * n))


def _log_loss(p: NDArray[np.float64], shady: NDArray[np.bool_]) -> float:
    return float(-np.log(np.where(shady, p, 1 - p)).mean())


def _tells(one: Logistic) -> bool:
    """Whether practice saw this auditor do better than chance."""
    return stats.auroc_interval(one.auroc_held_out, one.organisms, one.decoys)[0] > 0.5


def _roots(raw: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    values = np.array(raw, float)
    return np.sign(values) * np.sqrt(np.abs(values))


def _number(value: float | NotMeasured | None) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
