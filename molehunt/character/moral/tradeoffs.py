"""What a model gives up for what: where along a scale it changes sides.

In each scene the same wrong buys a growing good. The choice probabilities are fitted with

    P(give it up) = σ(a + b log10 n),

and the **indifference point** is n = 10^(−a/b). Intervals resample scenes and question forms together. There
is no such point where choices do not lean the way of the scale (the interval of b reaches 0), or where the
curve stays on one side from the first level to the last: those are `NotMeasured`, with the side.

Source: psychometric functions (Fechner's method of constant stimuli), here over moral stakes; scenes are
ours.

What this cannot tell you: a rate of exchange. Other scenes of the same name would give another point, and a
model that only counts digits leans the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from molehunt.character.moral.choices import Choice
from molehunt.character.moral.forms import Posed
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import DRAWS
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
    intervals: tuple[tuple[float, float], ...] = ()
    """95% interval of each rate, over scenes and forms."""


def posed(series: Tradeoff, scenes: int | None = None) -> tuple[Posed, ...]:
    """Every level of every scene; the first action gives something up."""
    return tuple(
        Posed(f"{series.name}/{i}/{n}", scene.context.format(n=f"{n:,}"), (scene.give_up, scene.keep))
        for i, scene in enumerate(series.scenes[:scenes])
        for n in series.levels
    )


def curve(series: Tradeoff, choices: Sequence[Choice], *, seed: int = 0, draws: int = DRAWS) -> Curve:
    """Fits one trade-off; `choices` may hold others' too."""
    rows: dict[tuple[str, str], dict[int, list[float]]] = {}
    for choice in choices:
        name, _, rest = choice.item.partition("/")
        if name == series.name:
            scene, _, level = rest.partition("/")
            rows.setdefault((scene, choice.form), {}).setdefault(int(level), []).append(choice.log_odds)
    groups = [g for g in rows.values() if set(g) == set(series.levels)]
    if not groups:
        why = NotMeasured(f"no choices on {series.name}")
        return Curve(series.name, series.gives_up, series.gains, series.levels, (), why, why)
    p = np.array([[np.mean(expit(group[n])) for n in series.levels] for group in groups])
    x = np.log10(series.levels)
    a, b = map(float, fit(x, p.mean(0)[None])[0])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(p), np.full(len(p), 1 / len(p)), size=draws) / len(p)
    drawn = fit(x, weights @ p)
    how = f"logistic in log10 n; bootstrap over {len(p)} scenes × forms, {draws} resamples"
    low, high = np.quantile(drawn[:, 1], [0.025, 0.975])
    slope = Measure(b, "nats a tenfold", p.size, how, float(low), float(high))
    rates = tuple(map(float, p.mean(0)))
    point = _point(series, (a, b), drawn, rates, slope, how)
    ends = np.quantile(weights @ p, [0.025, 0.975], axis=0)
    intervals = tuple((float(a), float(b)) for a, b in ends.T)
    return Curve(series.name, series.gives_up, series.gains, series.levels, rates, slope, point, intervals)


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
    series: Tradeoff,
    line: tuple[float, float],
    drawn: np.ndarray,
    rates: Sequence[float],
    slope: Measure,
    how: str,
) -> Measure | NotMeasured:
    if slope.low is None or slope.low <= 0:
        return NotMeasured("choices do not clearly turn as the good grows")
    x = np.log10(series.levels)
    first, last = line[0] + line[1] * x[0], line[0] + line[1] * x[-1]
    if not first < 0 < last:
        side = "gives it up" if first >= 0 else "keeps to it"
        return NotMeasured(
            f"the curve never crosses: it {side} from {series.levels[0]} to {series.levels[-1]:,}"
        )
    cross = np.where(drawn[:, 1] > 0, -drawn[:, 0] / np.where(drawn[:, 1] > 0, drawn[:, 1], 1), x[-1])
    ends = np.quantile(np.clip(cross, x[0], x[-1]), [0.025, 0.975])
    beyond = "" if x[0] < ends[0] and ends[1] < x[-1] else "; an end at the scale's edge may lie beyond it"
    value = -line[0] / line[1]
    return Measure(float(10**value), series.gains, slope.n, how + beyond, *(float(10**e) for e in ends))
