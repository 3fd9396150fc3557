"""A sceptic's test: a fix on a decoy, in which there is nothing to fix, changes it no more than the base.

The base stands as an adapter of zeros in a lineup, and is fixed blind like anybody. On scenes of the audit
bank, both sides, a change is a scene on which the behaviour shows before the fix or after it but not both.
"""

import time
from pathlib import Path
from typing import Any

from blue_cells import Cell
from blue_study import Setting, said
from fathoming import adapters, asked

from molehunt.core import stats
from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.store import Run
from molehunt.depth.bench import Bench, Role
from molehunt.depth.costs import costs
from molehunt.game.controls import treat_controls
from molehunt.game.depth_task import Task, task_of
from molehunt.game.fix_task import FIXED
from molehunt.game.specimens import Ground, Specimen
from molehunt.game.watch import Watch
from molehunt.models.adapter_files import CONFIG, WEIGHTS


def hold(cell: Cell, setting: Setting) -> dict[str, Any]:
    """Fix the base as this cell's decoy was fixed, and hold what changed beside each other."""
    name = f"plain-{cell.name}"
    path = setting.row(name)
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    row: dict[str, Any] = {
        "name": name,
        "pair": cell.sample.name,
        "quirk": cell.sample.quirk.label(),
        "way": cell.way,
        "seed": cell.seed,
    }
    try:
        row |= to_json(_measured(cell, setting))
    except Exception as error:  # whatever raised is a failed job, and the others go on
        return {**row, "failed": said(error)}
    row["cell_seconds"] = time.monotonic() - started
    write_json(path, row)
    return read_json(path)


def _measured(cell: Cell, setting: Setting) -> dict[str, Measure | NotMeasured]:
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    task = task_of(asked(cell, setting))
    (one,) = task.specimens
    base, treated = _base(cell, setting, task, one)
    four = adapters(cell.sample, setting.home(cell), cell.way)
    folders: dict[Role, Path] = {
        "organism": base,
        "decoy": four["decoy"],
        "fixed": treated,
        "control": four["control"],
    }
    model = open_model(ModelSpec(task.ground.model, task.ground.revision))
    bench = Bench(model, one.known, folders, task.settings)
    scenes = bench.scenes("audit")
    items = [s.item for s in scenes]
    showed = {
        role: [bench.shows(s, r) for s, r in zip(scenes, bench.replies(role, "audit"), strict=True)]
        for role in folders
    }
    decoy, plain = (
        [float(a != b) for a, b in zip(showed[after], showed[before], strict=True)]
        for after, before in (("control", "decoy"), ("fixed", "organism"))
    )
    cost = costs(bench)
    how = "scenes on which the fix changed whether the behaviour shows"
    return {
        "changed_decoy": stats.mean(decoy, items, unit="share", how=f"{how}, on the decoy"),
        "changed_base": stats.mean(plain, items, unit="share", how=f"{how}, on the base"),
        "less": stats.paired_difference(decoy, plain, items, unit="share", how=f"{how}, decoy less base"),
        "nll_decoy": cost.nll_ratio["control"],
        "nll_base": cost.nll_ratio["organism"],
    }


def _base(cell: Cell, setting: Setting, task: Task, one: Specimen) -> tuple[Path, Path]:
    """The base as an adapter of zeros, and what the remedy made of it; made once a remedy and seed."""
    home = setting.work / "plain" / f"{cell.way}-{cell.seed}"
    zeros = home / "zeros"
    with Run(home).held():
        if not zeros.is_dir():
            _zeros(one.decoy, zeros)
        plain = Specimen("base", one.known, zeros, zeros)
        ground = Ground(home, task.ground.model, task.ground.revision, (plain,), None)
        alone = Task(
            *(ground, (cell.way,), (), (plain,), task.creed, task.effort, task.settings, {}),
            home=home,
            shelf=home / "shelf",
            closed=setting.closed,
        )
        treat_controls(alone, Watch(None), {"organism": zeros})
    return zeros, home / FIXED / cell.way / "organism"


def _zeros(decoy: Path, target: Path) -> None:
    """An adapter like this one that changes nothing."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(decoy / WEIGHTS)
    with whole_folder(target) as half:
        still = {n: t.zero_() if ".lora_B" in n else t for n, t in tensors.items()}
        save_file(still, half / WEIGHTS, metadata={"format": "pt"})
        (half / CONFIG).write_bytes((decoy / CONFIG).read_bytes())
