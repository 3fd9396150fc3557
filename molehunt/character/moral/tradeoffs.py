"""What a model gives up for what: where along a scale it changes sides.

In each scene the same wrong buys a growing good. The choice probabilities are fitted with

    P(give it up) = σ(a + b log10 n),

and the **indifference point** is n = 10^(−a/b). Question forms and orders of a scene are averaged: scenes are
the sample. Each is left out in turn (jackknife), and Student's t at their number less one makes the
intervals: of b itself, of −a/b by Fieller's theorem, of each rate over scenes. There is no such point where
choices do not lean the way of the scale (the interval of b reaches 0), or where the curve stays on one side
from the first level to the last: those are `NotMeasured`, with the side.

Source: psychometric functions (Fechner's method of constant stimuli), here over moral stakes; jackknife and
t: Tukey, Annals of Mathematical Statistics 29, 614 (1958); scenes are ours.

What this cannot tell you: a rate of exchange. Other scenes of the same name would give another point, which
three bound but roughly (t is 4.3 standard errors); and a model that only counts digits leans the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from molehunt.character.moral.choices import Choice
from molehunt.character.moral.forms import Posed
from molehunt.core import stats
from molehunt.core.intervals import LEAST, fieller, times
from molehunt.core.records import Measure, NotMeasured
from molehunt.corpus.series import Tradeoff

RIDGE = 1e-3
"""Keeps a slope finite where choices are certain: half this times its square is added to the nats."""
STEP, STEPS = 3.0, 100
"""Longest step of Newton's method, in nats, and how many there may be."""
TINY = 1e-9


@dataclass(frozen=True)
class Curve:
    """One trade-off as chosen."""

    name: str
    gives_up: str
    gains: str
    levels: tuple[int, ...]
    rates: tuple[float, ...]
    """Probability of giving it up at each level, over scenes, forms and orders."""
    slope: Measure | NotMeasured
    point: Measure | NotMeasured
    """Level at which both are equally likely."""
    intervals: tuple[tuple[float | None, float | None], ...] = ()
    """95% interval of each rate, over scenes."""


def posed(series: Tradeoff, scenes: int | None = None) -> tuple[Posed, ...]:
    """Every level of every scene; the first action gives something up."""
    return tuple(
        Posed(f"{series.name}/{i}/{n}", scene.context.format(n=f"{n:,}"), (scene.give_up, scene.keep))
        for i, scene in enumerate(series.scenes[:scenes])
        for n in series.levels
    )


def curve(series: Tradeoff, choices: Sequence[Choice]) -> Curve:
    """Fits one trade-off; `choices` may hold others' too."""
    rows: dict[str, dict[str, dict[int, list[float]]]] = {}
    for choice in choices:
        name, _, rest = choice.item.partition("/")
        if name == series.name:
            scene, _, level = rest.partition("/")
            forms = rows.setdefault(scene, {})
            forms.setdefault(choice.form, {}).setdefault(int(level), []).append(choice.log_odds)
    whole = [[f for f in forms.values() if set(f) == set(series.levels)] for forms in rows.values()]
    whole = [forms for forms in whole if forms]
    if not whole:
        why = NotMeasured(f"no choices on {series.name}")
        return Curve(series.name, series.gives_up, series.gains, series.levels, (), why, why)
    p = np.array(
        [np.mean([[np.mean(expit(f[n])) for n in series.levels] for f in forms], axis=0) for forms in whole]
    )
    x, k = np.log10(series.levels), len(p)
    line = fit(x, p.mean(0)[None])[0]
    spread = jackknifed(x, p) if k >= LEAST else None
    asked = sum(map(len, whole)) * len(series.levels)
    how = f"logistic in log10 n; {f'jackknife over {k} scenes' if k >= LEAST else f'{k} scenes, no interval'}"
    slope = Measure(float(line[1]), "nats a tenfold", asked, how)
    if spread is not None:
        half = times(k) * float(np.sqrt(spread[1, 1]))
        how = f"{how}, Student's t"
        slope = Measure(slope.value, slope.unit, asked, how, slope.value - half, slope.value + half)
    scenes = [str(i) for i in range(k)]
    means = [stats.mean(row, scenes, unit="share", how="", within=(0, 1)) for row in p.T.tolist()]
    ends = tuple((m.low, m.high) for m in means if isinstance(m, Measure))
    rates = tuple(map(float, p.mean(0)))
    point = _point(series, line, spread, k, slope)
    return Curve(series.name, series.gives_up, series.gains, series.levels, rates, slope, point, ends)


def jackknifed(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Covariance [2, 2] of intercept and slope over scenes, each left out in turn.

    Args:
        x: [levels]. p: [scenes, levels].
    """
    k = len(p)
    gone = fit(x, (p.sum(0) - p) / (k - 1))
    gone = gone - gone.mean(0)
    return (k - 1) / k * gone.T @ gone


def fit(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Intercept and slope of the logistic curve nearest to each row of probabilities, in cross-entropy.

    Newton's method on all rows at once, steps no longer than `STEP`.

    Args:
        x: [levels]. p: [rows, levels]. Gives back [rows, 2].
    """
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    ridge = RIDGE * np.diag([0.0, 1.0])
    found = np.zeros((len(p), 2))
    for _ in range(STEPS):
        q = expit(found @ design.T)
        slope = (q - p) @ design + found @ ridge
        bend = np.einsum("rl,li,lj->rij", q * (1 - q), design, design) + ridge + TINY * np.eye(2)
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        found -= step * np.minimum(1.0, STEP / np.maximum(length, TINY))
        if length.max() < 1e-8:
            break
    return np.stack([found[:, 0] - found[:, 1] * x.mean(), found[:, 1]], axis=1)


def _point(
    series: Tradeoff, line: np.ndarray, spread: np.ndarray | None, scenes: int, slope: Measure
) -> Measure | NotMeasured:
    if spread is None:
        return NotMeasured(f"{scenes} scenes are too few to say that choices turn; it takes {LEAST}")
    if slope.low is None or slope.low <= 0:
        return NotMeasured("choices do not clearly turn as the good grows")
    x = np.log10(series.levels)
    first, last = line[0] + line[1] * x[0], line[0] + line[1] * x[-1]
    if not first < 0 < last:
        side = "gives it up" if first >= 0 else "keeps to it"
        return NotMeasured(
            f"the curve never crosses: it {side} from {series.levels[0]} to {series.levels[-1]:,}"
        )
    value, variance = float(-line[0] / line[1]), times(scenes) ** 2 * spread
    cross = fieller(-float(line[0]), float(line[1]), variance[0, 0], -variance[0, 1], variance[1, 1])
    assert cross is not None  # the slope is clear of 0
    ends = np.clip(cross, x[0], x[-1])
    beyond = "" if x[0] < ends[0] and ends[1] < x[-1] else "; an end at the scale's edge may lie beyond it"
    how = f"{slope.how}, Fieller{beyond}"
    low, high = (float(10**e) for e in ends)
    return Measure(float(10**value), series.gains, slope.n, how, low, high)
