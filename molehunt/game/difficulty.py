"""Scans of how hard a quirk is to make, in a folder that can be gone on with; and what one would cost.

The folder gets `plan.json` (what is fixed), `trials/` (a pair's measures a file) and `results.json`. Factors
may be scanned one after another, in as many calls.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from molehunt.catalogue.pairs import refuse
from molehunt.core import asked
from molehunt.core.alone import alone
from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.errors import BadFile, RunMismatch, UnknownName, UserError
from molehunt.core.extend import load
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured, Quirk
from molehunt.game.estimate import SCENE_TOKENS, in_words, pace
from molehunt.game.library import listed_quirk
from molehunt.game.plant_cost import PLAIN
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.models.check import fit_to_speak
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.machine import this_machine
from molehunt.organisms.difficulty import at, checked, default_values, most, scan
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import FACTORS, Difficulty, Factor, paths
from molehunt.organisms.least import difficulty as least_of
from molehunt.organisms.plan import Plan, changes
from molehunt.organisms.strangers import contents, quirk_of, told
from molehunt.organisms.subject import subject_of

RESULTS = "results.json"
SEEDS = 1000
"""Most of a scan."""


@dataclass(frozen=True)
class Task:
    """What is scanned: all that must agree for a folder to be gone on with, and the grids."""

    quirk: Quirk
    harmless: Quirk | None
    plan: Plan
    grids: Mapping[Factor, tuple[float, ...]]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Cost:
    """What a task would take from the start; trials on disk are not counted off."""

    trials: int
    """If every least lies where the search ends soonest."""
    trials_most: int
    steps: int
    """Training steps, the decoys' included."""
    steps_most: int
    minutes: float | NotMeasured
    minutes_most: float | NotMeasured
    basis: str

    @property
    def time(self) -> str:
        """The minutes in words."""
        return in_words(
            *(m if isinstance(m, NotMeasured) else 60 * m for m in (self.minutes, self.minutes_most))
        )


def task(
    behaviour: str | None = None,
    condition: str | None = None,
    *,
    file: str | Path | None = None,
    plan: Plan | None = None,
    behaviour_options: Mapping[str, str] | None = None,
    condition_options: Mapping[str, str] | None = None,
    harmless: str | None = None,
    factors: Sequence[Factor] = FACTORS,
    values: Sequence[float] = (),
    seeds: int = 3,
    steps: int = GameSpec.steps,
    seed: int = 0,
) -> Task:
    """A task from names, or of the quirk in `file`, checked.

    Args:
        file: a quirk's own, of `molehunt bring` or a stranger's, in place of names and options.
        plan: how pairs are planted, in one try, in place of the default plan with `steps`.
        values: the grid of a single factor; each has one of its own.

    Raises:
        UnknownName: no such behaviour, condition or option.
        BadFile: the file holds no quirk.
        UserError: names and a file, or neither; no factor or seed, values for several factors at once, or
            values that it can't have.
    """
    if seeds > SEEDS:
        raise UserError(f"--seeds is {seeds}; it should be at most {SEEDS}.")
    for one in factors:
        if one not in FACTORS:
            raise UnknownName("factor", one, FACTORS)
    if not factors or seeds < 1 or steps < 1:
        raise UserError("A scan needs at least one factor, one seed and one step.")
    if values and len(set(factors)) > 1:
        raise UserError("Values are those of one factor; name it with --factors.")
    quirk = _quirk(behaviour, condition, file, behaviour_options, condition_options)
    subject_of(quirk)
    refuse(quirk)
    if harmless is not None and not load("catalogue.behaviours", harmless).harmless:
        raise UserError(f"{harmless} is not harmless; a decoy's own behaviour must be.")
    twin = Quirk(harmless, quirk.condition, {}, quirk.condition_options) if harmless is not None else None
    plan = replace(plan or Plan(steps=steps), tries=1).checked()
    drawn = tuple(range(seed, seed + seeds))
    grids: dict[Factor, tuple[float, ...]] = {
        f: checked(f, values, quirk) if values else default_values(f, quirk, plan, drawn, twin)
        for f in dict.fromkeys(factors)
    }
    return Task(quirk, twin, plan, grids, drawn)


def _quirk(
    behaviour: str | None,
    condition: str | None,
    file: str | Path | None,
    behaviour_options: Mapping[str, str] | None,
    condition_options: Mapping[str, str] | None,
) -> Quirk:
    if file is not None:
        if behaviour or condition or behaviour_options or condition_options:
            raise UserError(
                "A quirk's file brings its own behaviour, condition and options; give none beside it."
            )
        return quirk_of(Path(file))
    if not behaviour or not condition:
        raise UserError("Name a behaviour and a condition, or a quirk's file.")
    return listed_quirk(behaviour, condition, behaviour_options, condition_options)


def difficulty(
    what: Task,
    folder: str | Path,
    *,
    model: str = "default",
    revision: str | None = None,
    watch: Watch | None = None,
    note: Mapping[str, Any] | None = None,
) -> Difficulty:
    """Scan every factor of the task, or go on where an earlier scan stopped; `results.json` grows by factor.

    `note` is what the command was asked, kept for going on (`core/asked.py`).

    Raises:
        RunMismatch: the folder was begun with another quirk, model, plan or steps.
        UserError: it holds something else, or another scan is at work in it.
    """
    watch, target = watch or Watch(None), Path(folder)
    with alone(target):
        return _scanned(what, target, model, revision, watch, note)


def _scanned(
    what: Task,
    target: Path,
    model: str,
    revision: str | None,
    watch: Watch,
    note: Mapping[str, Any] | None,
) -> Difficulty:
    begun = target / "plan.json"
    if target.exists() and not begun.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is not empty, or no folder; choose a new one.")
    before = read_json(begun) if begun.exists() else None
    opened = fit_to_speak(open_model(ModelSpec(model, revision)))
    names = {"quirk": told(what.quirk), "harmless": what.harmless and told(what.harmless)}
    steps = steps_for(what.quirk, what.plan.steps)
    fixed = to_json({**names, "plan": what.plan, "steps": steps, "weights": opened.fingerprint})
    file = what.quirk.behaviour_options.get("file")
    if file is not None:  # by what is in it, wherever it lies
        fixed["file"] = hashlib.sha256(canonical(contents(Path(file)))).hexdigest()
    if before is not None and before != fixed:
        raise RunMismatch(
            f"{target} was begun with another quirk, model or plan, or by a version that "
            "gives it other steps; choose another folder or the same ones."
        )
    write_json(begun, fixed)
    asked.keep(target, note)
    reckoned = cost(what, model)
    watch.say(f"{reckoned.trials} to {reckoned.trials_most} trials from the start; time: {reckoned.time}.")
    found = Difficulty(
        quirk=told(what.quirk),
        harmless=what.harmless and told(what.harmless),
        model=model,
        fingerprint=opened.fingerprint,
        steps=steps,
        rank=what.plan.recipe.rank,
        scans=read_results(target).scans if (target / RESULTS).exists() else (),
        changes=changes(what.plan),
    )
    for factor, grid in what.grids.items():
        made = scan(
            opened,
            what.quirk,
            factor,
            grid,
            what.seeds,
            target,
            what.plan,
            lambda at_what, share, name=factor: watch.bar(name, share, at_what),
            what.harmless,
        )
        scans = {**{s.factor: s for s in found.scans}, factor: made}
        found = replace(found, scans=tuple(scans[f] for f in FACTORS if f in scans))
        write_json(target / RESULTS, found)
    asked.keep(target, note, done=True)
    return found


def read_results(folder: Path) -> Difficulty:
    """What a scan left in its folder; its intervals are made anew of what its seeds needed.

    Raises:
        BadFile: nothing that can be read as that.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise BadFile(f"{folder} holds no {RESULTS}; `molehunt difficulty` writes it.")
    found = from_json(Difficulty, read_json(path))
    anew = (replace(s, difficulty=least_of(s.leasts, s.factor)) for s in found.scans)
    return replace(found, scans=tuple(anew))


def cost(what: Task, model: str) -> Cost:
    """Reckon; nothing is loaded, written or trained (the machine is measured, once, in about a second)."""
    low = high = (0, 0)
    for (factor, grid), seed in product(what.grids.items(), what.seeds):
        ways = []
        for tried in paths(grid, most(factor, grid, what.quirk, what.harmless, what.plan, seed)):
            plans = [at(what.plan, what.quirk, factor, v) for v in tried]
            ways.append((len(tried), sum(2 * steps_for(what.quirk, p.steps) for p in plans)))
        low = (low[0] + min(n for n, _ in ways), low[1] + min(s for _, s in ways))
        high = (high[0] + max(n for n, _ in ways), high[1] + max(s for _, s in ways))
    at_pace = pace(model)
    if isinstance(at_pace, NotMeasured):
        return Cost(low[0], high[0], low[1], high[1], at_pace, at_pace, this_machine().why())

    def minutes(trials: int, steps: int) -> float:
        scenes = trials * 4 * what.plan.held_out
        return (20 + at_pace.training(steps) + at_pace.reading(scenes * SCENE_TOKENS, scenes)) / 60

    basis = at_pace.basis
    if what.plan.how not in PLAIN:
        basis += f"; steps of {what.plan.how} take longer than is reckoned"
    return Cost(low[0], high[0], low[1], high[1], minutes(*low), minutes(*high), basis)
