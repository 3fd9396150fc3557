"""A red team that searches for an organism which stays valid and outwits auditors, monitors or remedies.

1. Trials (`trial.py`) come one after the other, in the order of `organisms.halving`, through the specs of
   `organisms.space`: from the plain spec on, until an allowance (plantings, queries, seconds) would not cover
   another. Every planting, every query of auditors and monitors and every second of remedies is on the bill.
2. The winner and the plain spec are planted anew on fresh seeds and on quirks that the search never saw
   (`fresh.py`); what is claimed rests on these.

The folder gets `plan.json` (what is fixed), `trials/` and `fresh/` (a trial a folder, whole or not there),
`results.json` and `winner.json`. The same command goes on after the last whole trial, with a larger allowance
too: which trial comes next depends on those before it alone. Places anew are the same then, so what is said
of them is a further look, and says so; as it does where the code changed between trials. It is the red team's
folder: it holds truths.

Source: ours; after the red teams of auditing games, Marks et al. 2025 (2503.10965), and AuditBench
(2602.22755).

What this cannot tell you: that no organism hides better, or lasts longer; how auditors and remedies do that
were not searched against, or auditors that are calibrated anew on such organisms.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from molehunt.core import asked
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.record_json import to_json
from molehunt.core.store import Run, stage_key
from molehunt.game.away import tidy
from molehunt.game.fresh import Fresh, Where
from molehunt.game.monitoring import fitting, opened
from molehunt.game.trial import Trial, read_trial, run_trial
from molehunt.game.watch import Watch
from molehunt.game.worse_result import RESULTS, WINNER, Result, kept, result
from molehunt.game.worse_task import Task, affordable, digest, fresh_places
from molehunt.organisms.halving import Tried, next_step, winner
from molehunt.organisms.space import changed, plan_at
from molehunt.organisms.strangers import contents, told

PLAN = "plan.json"


def worse(
    what: Task, folder: str | Path, watch: Watch | None = None, note: Mapping[str, Any] | None = None
) -> Result:
    """Search in `folder`, or go on there; then plant anew and write what came of it.

    `note` is what the command was asked, kept for going on (`core/asked.py`).

    Raises:
        RunMismatch: the folder holds another search. UserError: it holds something else.
    """
    watch, home = watch or Watch(None), Path(folder)
    _fit(what, home)
    if what.setting.monitors:  # before anything is planted that they could not read
        fitting(opened(what.setting.model, what.setting.revision), what.setting.monitors)
    with Run(home).held():
        write_json(home / PLAN, fixed(what))
        asked.keep(home, note)
        tidy(home)
        trials, tried = _search(what, home, watch)
        best = winner(tried)
        fresh = tuple(_anew(what, home, where, tried[best], best, watch) for where in ("sought", "other"))
        found = result(what, home, trials, tried, best, fresh)
        write_json(home / WINNER, kept(what, found))
        write_json(home / RESULTS, found)
        asked.keep(home, note, done=True)
    return found


def _fit(what: Task, home: Path) -> None:
    there = home / PLAN
    if there.is_file():
        if read_json(there) != fixed(what):
            raise RunMismatch(
                f"{home} holds another search; choose another folder, or give the same quirks, "
                "auditors, monitors, remedies and seed."
            )
    elif home.exists() and (not home.is_dir() or any(p.name != ".lock" for p in home.iterdir())):
        raise UserError(f"{home} is not empty, or no folder; choose a new one.")


def fixed(what: Task) -> Any:
    """All that decides what a trial is, and which comes next."""
    files = [Path(f) for q in what.quirks if (f := q.behaviour_options.get("file"))]
    setting = to_json(replace(what.setting, monitors=()))
    setting["monitors"] = {one.name: one.sha256 for one in what.setting.monitors}
    setting["calibration"] = digest(what.setting.calibration)
    del setting["closed"]
    setting["creed"] = stage_key(what.setting.creed)
    if not what.setting.remedies:  # then neither decides anything
        del setting["remedies"], setting["creed"], setting["fix_effort"]
    if not what.setting.monitors:  # as in searches that were begun before there were any
        del setting["monitors"]
    return {
        "quirks": [to_json(told(q)) for q in what.quirks],
        "files": [digest(contents(f)) for f in files],
        "plan": to_json(what.plan),
        "setting": setting,
        "space": to_json(what.space),
        "seed": what.seed,
    }


def _search(what: Task, home: Path, watch: Watch) -> tuple[list[Trial], list[Tried]]:
    trials: list[Trial] = []
    tried: list[Tried] = []
    space = what.space
    while True:
        step = next_step(space, tried, what.seed)
        if step is None:
            break
        here, place = home / "trials" / f"{len(trials):03d}", what.place(step.place)
        made = read_trial(here)
        if made is None:
            queries = affordable(what, trials)
            if queries is None:
                break
            watch.bar("search", len(trials) / what.allowance.plantings, changed(space, step.choice)[:60])
            plan = plan_at(space, what.plan, step.choice)
            made = run_trial(
                what.setting, step.candidate, step.choice, plan, step.place, place, here, home, queries, watch
            )
        asked = (step.candidate, step.choice, step.place, place.seed)
        if (made.candidate, made.choice, made.place, made.seed) != asked:
            raise BadFile(f"{here} is not the trial that this search makes there; restore it, or delete it.")
        trials.append(made)
        before = tried[step.candidate].scores if step.candidate < len(tried) else ()
        tried[step.candidate : step.candidate + 1] = [Tried(step.choice, (*before, made.score))]
    watch.bar("search", 1.0, "done")
    return trials, tried


def _anew(what: Task, home: Path, where: Where, best: Tried, number: int, watch: Watch) -> Fresh:
    """Plain spec and winner on places that the search never saw."""
    space = what.space
    made: dict[int, list[Trial]] = {0: [], number: []}
    places = fresh_places(what, where)
    for candidate, choice in {0: space.plain, number: best.choice}.items():
        for i, place in enumerate(places):
            here = home / "fresh" / f"{where}-{candidate:03d}-{i:02d}"
            watch.bar(f"planting anew, {where}", (i + len(places) * bool(candidate)) / (2 * len(places)))
            plan = plan_at(space, what.plan, choice)
            one = read_trial(here) or run_trial(
                what.setting, candidate, choice, plan, i, place, here, home, watch=watch
            )
            if (one.choice, one.seed) != (choice, place.seed):
                raise BadFile(f"{here} is not the trial that this search makes there; delete it.")
            made[candidate].append(one)
    if places:
        watch.bar(f"planting anew, {where}", 1.0)
    winner = tuple(made[number]) if number else ()
    setting, monitors = what.setting, tuple(one.name for one in what.setting.monitors)
    judge = setting.calibration
    return Fresh(
        *(where, tuple(made[0]), winner, bool(setting.remedies), monitors, judge is not None),
        accuses_above=None if judge is None else judge.auditors[setting.auditor].threshold,
    )
