"""A whole game, stage by stage: plant, line up, seal, audit, log, open, score, report.

Between log and open a blind fix and a second audit may come (`second.py`).

Each stage is noted in the run folder only when it is whole, so `play` on an existing folder
goes on where it stopped. Public stages are keyed by the hash of what went in; the red team's
by an HMAC under the vault's key, so that guesses at the truth cannot be tried against them.
"""

import contextlib
import importlib.metadata
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import molehunt
from molehunt.audit.calibration import load as load_calibration
from molehunt.core import asked
from molehunt.core.errors import BadFile, MolehuntError, RunMismatch, UserError
from molehunt.core.record_json import to_json
from molehunt.core.seal import key_path, load_key, new_key, new_run_id, save_key
from molehunt.core.store import Run, secret_stage_key, stage_key
from molehunt.game.auditing import audit_key, audit_lineup, choose_calibration, finish_audit
from molehunt.game.handing_in import settle
from molehunt.game.judged import unjudged
from molehunt.game.opening import key_to_open, vault_of
from molehunt.game.planting import (
    line_up,
    plant_all,
    private,
    quirk_texts,
    red_folder,
    red_plan,
    red_quirks,
    red_seed,
    truths,
)
from molehunt.game.scoring import score_run
from molehunt.game.spec import GameSpec, Until, public_half, spec_from
from molehunt.game.twins import fit_for_twin, red_twin, turned
from molehunt.game.watch import Watch
from molehunt.organisms.draw import slots
from molehunt.organisms.strangers import strangers_quirks

if TYPE_CHECKING:
    from molehunt.game.fix_task import Wish

PACKAGES = ("torch", "transformers", "peft", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Played:
    """Where a game lies and where its page is."""

    folder: Path
    report: Path


def play(
    folder: Path,
    spec: GameSpec,
    watch: Watch | None = None,
    until: Until = "opened",
    wish: "Wish | None" = None,
    note: Mapping[str, Any] | None = None,
) -> Played:
    """Play a whole game in `folder`, or go on with the one that lies there, as far as `until`.

    With a `wish` every suspect is fixed blind after the audit, and audited again before the envelope opens.
    A `note` (`core/asked.py`) is what the command was asked, kept for going on.

    Raises:
        RunMismatch: the folder holds a game of another spec, or a fix by other settings.
        UserError: what was asked cannot be played, or another process plays there.
    """
    from molehunt.game import second
    from molehunt.report.page import write_report

    watch = watch or Watch(None)
    spec = spec.checked()
    fit_to_begin(folder, spec)
    if wish is not None:
        second.fit_to_fix(folder, wish, until)
    if until != "planted" and (why := unjudged(folder, spec)):
        watch.say(why)
    with begun(folder, spec, note) as run:
        plant_stage(run, spec, watch)
        if until != "planted":
            audit_stage(run, watch, spec.calibration)
            if wish is not None:
                second.fix_stage(run, wish, watch)
        if until == "opened":
            open_stage(run, watch)
        report = write_report(run.folder)
        run.finish("report", stage_key(_run_id(run)))
        asked.keep(private(_run_id(run)), note, done=True)
    return Played(folder, report)


def fit_to_begin(folder: Path, spec: GameSpec) -> None:
    """Look before anything is written: at the folder, and at strangers' quirks.

    Raises:
        UserError: the folder holds something else than a game, or a quirk's file is wrong.
    """
    if spec.quirks is not None:
        strangers_quirks(spec.quirks)
    if spec.calibration is not None:
        load_calibration(spec.calibration)
    if spec.twin is not None:
        fit_for_twin(spec)
    if spec.plan is not None:
        from molehunt.organisms.plan import read_plan  # torch comes with it

        read_plan(spec.plan)
    others = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    if others and "spec.json" not in others:
        raise UserError(f"{folder} holds other files ({others[0]}, …); choose an empty or a new folder.")


@contextlib.contextmanager
def begun(folder: Path, spec: GameSpec, note: Mapping[str, Any] | None = None) -> Iterator[Run]:
    """Hold a run folder and begin, or go on; a run that fails before its first pair is whole is taken back.

    Errors as `begin`.
    """
    fresh, there = not (folder / "spec.json").exists(), folder.exists()
    with Run(folder).held() as run:
        run_id = ""
        try:
            run_id = str(begin(run, spec, note)["run_id"])
            yield run
        except MolehuntError:
            if fresh:
                forget(run, run_id, there)
            raise


def forget(run: Run, run_id: str, keep_folder: bool) -> None:
    """Take back a game that was only begun: what was asked was wrong, or a child ended without a pair."""
    if (run.folder / "suspects").exists() or (run_id and any(red_folder(run_id).glob("slot-*/pair.json"))):
        return
    if run_id:
        shutil.rmtree(red_folder(run_id), ignore_errors=True)
        key_path(run_id).unlink(missing_ok=True)
    for name in ("spec.json", ".lock", ".stages.lock"):
        (run.folder / name).unlink(missing_ok=True)
    if not keep_folder:
        run.folder.rmdir()


def begin(run: Run, spec: GameSpec, note: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Write the public spec and keep the key, or check that the folder's own spec is the same.

    Raises:
        RunMismatch: another game lies here. UserError: its key is not on this machine.
    """
    public = public_half(spec)
    if (run.folder / "spec.json").exists():
        spec_of(run)
        written = run.spec()
        same_spec(run.folder, written, public)
        load_key(str(written["run_id"]))
        _secrets(str(written["run_id"]), spec, note)
        return written
    run_id = new_run_id()
    save_key(run_id, new_key(), run.folder)
    _secrets(run_id, spec, note)
    body = {**public, "run_id": run_id, "versions": versions()}
    run.write_spec(body)
    return body


def _secrets(run_id: str, spec: GameSpec, note: Mapping[str, Any] | None) -> None:
    """Keep in the red team's folder what is given and not kept yet; raises RunMismatch where it differs."""
    red_seed(run_id, spec.red_seed)
    red_quirks(run_id, spec.quirks)
    red_twin(run_id, spec.twin)
    red_plan(run_id, spec.plan)
    asked.keep(private(run_id), note)


def plant_stage(run: Run, spec: GameSpec, watch: Watch) -> None:
    """Plant the pairs (or take a twin's), line one of each up, seal the truths."""
    run_id = _run_id(run)
    key = load_key(run_id)
    twin = red_twin(run_id, spec.twin)
    plan = red_plan(run_id, spec.plan)
    told = {"quirks": quirk_texts(run_id, spec.quirks)} | ({"twin": twin} if twin else {})
    told |= {"plan": plan.read_text("utf-8")} if plan else {}
    stage = secret_stage_key(key, {"stage": "plant", **public_half(spec), **told})
    if run.done("plant", stage):
        return
    seed = red_seed(run_id, spec.red_seed)
    lineup = slots(spec.suspects, seed)
    # Bars go by place, not by code name: how long a plant took must tell nothing of a suspect.
    if twin:
        planted = turned(twin, lineup)
    else:
        planted = plant_all(
            spec,
            run_id,
            seed,
            lambda number, what, share: watch.bar(f"planting {number + 1}/{len(lineup)}", share, what),
        )
    line_up(run.folder, twin or run_id, planted, spec.model)
    vault_of(run.folder, run_id).seal(truths(run.folder, planted, seed), key)
    run.finish("plant", stage)


def audit_stage(run: Run, watch: Watch, calibration: Path | None = None) -> None:
    """Audit the lineup in a process of its own and put the verdicts on record."""
    public = run.spec()
    if not (run.folder / "suspects").is_dir():
        raise BadFile(no_suspects(run))
    choose_calibration(run, public, calibration)
    stage = audit_key(run, public)
    if not run.done("audit", stage):
        audit_lineup(run, public, watch)
        finish_audit(run, stage)
    settle(run)
    vault = vault_of(run.folder, public["run_id"])
    verdicts = run.verdicts()
    for auditor in sorted({v.auditor for v in verdicts}):
        if not any(e.body.get("auditor") == auditor for e in vault.ledger.verify() if e.kind == "verdicts"):
            vault.log_verdicts(auditor, [v for v in verdicts if v.auditor == auditor])


def no_suspects(run: Run) -> str:
    """Why there is nobody to audit or to fix, and what to do about it, in one sentence."""
    if "plant" in run.stages():
        return (
            f"{run.folder / 'suspects'} is gone, and with it the lineup that was sealed; "
            "restore it from a copy, or play a new game in another folder."
        )
    return f"{run.folder} holds no suspects yet; run `molehunt play {run.folder}` first."


def open_stage(run: Run, watch: Watch) -> None:
    """Check the log, open the envelope, score every auditor, and every second audit that is on record."""
    from molehunt.game.second import score_second

    public = run.spec()
    settle(run)
    if not (run.folder / "verdicts.json").exists():
        raise UserError(f"{run.folder} holds no verdicts yet; run `molehunt audit {run.folder}` first.")
    vault = vault_of(run.folder, public["run_id"])
    verdicts = run.verdicts()
    vault.check_verdicts(verdicts)
    opened = vault.open(key_to_open(run.folder, str(public["run_id"])))
    stage = stage_key({"stage": "score", "verdicts": to_json(verdicts)})
    if not run.done("score", stage) or not (run.folder / "score.json").exists():
        watch.bar("scoring", 0.0)
        score_run(run, verdicts, opened, int(public["seed"]))
        watch.bar("scoring", 1.0)
        run.finish("score", stage)
    score_second(run, opened, watch)


def versions() -> Mapping[str, str]:
    """What a run was made with."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"molehunt": molehunt.__version__, "python": platform.python_version(), **found}


def same_spec(folder: Path, written: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Hold what a folder was begun with against what is asked now. Raises RunMismatch where they differ."""
    for name, value in asked.items():
        if written.get(name) != value:
            raise RunMismatch(
                f"{folder} holds a game with {name} = {written.get(name)!r}, not {value!r}; "
                "choose another folder, or go on with the same options."
            )


def _run_id(run: Run) -> str:
    return str(run.spec()["run_id"])


def spec_of(run: Run) -> GameSpec:
    """The spec that a run folder was begun with, without its secret half.

    Raises:
        BadFile: spec.json lacks a field or holds one of the wrong type.
    """
    return spec_from(run.spec(), str(run.folder / "spec.json"))
