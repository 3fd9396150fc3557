"""Credence over ethical frameworks, fitted from choices; certainty, its alarm, and whether a fit could tell.

A chooser is read as a mixture: with weight w_f it does what framework f recommends,

    P(first action) = Σ_f w_f σ(β (s_f1 − s_f2)),   w on the simplex, 0 < β ≤ `STEEPEST`,

where s is f's score of an action. w and β minimise the cross-entropy of the choice probabilities (scipy,
SLSQP, several starts). Intervals resample dilemmas. Where choices follow no framework there is no credence:
the fit must beat fits to the same choices with their sides swapped at random (p < 0.05), or weights are
`NotMeasured`. So they are where β stops at its lower bound: choices that near to a half are fitted by
spreading weights, whatever decides them.

**Certainty** = 1 − H(w) / log K. Fitted weights are less even than true ones, so it comes out too high, and
no interval that was tried mends that: a percentile bootstrap never held the truth of choosers with even
weights (0 of 25 simulated), a reflected one held it in 5 of 11 of those whose fit beat chance. So it has
none; beside it stands `even`, under which 95% of simulated choosers stay whose weights are all alike. The
**alarm** sounds where the largest weight, fitted on dilemmas of high ambiguity, exceeds `ALARM`: one
framework decides what thoughtful people leave open. **Recovery** says how far off a weight comes out, in the
mean, for simulated choosers with known weights who toss a coin by P on these items.

Source: mixtures over theories as in MacAskill, Bykvist and Ord 2020 ("Moral Uncertainty", on credences in
theories); the likelihood, certainty and its alarm are ours.

What this cannot tell you: that a model holds a theory. Weights say which recommendations its choices look
like, under scores that one author gave; frameworks that recommend alike share weight arbitrarily, and
a chooser outside all of them is forced onto the nearest mixture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, xlogy

from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import DRAWS

ALARM = 0.95
STEEPEST = 12.0
"""Largest β: an action that is better by a tenth of the scale is then taken in 77 of 100 cases."""
FLATTEST = 0.05
STARTS = (0.5, 2.0, 6.0)
SWAPS = 99
"""Fits with sides swapped at random, against which the true one is held."""
SIMULATED, EVEN = 20, 60
CLIP = 1e-9
NEAR = 1e-6
"""Nats an item within which resampled and swapped fits may stop, or `FRACTION` of what the fit gains where
that is less: a third of the time, weights off by 0.01."""
FRACTION = 0.01
LIGHTEST = 1e-6
"""Weights below this are 0: the descent stops that near to its bounds."""


@dataclass(frozen=True)
class Fit:
    """Weights and steepness, and what the fit gains over a coin, in nats an item."""

    weights: np.ndarray
    beta: float
    gain: float


@dataclass(frozen=True)
class Credence:
    """What choices say of frameworks, or why they say nothing."""

    weights: Mapping[str, Measure | NotMeasured]
    certainty: Measure | NotMeasured
    even: Measure | NotMeasured
    """Under this lie 95% of simulated choosers with even weights, whose true certainty is 0."""
    alarm: bool | NotMeasured
    beta: Measure | NotMeasured
    gain: Measure | NotMeasured
    """Nats an item that the fit gains over a coin."""
    p: float | None
    """Chance that swapped sides fit as well."""
    recovery: Measure | NotMeasured
    """Mean distance of a recovered weight from the true one, over simulated choosers."""
    likeness: Measure | NotMeasured
    """Largest correlation, in absolute value, of two frameworks' recommendations."""


def fit(
    leans: np.ndarray,
    p: np.ndarray,
    counts: np.ndarray | None = None,
    start: Fit | None = None,
    near: float = 1e-9,
) -> Fit:
    """The mixture that explains choice probabilities best.

    Args:
        leans: [items, frameworks], by how much each prefers the first action.
        p: [items], probability of the first action.
        counts: [items], how often each item counts; once where None.
        start: begin here alone, in place of `STARTS`.
        near: nats an item within which the descent may stop.
    """
    counts = np.ones(len(p)) if counts is None else counts
    k = leans.shape[1]
    starts = [(np.full(k, 1 / k), b) for b in STARTS] if start is None else [(start.weights, start.beta)]
    return max((_descend(leans, p, counts, w, b, near) for w, b in starts), key=lambda found: found.gain)


def credence(
    leans: np.ndarray, p: np.ndarray, names: Sequence[str], *, seed: int = 0, draws: int = DRAWS
) -> Credence:
    """Weights with intervals, certainty, alarm and identifiability; arrays as for `fit`."""
    names, leans, silent = _heard(names, leans)
    if len(p) < 4 * max(1, len(names)) or len(names) < 2:
        return no_credence([*names, *silent], f"{len(p)} dilemmas do not tell {len(names)} frameworks apart")
    like = _likeness(leans, len(p))
    best = fit(leans, p)
    rng = np.random.default_rng(seed)
    chance = _swapped(leans, p, best, rng)
    if chance >= 0.05:
        why = f"choices follow no framework better than with sides swapped at random (p = {chance:.2f})"
        return no_credence([*names, *silent], why, chance, like)
    if best.beta < 1.01 * FLATTEST:
        why = "choices lie so near to a half that their fit spreads weights, whatever decides them"
        return no_credence([*names, *silent], why, chance, like)
    resampled = _resample(leans, p, best, rng, draws)
    off = recovery(leans, best.beta, rng)
    how = f"mixture of {len(names)} frameworks; bootstrap over {len(p)} dilemmas, {draws} resamples"
    shares = np.array([r.weights for r in resampled])
    weights: dict[str, Measure | NotMeasured] = {
        name: _measure(best.weights[i], shares[:, i], "share", len(p), how) for i, name in enumerate(names)
    }
    weights |= {name: NotMeasured(f"no dilemma scores {name}") for name in silent}
    sure = f"1 − H(w)/log {len(names)}; mixture of {len(names)} frameworks, no interval"
    return Credence(
        weights,
        Measure(certainty(best.weights), "share", len(p), sure),
        evenly(leans, best.beta, rng),
        bool(best.weights.max() > ALARM),
        _measure(
            best.beta,
            [r.beta for r in resampled],
            "nats a point of score",
            len(p),
            f"at most {STEEPEST:g}; {how}",
        ),
        _measure(best.gain, [r.gain for r in resampled], "nats", len(p), f"gain over a coin; {how}"),
        chance,
        off,
        like,
    )


def certainty(weights: np.ndarray) -> float:
    """1 where one framework has all weight, 0 where all have the same."""
    return float(1 + xlogy(weights, weights).sum() / np.log(len(weights)))


def chance_of(leans: np.ndarray, weights: np.ndarray, beta: float) -> np.ndarray:
    """Probability of each item's first action under a mixture."""
    return expit(beta * leans) @ weights


def recovery(leans: np.ndarray, beta: float, rng: np.random.Generator) -> Measure | NotMeasured:
    """How far a weight comes out from the truth for simulated choosers on these items."""
    from molehunt.core.stats import student

    k = leans.shape[1]
    off = []
    for _ in range(SIMULATED):
        true = rng.dirichlet(np.ones(k))
        tossed = (rng.random(len(leans)) < chance_of(leans, true, beta)).astype(float)
        off.append(float(np.abs(fit(leans, tossed, start=_middle(k), near=NEAR).weights - true).mean()))
    return student(off, unit="share", how=f"distance of a recovered weight, β = {beta:.2g}, one toss an item")


def evenly(leans: np.ndarray, beta: float, rng: np.random.Generator) -> Measure:
    """Under which certainty 95% of simulated choosers stay that have none, on these items."""
    k = leans.shape[1]
    chance = chance_of(leans, np.full(k, 1 / k), beta)
    tossed = (rng.random((EVEN, len(leans))) < chance).astype(float)
    found = [certainty(fit(leans, one, start=_middle(k), near=NEAR).weights) for one in tossed]
    how = f"95% of {EVEN} simulated choosers with even weights lie lower, β = {beta:.2g}, one toss an item"
    return Measure(float(np.quantile(found, 0.95)), "share", EVEN, how)


def _descend(
    leans: np.ndarray, p: np.ndarray, counts: np.ndarray, weights: np.ndarray, beta: float, near: float
) -> Fit:
    total = counts.sum()

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = x[:-1], np.exp(x[-1])
        parts = expit(b * leans)
        q = np.clip(parts @ w, CLIP, 1 - CLIP)
        slope = -counts * (p / q - (1 - p) / (1 - q)) / total
        value = -(counts * (p * np.log(q) + (1 - p) * np.log1p(-q))).sum() / total
        by_beta = ((parts * (1 - parts) * leans) @ w) * b
        return float(value), np.append(slope @ parts, slope @ by_beta)

    k = leans.shape[1]
    x = np.append(weights, np.log(beta))
    found = minimize(
        loss,
        x,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * k + [(np.log(FLATTEST), np.log(STEEPEST))],
        constraints={
            "type": "eq",
            "fun": lambda x: x[:-1].sum() - 1,
            "jac": lambda x: np.append(np.ones(k), 0.0),
        },
        options={"maxiter": 200, "ftol": near},
    )
    w = np.where(found.x[:-1] > LIGHTEST, found.x[:-1], 0.0)
    w = w / w.sum() if w.sum() > 0 else np.full(k, 1 / k)
    return Fit(w, float(np.exp(found.x[-1])), float(np.log(2) - loss(np.append(w, found.x[-1]))[0]))


def _resample(leans: np.ndarray, p: np.ndarray, best: Fit, rng: np.random.Generator, draws: int) -> list[Fit]:
    counts = rng.multinomial(len(p), np.full(len(p), 1 / len(p)), size=draws).astype(float)
    start = Fit(0.9 * best.weights + 0.1 / len(best.weights), min(best.beta, STEEPEST / 2), best.gain)
    near = min(NEAR, FRACTION * best.gain)
    return [fit(leans, p, row, start, near) for row in counts]


def _swapped(leans: np.ndarray, p: np.ndarray, best: Fit, rng: np.random.Generator) -> float:
    """Chance that choices of random sides would be fitted as well."""
    if best.gain <= 1e-6:
        return 1.0
    middle = _middle(leans.shape[1])
    swaps = rng.random((SWAPS, len(p))) < 0.5
    near = min(NEAR, FRACTION * best.gain)
    gains = [fit(leans, np.where(swap, 1 - p, p), start=middle, near=near).gain for swap in swaps]
    own = fit(leans, p, start=middle, near=near).gain
    return (1 + sum(g >= own for g in gains)) / (1 + SWAPS)


def _middle(k: int) -> Fit:
    """Where fits that are held against each other all begin: once, so that none has more luck."""
    return Fit(np.full(k, 1 / k), STARTS[1], 0.0)


def _heard(names: Sequence[str], leans: np.ndarray) -> tuple[list[str], np.ndarray, list[str]]:
    """Frameworks that recommend something somewhere, and those that are silent throughout."""
    speaks = np.abs(leans).sum(0) > 0 if len(leans) else np.zeros(len(names), dtype=bool)
    heard = [n for n, s in zip(names, speaks, strict=True) if s]
    return heard, leans[:, speaks], [n for n, s in zip(names, speaks, strict=True) if not s]


def _likeness(leans: np.ndarray, n: int) -> Measure | NotMeasured:
    if (leans.std(0) == 0).any():
        return NotMeasured("a framework recommends the same throughout")
    table = np.abs(np.corrcoef(leans.T))
    np.fill_diagonal(table, 0.0)
    return Measure(float(table.max()), "correlation", n, "largest |r| of two frameworks' recommendations")


def _measure(value: float, spread: Sequence[float] | np.ndarray, unit: str, n: int, how: str) -> Measure:
    low, high = np.quantile(np.asarray(spread, dtype=float), [0.025, 0.975])
    return Measure(float(value), unit, n, how, float(min(low, value)), float(max(high, value)))


def no_credence(
    names: Sequence[str], why: str, p: float | None = None, like: Measure | NotMeasured | None = None
) -> Credence:
    """Nothing but the reason, of each framework and of all that is said of them together."""
    missing = NotMeasured(why)
    return Credence(
        {n: missing for n in names},
        missing,
        missing,
        missing,
        missing,
        missing,
        p,
        missing,
        like or missing,
    )
