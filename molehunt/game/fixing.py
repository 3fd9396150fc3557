"""Blind fixes: each suspect is merged, handed to a remedy without a name, and comes back as a new adapter.

A remedy works in a process of its own (`remedies/room.py`), one for each suspect, which gets merged weights
and a job; run folder, keys, other suspects, adapter and clean base are closed to it. What it returns is laid
on the suspect's adapter here (`models/joined.py`). All fixed suspects of one remedy have one shape, size and
date.

    fixed/REMEDY/suspects/NAME/   adapter on the base, like any suspect's
    fixed/REMEDY/fix.json         settings, versions, and what each treatment cost and did; no truth

The folder is a packed lineup (`game/packed.py`): `molehunt audit RUN/fixed/REMEDY` takes it as it is.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.atomic import write_json
from molehunt.core.records import Guess
from molehunt.core.splits import seed_of
from molehunt.core.store import Run
from molehunt.game.children import run_children
from molehunt.game.fix_task import (
    NOTE,
    Fixed,
    Task,
    Wish,
    guesses_of,
    sha256,
    tasks_of,
)
from molehunt.game.opening import ledger_of
from molehunt.game.packed import MARK, is_packed
from molehunt.game.planting import FILES
from molehunt.game.watch import Watch

if TYPE_CHECKING:
    from molehunt.models.loaded import Model


def fix(run: Run, wish: Wish, watch: Watch) -> tuple[Fixed, ...]:
    """Treat the suspects with each remedy in turn; whole ones are kept. The run folder is to be held.

    Raises:
        UserError: no such remedy or suspect, no lineup, or a remedy that lacks what it goes by.
        RunMismatch: `fixed/REMEDY` was made by other settings.
    """
    found, tasks = [], tasks_of(run, wish)
    guesses = guesses_of(run) if any(t.card.needs_verdict for t in tasks) else {}
    model = _base(run, watch) if any(t.waiting for t in tasks) else None
    for task in tasks:
        if model is not None and task.waiting:
            found.append(_treat_all(task, wish, model, guesses, watch))
        else:
            found.append(task.fixed)
        _line_up(task.run, task.folder)
        _log(task.run, task.folder, found[-1])
    return tuple(found)


def _base(run: Run, watch: Watch) -> "Model":
    watch.bar("fixing", 0.0, "loading")
    model = base_of(run)
    watch.bar("fixing", 1.0, "loaded")
    return model


def base_of(run: Run) -> "Model":
    """The clean base of a lineup, proven fit to speak."""
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    spec = run.spec()
    return fit_to_speak(open_model(ModelSpec(str(spec["model"]), spec["revision"])))


def _treat_all(
    task: Task, wish: Wish, model: "Model", guesses: Mapping[str, tuple[Guess, ...]], watch: Watch
) -> Fixed:
    from molehunt.game.ward import Ward

    bar = f"fixing: {task.card.name}"
    watch.bar(bar, 0.0, "begins")
    side_by_side, threads = workers(str(model.device))
    ward = Ward(task, wish, model, threads)
    if not task.fixed.suspects:
        write_json(task.folder / NOTE, task.fixed)
    shares = dict.fromkeys(task.waiting, 0.0)

    def heard(message: Mapping[str, Any]) -> None:
        found = ward.heard(message)
        if found is not None:
            shares[found[0]] = found[1]
            watch.bar(bar, sum(shares.values()) / len(shares), found[0])

    told = guesses if task.card.needs_verdict else {}
    try:
        for at in range(0, len(task.waiting), side_by_side):
            some = enumerate(task.waiting[at : at + side_by_side], at)
            run_children([ward.admit(str(i), name, told.get(name, ())) for i, name in some], heard)
            ward.close()
    finally:
        ward.clear()
    watch.bar(bar, 1.0, "done")
    return ward.fixed


def workers(device: str) -> tuple[int, int]:
    """Patients side by side, and threads for each: the same whoever waits, so that sums come out alike."""
    if device != "cpu":
        return 1, 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    many = min(2, cores)
    return many, max(1, cores // many)


def _line_up(run: Run, folder: Path) -> None:
    """Make a packed lineup of what was fixed, if anything was; its audit gets a seed of its own."""
    lineup = folder / "suspects"
    seated = sorted(p.name for p in lineup.iterdir() if p.is_dir()) if lineup.is_dir() else []
    if not seated or (folder / "verdicts.json").exists():  # what was audited stays as it was
        return
    spec = run.spec()
    seed = seed_of("second audit", spec["seed"], folder.name) % 2**31
    write_json(folder / "spec.json", {**spec, "suspects": len(seated), "seed": seed})
    inside = [f"suspects/{s}/{f}" for s in seated for f in (*FILES, "README.md")]
    write_json(folder / MARK, {n: sha256(folder / n) for n in sorted(["spec.json", NOTE, *inside])})


def _log(run: Run, folder: Path, fixed: Fixed) -> None:
    """Put what was made on record, as hashes; the same again changes nothing."""
    if is_packed(run.folder):
        return
    done = [n for n, t in fixed.suspects.items() if t.failed is None and t.refused is None]
    hashes = {n: sha256(folder / "suspects" / n / FILES[1]) for n in done}
    body = {"remedy": fixed.remedy, "key": fixed.key, "adapters": hashes}
    ledger = ledger_of(run.folder, str(run.spec()["run_id"]))
    before = [e.body for e in ledger.verify() if e.kind == "fixed" and e.body.get("remedy") == fixed.remedy]
    if hashes and (not before or before[-1] != body):
        ledger.append("fixed", body)
