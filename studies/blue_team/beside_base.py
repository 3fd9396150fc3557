"""A sceptic's test: a fix on a decoy, in which there is nothing to fix, changes it no more than the base.

The base stands as an adapter of zeros in a lineup, and is fixed blind like anybody. Each is held beside
itself before the fix, on scenes of the audit bank, both sides:

    moved     NLL of the model's own earlier greedy reply, nats a token, after the fix less before it
    changed   share of scenes whose greedy reply is another one

Whatever a fix does to a model, to its manners or its wits, moves these; whether the behaviour shows is no
measure here, for neither shows it before. `lurched` tells on how many scenes it began or ceased to show.

What this cannot tell you: that a fix leaves either alone. The decoy learned good replies to these very
lessons and is surer of them than the base, which may make it easier or harder to move.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blue_cells import Cell
from blue_study import Setting, said
from fathoming import adapters, asked, head

from molehunt.core import stats
from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.store import Run
from molehunt.depth.bench import Bench, Role
from molehunt.depth.costs import PAIRS, nll_change
from molehunt.game.controls import treat_controls
from molehunt.game.deepening import shelf_of
from molehunt.game.depth_task import Task, task_of
from molehunt.game.fix_task import FIXED
from molehunt.game.specimens import Ground, Specimen
from molehunt.game.watch import Watch
from molehunt.models.adapter_files import CONFIG, WEIGHTS
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.score import token_logprobs

NATS = "nats a token"


def hold(cell: Cell, setting: Setting) -> dict[str, Any]:
    """Fix the base as this cell's decoy was fixed, and hold what changed beside each other."""
    name = f"plain-{cell.name}"
    path = setting.row(name)
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    row: dict[str, Any] = {**head(cell), "name": name}
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
    bench = Bench(model, one.known, folders, task.settings, shelf=shelf_of(task, one, model.fingerprint))
    scenes = bench.scenes("audit")
    items = [s.item for s in scenes]
    decoy, plain = (beside_itself(bench, *PAIRS[who]) for who in ("control", "organism"))
    nats = "NLL of its own earlier replies, after less before"
    how = "greedy replies that the fix changed"
    lurched = "scenes on which the fix changed whether the behaviour shows"
    return {
        "moved_decoy": stats.mean(decoy.moved, items, unit=NATS, how=f"{nats}, on the decoy"),
        "moved_base": stats.mean(plain.moved, items, unit=NATS, how=f"{nats}, on the base"),
        "moved_less": stats.paired_difference(
            decoy.moved, plain.moved, items, unit=NATS, how=f"{nats}, decoy less base"
        ),
        "changed_decoy": stats.proportion(decoy.changed, items, how=f"{how}, on the decoy"),
        "changed_base": stats.proportion(plain.changed, items, how=f"{how}, on the base"),
        "changed_less": stats.paired_shares(
            [float(c) for c in decoy.changed],
            [float(c) for c in plain.changed],
            items,
            how=f"{how}, decoy less base",
        ),
        "lurched_decoy": stats.proportion(decoy.lurched, items, how=f"{lurched}, on the decoy"),
        "lurched_base": stats.proportion(plain.lurched, items, how=f"{lurched}, on the base"),
        "nll_decoy": nll_change(bench, *PAIRS["control"]),
        "nll_base": nll_change(bench, *PAIRS["organism"]),
    }


@dataclass(frozen=True)
class Moved:
    """What a fix changed in one model, scene by scene."""

    moved: list[float]
    """Nats a token of its own earlier reply, after less before; 0 where it had said nothing."""
    changed: list[bool]
    lurched: list[bool]
    """Whether the behaviour began or ceased to show."""


def beside_itself(bench: Bench, after: Role, before: Role) -> Moved:
    """A model after the fix beside what it was."""
    scenes, said = bench.scenes("audit"), bench.replies(before, "audit")
    now = bench.replies(after, "audit")
    nlls = {}
    for role in (before, after):
        with bench.speaking(role):
            found = token_logprobs(
                bench.model,
                [prompt_ids(bench.model.tokenizer, s.messages) for s in scenes],
                [text_ids(bench.model.tokenizer, r) for r in said],
            )
        nlls[role] = [-sum(row) / len(row) if row else 0.0 for row in found]
    return Moved(
        [a - b for a, b in zip(nlls[after], nlls[before], strict=True)],
        [a != b for a, b in zip(now, said, strict=True)],
        [bench.shows(s, a) != bench.shows(s, b) for s, a, b in zip(scenes, now, said, strict=True)],
    )


def _base(cell: Cell, setting: Setting, task: Task, one: Specimen) -> tuple[Path, Path]:
    """The base as an adapter of zeros, and what the remedy made of it; made once a remedy and seed.

    Every pair under this remedy asks for it: who comes while another makes it waits.
    """
    home = setting.work / "plain" / f"{cell.way}-{cell.seed}"
    zeros = home / "zeros"
    with Run(home).held(wait=True):
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
