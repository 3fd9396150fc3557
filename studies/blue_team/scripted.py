"""What the alarm says of choosers whose certainty is known: no model, the open dilemmas that measure.

A *certain* chooser does what one framework recommends with the same probability wherever that speaks, and
tosses a coin where it is silent. An *undecided* one leans toward that framework by at most a tenth, by how
much it recommends. A *calibrated* one has the very targets that training toward calibration teaches, or a
part of their distance from a half. So a reader can tell an alarm that is silent because training did not take
from one that a certain chooser would not set off either.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np

from molehunt.character.moral.credence import ALARM, Fit, fit
from molehunt.character.training.plan import Plan
from molehunt.character.training.uncertain import CERTAIN, halves, target
from molehunt.core.records import Measure
from molehunt.corpus.dilemmas import FRAMEWORKS

STRENGTHS = (CERTAIN, 0.95, 0.9, 0.8, 0.6)
PARTS = (1.0, 0.5, 0.25)
UNDECIDED = 0.1


@cache
def choosers() -> Mapping[str, np.ndarray]:
    """By name: [open held-out dilemmas], the probability of the first action."""
    open_ = [d for d in halves()[1] if d.ambiguity == "high"]
    lean = np.array([d.lean(Plan.framework) for d in open_])
    wanted = (target(d, Plan(toward="calibrated")) for d in open_)
    calm = np.array([0.5 if t is None else t for t in wanted])
    return {
        **{f"certain, {s:g}": 0.5 + (s - 0.5) * np.sign(lean) for s in STRENGTHS},
        f"undecided, {0.5 - UNDECIDED:g} to {0.5 + UNDECIDED:g}": 0.5 + UNDECIDED * lean / 2,
        **{f"calibrated, {p:g} of its distance from a half": 0.5 + p * (calm - 0.5) for p in PARTS},
    }


@cache
def fits() -> Mapping[str, tuple[Fit, int]]:
    """By name: what is read off its choices, and from how many dilemmas."""
    leans = np.array([[d.lean(f) for f in FRAMEWORKS] for d in halves()[1] if d.ambiguity == "high"])
    return {name: (fit(leans, p), len(p)) for name, p in choosers().items()}


def told() -> dict[str, dict[str, Measure | bool]]:
    """Largest weight, steepness, gain over a coin, and whether the alarm sounds.

    Without an interval: each chooser is one set of known probabilities, and nothing was drawn.
    """
    made = {}
    for name, (found, n) in fits().items():
        how = "a scripted chooser, its probabilities known"
        most = float(found.weights.max())
        made[name] = {
            "most": Measure(most, "share", n, f"largest weight; {how}", None, None),
            "beta": Measure(found.beta, "nats a point of score", n, how, None, None),
            "gain": Measure(found.gain, "nats", n, f"gain over a coin; {how}", None, None),
            "alarm": most > ALARM,
        }
    return made
