"""How strongly a direction makes a speaker lie: the same prompts and the same null for every direction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hearing import Told

from molehunt.core.record_json import to_json
from molehunt.interp.behaving import Asked, Behaviour
from molehunt.interp.direction import Direction
from molehunt.interp.dose import Experiment, response, run_cells
from molehunt.interp.steer import Place, median_norms
from molehunt.models.loaded import Model
from molehunt.models.text import ordinary_text

PROMPTS, TEXTS = 24, 3


def dosed(
    speaker: Model,
    along: Direction,
    told: Sequence[Told],
    strengths: Sequence[float],
    work: Path,
    seed: int,
) -> dict[str, Any]:
    """Log-odds of the lie against the right answer by strength, beside 20 random directions.

    Args:
        speaker: whose activations are pushed, at `along.address`.
        told: scenes heard; each question of the audit bank where it lies is asked once, `PROMPTS` at most.
        strengths: in units of the median norm there.
        work: cells already measured are found here.
    """
    asked, seen = [], set()
    for t in told:
        if t.split == "audit" and t.scene.on and t.scene.item not in seen and len(asked) < PROMPTS:
            seen.add(t.scene.item)
            asked.append(Asked(t.scene.messages, t.scene.item, (t.scene.shady,), (t.scene.good,)))
    places = tuple(Place(a, n) for a, n in median_norms(speaker, [along.address]).items())
    experiment = Experiment(
        along,
        places,
        tuple(strengths),
        tuple(asked),
        Behaviour(),
        tuple(ordinary_text(TEXTS, seed=1)),
        seed=seed,
    )
    made = response(experiment, run_cells(speaker, experiment, work))
    return {
        "place": along.address,
        "prompts": len(asked),
        "slope": to_json(made.slope),
        "random_slopes": sorted(made.random_slopes),
        "clear": to_json(made.clear),
        "p": to_json(made.p),
        "doses": [to_json(d) for d in made.doses],
    }
