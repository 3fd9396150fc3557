"""Blind fixes: each suspect is merged, handed to a remedy without a name, and comes back as a new adapter.

A remedy works in a process of its own (`remedies/room.py`), one for each suspect, which gets merged weights
and a job; run folder, keys, other suspects, adapter and clean base are closed to it. What it returns is laid
on the suspect's adapter here (`models/joined.py`). All fixed suspects of one remedy have one shape, size and
date.

    fixed/REMEDY/suspects/NAME/   adapter on the base, like any suspect's
    fixed/REMEDY/fix.json         settings, versions, and what each treatment cost and did; no truth

The folder is a packed lineup (`game/packed.py`): `molehunt audit RUN/fixed/REMEDY` takes it as it is.
"""

import dataclasses
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.core.atomic import HALF, read_json, whole_folder, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import from_json
from molehunt.core.records import Guess
from molehunt.core.store import Run
from molehunt.game.children import run_children
from molehunt.game.fix_task import (
    NOTE,
    Fixed,
    Task,
    Wish,
    child,
    closed_to_all,
    guesses_of,
    sha256,
    tasks_of,
)
from molehunt.game.opening import ledger_of
from molehunt.game.packed import MARK, is_packed
from molehunt.game.planting import FILES
from molehunt.game.watch import Watch
from molehunt.organisms.card import MODEL_CARD
from molehunt.remedies.room import CHANGES, TREATED, Job, Treated

README = f"""{MODEL_CARD}
It was then handed to the blind remedy `{{remedy}}`, which knew nothing of what it carries. Whether that
removed anything, hid it, or did nothing is what there is to find out.
"""


def fix(run: Run, wish: Wish, watch: Watch) -> tuple[Fixed, ...]:
    """Treat the suspects with each remedy in turn; whole ones are kept. The run folder is to be held.

    Raises:
        UserError: no such remedy or suspect, no lineup, or a remedy that lacks what it goes by.
        RunMismatch: `fixed/REMEDY` was made by other settings.
    """
    found, tasks = [], tasks_of(run, wish)
    guesses = guesses_of(run) if any(t.card.needs_verdict for t in tasks) else {}
    for task in tasks:
        found.append(_treat_all(task, wish, guesses, watch) if task.waiting else task.fixed)
        _line_up(task.run, task.folder)
        _log(task.run, task.folder, found[-1])
    return tuple(found)


def _treat_all(task: Task, wish: Wish, guesses: Mapping[str, tuple[Guess, ...]], watch: Watch) -> Fixed:
    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.adapters import attach, detach, using
    from molehunt.models.check import fit_to_speak
    from molehunt.models.joined import checked, join, load_changes, shape_of
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.standalone import save_whole

    run, card, fixed, spec = task.run, task.card, task.fixed, task.run.spec()
    bar = f"fixing: {card.name}"
    watch.bar(bar, 0.0, "loading")
    model = fit_to_speak(open_model(ModelSpec(str(spec["model"]), spec["revision"])))
    lineup = run.folder / "suspects"
    adapters = {p.name: read_adapter(p, model.module) for p in sorted(lineup.iterdir()) if p.is_dir()}
    shape = shape_of(list(adapters.values()), model.module, card.rank)
    if not task.fixed.suspects:
        write_json(task.folder / NOTE, fixed)
    side_by_side, threads = workers(str(model.device))
    closed = _closed(run, model.folder)
    rooms = run.folder / f"{HALF}fixed"
    shares, lock = dict.fromkeys(task.waiting, 0.0), threading.Lock()
    inside: dict[str, str] = {}

    def take(number: str) -> None:
        nonlocal fixed
        room = rooms / number
        # A remedy may print what it likes: what counts is whether the work lies there.
        if not (room / TREATED).exists():
            return
        name = inside.pop(number)
        treated = from_json(Treated, read_json(room / TREATED))
        if treated.failed is None and treated.refused is None:
            changes = checked(load_changes(room / CHANGES), model.module, card.rank)
            with whole_folder(task.folder / "suspects" / name, still=True) as half:
                join(adapters[name], changes, shape, model.module, half)
                (half / "README.md").write_text(README.format(remedy=card.name), "utf-8")
        fixed = dataclasses.replace(fixed, suspects=dict(sorted({**fixed.suspects, name: treated}.items())))
        write_json(task.folder / NOTE, fixed)
        shutil.rmtree(room, ignore_errors=True)

    def heard(message: Mapping[str, Any]) -> None:
        with lock:
            name = inside.get(str(message.get("room")))
            if name is None:
                return
            shares[name] = min(1.0, float(message["share"]))
            watch.bar(bar, sum(shares.values()) / len(shares), name)
            if message["share"] == 1.0:
                take(str(message["room"]))

    try:
        for at in range(0, len(task.waiting), side_by_side):
            inside = {str(i): n for i, n in enumerate(task.waiting[at : at + side_by_side], at)}
            children = []
            for number, name in inside.items():
                room = rooms / number
                attach(model, lineup / name, name)
                with using(model, name):
                    save_whole(model, room / "patient")
                detach(model, name)
                job = Job(
                    out=str(room.resolve()),
                    patient=str((room / "patient").resolve()),
                    dtype=str(model.dtype).removeprefix("torch."),
                    remedy=card.name,
                    creed=wish.creed,
                    guesses=guesses.get(name, ()) if card.needs_verdict else (),
                    seed=wish.seed,
                    effort=wish.effort,
                    threads=threads,
                    closed=closed,
                )
                write_json(room / "job.json", job)
                children.append(child(room.resolve(), threads))
            run_children(children, heard)
            with lock:
                for number in list(inside):
                    take(number)
                if inside:
                    raise MolehuntError(f"{card.name} ended without a treatment of {min(inside.values())}.")
    finally:
        shutil.rmtree(rooms, ignore_errors=True)
    watch.bar(bar, 1.0, "done")
    return fixed


def workers(device: str) -> tuple[int, int]:
    """Patients side by side, and threads for each: the same whoever waits, so that sums come out alike."""
    if device != "cpu":
        return 1, 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    many = min(2, cores)
    return many, max(1, cores // many)


def _closed(run: Run, base: Path | None) -> tuple[str, ...]:
    """What a remedy may not read: beside the run and keys every file that the clean base could come from."""
    from molehunt.models.cachedir import cache_folder
    from molehunt.models.stock import gguf_file, stock_name

    places = [cache_folder() / stock_name(), gguf_file()]
    if base is not None:
        places.append(base.parent.parent if base.parent.name == "snapshots" else base)
    return (*closed_to_all(run), *(str(p.expanduser().resolve()) for p in places if p is not None))


def _line_up(run: Run, folder: Path) -> None:
    """Make a packed lineup of what was fixed, if anything was."""
    lineup = folder / "suspects"
    seated = sorted(p.name for p in lineup.iterdir() if p.is_dir()) if lineup.is_dir() else []
    if not seated:
        return
    write_json(folder / "spec.json", {**run.spec(), "suspects": len(seated)})
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
