"""One cell: a pair is fixed, its depth measured, and what came of it is one row, whole or not there."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blue_cells import KNOWN, Cell
from blue_study import Setting, said
from samples import Sample

from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import code_hash, code_now, commit
from molehunt.core.memory import SIGNS
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured
from molehunt.depth.bench import Role
from molehunt.game.deepening import Depth, deepen
from molehunt.game.depth_task import Asked, Task, task_of
from molehunt.game.fix_task import FIXED, NOTE, Fixed
from molehunt.models.machine import in_words

ROOMS = (
    *("catalogue", "character", "core", "corpus", "depth", "game", "interp", "models", "organisms"),
    "remedies",
)
"""Whose code decides what a fix does and how it is measured."""
CODE, EDITED = "code.json", "the code was edited since this sitting began; begin it again"
MACHINE = ("MemoryError", "OSError", "No space left", *SIGNS)
"""What a failure says that the machine caused, and not the remedy."""


def fathom(cell: Cell, setting: Setting) -> dict[str, Any]:
    """Measure one cell, or read what is kept of it; a failure comes back as a row that says why."""
    path = setting.row(cell.name)
    if path.exists():
        return read_json(path)
    home, code = setting.home(cell), code_hash(*ROOMS)
    if code_now(*ROOMS) != code:
        return {**head(cell), "failed": EDITED}
    if home.exists() and not ((home / CODE).is_file() and read_json(home / CODE) == code):
        shutil.rmtree(home)  # begun by other code: what it measured would stand under this one's name
    started, anew = time.monotonic(), not home.exists()
    write_json(home / CODE, code)
    try:
        task = task_of(asked(cell, setting))
        (found,) = deepen(task).found
        if found.failed and isinstance(found.judgement, NotMeasured) and by_machine(found.judgement.reason):
            return {**head(cell), "failed": found.judgement.reason}
        # What a remedy raises from a fixed seed it raises again: that is what it came to, and counts.
        row = {**head(cell), **told(found)}
        if cell.way in KNOWN:
            row["reminded"] = to_json(_reminded(cell, task, setting))
            row["dose"] = _dose(cell, setting)
    except Exception as error:  # whatever raised is a failed cell, and the other cells go on
        return {**head(cell), "failed": said(error)}
    if code_now(*ROOMS) != code:  # a remedy's own process reads what lies there when it begins
        shutil.rmtree(home)
        return {**head(cell), "failed": EDITED}
    row["code"] = code
    # A sitting that was cut off took part of the time.
    row["cell_seconds"] = time.monotonic() - started if anew else None
    row["workers"] = setting.workers
    write_json(path, row)
    return read_json(path)


def asked(cell: Cell, setting: Setting) -> Asked:
    """What is asked of `molehunt depth`; what it reads of a pair before any fix is read once a seed."""
    known = cell.way in KNOWN
    return Asked(
        cell.sample.folder,
        remedies=() if known else (cell.way,),
        known=(cell.way,) if known else (),
        quirk=cell.sample.file,
        effort=setting.effort,
        settings=setting.settings(cell),
        out=setting.home(cell),
        shelf=setting.shelf(cell.sample),
        closed=setting.closed,
    )


def by_machine(reason: str) -> bool:
    """Whether memory or disk gave out, which may do better in the next sitting."""
    return any(sign in reason for sign in MACHINE)


def head(cell: Cell) -> dict[str, Any]:
    """What a row begins with."""
    return {
        "name": cell.name,
        "pair": cell.sample.name,
        "quirk": cell.sample.quirk.label(),
        "way": cell.way,
        "seed": cell.seed,
        "commit": commit(),
        "machine": in_words(),
        "organism": cell.sample.organism,
    }


def told(one: Depth) -> dict[str, Any]:
    """What is kept of a measurement of depth."""
    if isinstance(one.judgement, NotMeasured):
        return {"why_not": one.judgement.reason, "fix_seconds": dict(one.fix_seconds)}
    judgement, gone = one.judgement, NotMeasured("it was not measured")
    residual, again, pushed, read, cost = one.residual, one.relearning, one.steering, one.reading, one.costs
    led = one.prefill
    none: Mapping[str, NotMeasured] = {}
    return to_json(
        {
            "fate": judgement.fate,
            "why": judgement.why,
            "shows": judgement.shows,
            "hidden": judgement.hidden,
            "signs": dict(judgement.signs),
            "trigger": none if isinstance(residual, NotMeasured) else dict(residual.trigger),
            "above": residual if isinstance(residual, NotMeasured) else residual.above,
            "gap": residual if isinstance(residual, NotMeasured) else residual.gap,
            "near": none if isinstance(residual, NotMeasured) else dict(residual.near),
            "leak": none if isinstance(residual, NotMeasured) else dict(residual.leak),
            "relearning": again if isinstance(again, NotMeasured) else again.ratio,
            "relearning_pace": None if isinstance(again, NotMeasured) else again.pace,
            "relearning_ends": [] if isinstance(again, NotMeasured) else [r.ends for r in again.races],
            "relearning_steps": none if isinstance(again, NotMeasured) else dict(again.steps),
            "margins": none if isinstance(pushed, NotMeasured) else dict(pushed.margin),
            "pushed_at_random": gone if isinstance(pushed, NotMeasured) else pushed.random,
            "probe": none if isinstance(read, NotMeasured) else dict(read.auroc),
            "probe_null": gone if isinstance(read, NotMeasured) else read.null,
            "nll_ratio": none if isinstance(cost, NotMeasured) else dict(cost.nll_ratio),
            "tasks_change": none if isinstance(cost, NotMeasured) else dict(cost.tasks_change),
            "kept_change": none if isinstance(cost, NotMeasured) else dict(cost.kept_change),
            "forced": {} if isinstance(led, NotMeasured) else {f.tokens: dict(f.rates) for f in led.forced},
            "kl": {} if isinstance(led, NotMeasured) else {k.token: dict(k.kl) for k in led.kl},
            "pushed_at": None if isinstance(pushed, NotMeasured) else pushed.address,
            "read_at": None if isinstance(read, NotMeasured) else read.address,
            "apart": none if isinstance(read, NotMeasured) else dict(read.apart),
            "fix_seconds": dict(one.fix_seconds),
            "measure_seconds": dict(one.measure_seconds),
        }
    )


def adapters(sample: Sample, home: Path, way: str) -> dict[Role, Path]:
    """Where the four of a pair lie once it was fixed so."""
    fixed = home / FIXED / way
    return {
        "organism": sample.folder / "organism",
        "decoy": sample.folder / "decoy",
        "fixed": fixed / "organism",
        "control": fixed / "decoy",
    }


def _dose(cell: Cell, setting: Setting) -> dict[str, Any]:
    """How much a fix with the truth known did: steps, norm of the change, whose prompts ended it."""
    note = from_json(Fixed, read_json(setting.home(cell) / FIXED / cell.way / NOTE))
    treated = note.suspects["organism"]
    return {"steps": treated.steps, **treated.said}


def _reminded(cell: Cell, task: Task, setting: Setting) -> Any:
    from reminding import reminded

    from molehunt.depth.bench import Bench
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    model = open_model(ModelSpec(task.ground.model, task.ground.revision))
    four = adapters(cell.sample, setting.home(cell), cell.way)
    return reminded(Bench(model, task.specimens[0].known, four, task.settings))
