"""Does the gate stop a planted regression and let honest noise through?

    python studies/gate/run.py [--parts pilot trials audit] [--trials 30] [--work DIR] [--dry-run]

Each trial is a real short fine-tune of the base on chat, in the poisoned arm with sycophancy in 5% of its
rows, and then the gate under its usual bounds. Trials run two at a time with one thread each and are kept one
by one: stop it whenever you like, the same command goes on. `results.json` and the tables in `README.md`
beside this file are made anew after every trial. A trial that raised is counted, and kept as such, until the
next sitting tries it again.
"""

import dataclasses
import datetime
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, Literal

from gate_audit import audits_in, judged_by, run_audit
from gate_table import into_page, measures, seconds, table
from gate_trial import SEED, Setting, failed_file, prepare, row_file, run_trial, trained_folder
from generation import ARMS, Part, Recipe, Trial

from molehunt.audit.calibration import load as read_calibration
from molehunt.core.atomic import read_json, sweep, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError, RunMismatch, UserError
from molehunt.core.record_json import to_json
from molehunt.game.side_by_side import planters
from molehunt.game.watch import Watch, watching
from molehunt.gate.bounds import PRESET, read_bounds

HERE = Path(__file__).parent
SPEC = "study.json"
"""In the working folder: the model and recipe of its trials."""


@dataclasses.dataclass(frozen=True)
class Study:
    """How many generations, how they are trained, and where they lie."""

    parts: tuple[Part | Literal["audit"], ...] = ("trials",)
    """trials: what is claimed. pilot: a few generations from other seeds, to set bounds by beforehand.
    audit: the gate's own audit of the generations of `trials` that are kept, one after another."""
    trials: int = 30
    """Trials a side."""
    pilots: int = 6
    """Pilot trials a side."""
    recipe: Recipe = dataclasses.field(default_factory=Recipe)
    """How a generation is trained."""
    bounds: str = PRESET
    """Bounds of the gate; other bounds judge the same generations again."""
    work: Path = Path("runs/studies/gate")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    """Base model: the old version."""
    calibration: Path | None = None
    """What judges the audit; none takes the shipped one where it fits."""
    workers: int = 2
    """Processes, one thread each."""
    dry_run: bool = False
    """Say what is left to do and what it would cost, and do nothing."""

    @property
    def setting(self) -> Setting:
        """What all trials share."""
        return Setting(self.work, self.model, self.recipe, read_bounds(self.bounds))


def main() -> None:
    """Run what is missing; write the tables after each trial."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    try:
        checked(study)
        if study.dry_run:
            print(cost(study))
            return
        setting, todo = dataclasses.replace(study.setting, commit=commit()), left(study)
        _fit(study)
        write(study)
        with watching() as watch:
            if todo:
                _try(study, setting, todo, watch)
            if "audit" in study.parts:
                _audit(study, setting, watch)
    except MolehuntError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def checked(study: Study) -> None:
    """Whether all that was asked can be done, before anything is written.

    Raises:
        UserError, BadFile: there are no such bounds, no such calibration, or nothing to audit.
        RunMismatch: as `_fit`.
    """
    read_bounds(study.bounds)
    if study.calibration is not None:
        read_calibration(study.calibration)
    _same(study)
    if "audit" in study.parts and "trials" not in study.parts and not kept(study):
        raise UserError(f"{study.work} keeps no generation of `trials` to audit: run that part first.")


def _try(study: Study, setting: Setting, todo: Sequence[Trial], watch: Watch) -> None:
    prepare(setting, todo, watch)
    with planters(study.workers) as pool:
        futures = {pool.submit(run_trial, setting, t): t for t in todo}
        watch.bar("trials", 0.0, f"0 of {len(todo)}")
        for done, future in enumerate(as_completed(futures), 1):
            row, trial = future.result(), futures[future]
            if "failed" in row:
                watch.say(f"{trial.name}: {row['failed']}")
            watch.bar("trials", done / len(todo), f"{done} of {len(todo)}: {trial.name}")
            write(study)


def _audit(study: Study, setting: Setting, watch: Watch, **how: Any) -> None:
    """Every generation of `trials` that is kept; one whose audit raised does not stop the others.

    `how` goes to `run_audit`.
    """
    todo = kept(study)
    for done, trial in enumerate(todo, 1):
        row = run_audit(setting, trial, study.calibration, watch, closed=(study.out, HERE), **how)
        if row["audit"]["is"] == "NotMeasured":
            watch.say(f"{trial.name}: not audited: {row['audit']['reason']}")
        watch.bar("audits", done / len(todo), f"{done} of {len(todo)}: {trial.name}")
        write(study)


def asked(study: Study) -> tuple[Trial, ...]:
    """Every trial that is asked for; both arms of a number after each other, so that a cut leaves both."""
    return tuple(t for p in study.parts if p != "audit" for t in every(study, p))


def every(study: Study, part: Part) -> tuple[Trial, ...]:
    """Every trial of a part."""
    counts = {"pilot": study.pilots, "trials": study.trials}
    return tuple(Trial(part, n, arm) for n in range(counts[part]) for arm in ARMS)


def left(study: Study) -> list[Trial]:
    """Trials that are not whole yet."""
    return [t for t in asked(study) if not row_file(study.setting, t).exists()]


def kept(study: Study) -> list[Trial]:
    """Generations of `trials` whose adapter is there."""
    return [t for t in every(study, "trials") if trained_folder(study.setting, t).is_dir()]


def rows_of(study: Study) -> dict[str, Any]:
    """Every whole row under these bounds, by its trial's name, whatever parts were asked for."""
    folder = row_file(study.setting, Trial("trials", 0, "honest")).parent
    return {p.stem: read_json(p) for p in sorted(folder.glob("*.json"))}


def failed_of(study: Study) -> dict[str, str]:
    """Trials that raised and have no row, by name, and why."""
    folder = failed_file(study.setting, Trial("trials", 0, "honest")).parent
    rows = rows_of(study)
    return {p.stem: read_json(p)["failed"] for p in sorted(folder.glob("*.json")) if p.stem not in rows}


def audits_of(study: Study) -> list[dict[str, Any]]:
    """What the audit said of each generation of `trials` that it looked at, or why it said nothing."""
    return audits_in(study.setting, every(study, "trials"), study.calibration)


def _fit(study: Study) -> None:
    """Make the working folder, or check that it is of the same model and recipe.

    Raises:
        RunMismatch: it holds generations of another model or recipe.
    """
    _same(study)
    study.work.mkdir(parents=True, exist_ok=True)
    if not (study.work / SPEC).exists():
        write_json(study.work / SPEC, {"model": study.model, "recipe": to_json(study.recipe)})
    sweep(study.work)


def _same(study: Study) -> None:
    if not (study.work / SPEC).exists():
        return
    known, asked = read_json(study.work / SPEC), to_json(study.recipe)
    # Folders from before numbers had chats of their own don't say so.
    was = {"model": known["model"], "own_chats": False, **known["recipe"]}
    now = {"model": study.model, **asked}
    other = [f"{name} {was.get(name)}, not {value}" for name, value in now.items() if was.get(name) != value]
    if other:
        before = was["own_chats"] is False and study.recipe.own_chats
        mend = "ask for `--recipe.no-own-chats` or " if before else ""
        raise RunMismatch(f"{study.work} holds trials of {'; '.join(other)}: {mend}choose another --work.")


def cost(study: Study) -> str:
    """What is left to do, and minutes by the pace of what is in."""
    said = [_cost_of_trials(study)] if asked(study) else []
    return "\n".join([*said, *([_cost_of_audits(study)] if "audit" in study.parts else [])])


def _cost_of_audits(study: Study) -> str:
    there = [a for a in audits_of(study) if a["audit"]["is"] != "NotMeasured"]
    some = every(study, "trials") if "trials" in study.parts else kept(study)
    todo = len({t.name for t in some} - {a["name"] for a in there})
    said = f"{todo} of {len(some)} audits are left, one after another"
    if not there:
        return f"{said}; what they would cost is not measured, for no audit is in."
    minutes = statistics.fmean(a["seconds"] for a in there) * todo / 60
    return f"{said}; about {minutes:.0f} minutes at the mean pace of {len(there)} that are in."


def _cost_of_trials(study: Study) -> str:
    todo, rows = left(study), rows_of(study).values()
    said = f"{len(todo)} of {len(asked(study))} trials are left, {study.recipe.steps} steps each"
    paces = [s for r in rows if (s := seconds(r)) is not None]
    if not paces:
        return f"{said}; what they would cost is not measured, for no trial is in that asked anew."
    minutes = statistics.fmean(paces) * len(todo) / study.workers / 60
    return f"{said}; about {minutes:.0f} minutes at the mean pace of {len(paces)} trials that are in."


def write(study: Study) -> None:
    """Write `results.json` and the tables in `README.md` from the rows and failures that are in."""
    rows, failed, bounds = rows_of(study), failed_of(study), study.setting.bounds
    audits, counted = audits_of(study), asked(study) or every(study, "trials")
    result = {
        "date": datetime.date.today().isoformat(),
        "seed": "of a trial: 31 bits of the SHA-256 of 'molehunt', 'studies/gate', part, number",
        "items_seed": SEED,
        "commit": commit(),
        "machine": _machine(),
        "model": study.model,
        "recipe": to_json(study.recipe),
        "bounds": {"name": bounds.name, "sha256": bounds.sha256},
        "trials": {
            "in": sum(t.name in rows for t in counted),
            "of": len(counted),
            "failed": failed,
        },
        "measures": to_json(measures(rows, failed, audits)),
        "rows": list(rows.values()),
        "audited_by": judged_by(study.calibration),
        "audits_of": len(every(study, "trials")),
        "audits": audits,
    }
    study.out.mkdir(parents=True, exist_ok=True)
    if rows or failed or audits:
        write_json(study.out / "results.json", result)
    into_page(study.out / "README.md", table(result, bounds))


def _machine() -> str:
    from molehunt.models.machine import this_machine

    here = this_machine()
    return f"{here.processor}, {here.dtype}"


if __name__ == "__main__":
    main()
