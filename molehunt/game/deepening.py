"""How deep a fix goes (`molehunt depth`): fixed organisms against controls that got the same fix.

1. Whoever is not fixed yet is fixed blind (`controls.py`): a pair's organism and decoy, a game's decoys.
2. Each measure of `molehunt.depth` is taken for each remedy and organism and kept in a file of its own. The
same
   command goes on after the last whole one. A file whose adapters have changed since is measured anew.
3. The rules of `depth/judging.py` say removed, hidden or untouched.

It needs the truth and the planting recipe, so no remedy and no auditor may hold it: its room is shut to both.

What this cannot tell you: see each measure. Depth is of one quirk in one model; another may sit otherwise.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.core import asked
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured, Quirk
from molehunt.core.store import Run, stage_key
from molehunt.depth.bench import Bench, Role, Settings
from molehunt.depth.costs import Cost
from molehunt.depth.judging import Judgement, decided_by_what_shows, judge
from molehunt.depth.measures import BENEATH, MEASURES
from molehunt.depth.prefilling import Prefilled
from molehunt.depth.reading import Read
from molehunt.depth.relearning import Relearned
from molehunt.depth.residual import Residual
from molehunt.depth.shelf import Shelf
from molehunt.depth.steering import Steered
from molehunt.game.away import tidy
from molehunt.game.controls import seat_of, treat_controls
from molehunt.game.depth_task import PLAN, Task
from molehunt.game.fix_task import FIXED, sha256
from molehunt.game.known_fixes import treat_known
from molehunt.game.planting import FILES
from molehunt.game.play import versions
from molehunt.game.specimens import Specimen
from molehunt.game.watch import Watch
from molehunt.organisms.strangers import told
from molehunt.remedies.room import Treated

RESULTS = "results.json"
FORM = 6
"""Of what is measured: raised when a measure changes, so that older files are measured anew."""


@dataclass(frozen=True)
class Cell:
    """One measure as kept on disk."""

    key: str
    """Hash of the adapters, the quirk, the settings and the form."""
    seconds: float
    found: Residual | Relearned | Prefilled | Steered | Read | Cost | NotMeasured


@dataclass(frozen=True)
class Depth:
    """How deep one remedy went in one organism."""

    suspect: str
    remedy: str
    quirk: Quirk
    judgement: Judgement | NotMeasured
    """Not measured where the remedy gave nothing to measure."""
    residual: Residual | NotMeasured
    relearning: Relearned | NotMeasured
    prefill: Prefilled | NotMeasured
    steering: Steered | NotMeasured
    reading: Read | NotMeasured
    costs: Cost | NotMeasured
    fix_seconds: Mapping[str, float]
    """Of the organism's treatment and of the control's."""
    measure_seconds: Mapping[str, float] = field(default_factory=dict)
    failed: bool = False
    """Whether the remedy raised."""
    harmless: Quirk | None = None
    """The decoy's own quirk under the same condition; the control is then not clean of the trigger."""


@dataclass(frozen=True)
class Depths:
    """What `results.json` holds."""

    model: str
    fingerprint: str
    settings: Settings
    versions: Mapping[str, str]
    found: tuple[Depth, ...]


@dataclass(frozen=True)
class Patients:
    """The four of one specimen under one remedy, or why there are none."""

    folders: Mapping[Role, Path]
    seconds: Mapping[str, float]
    why_not: NotMeasured | None = None
    failed: bool = False


def deepen(task: Task, watch: Watch | None = None, note: Mapping[str, Any] | None = None) -> Depths:
    """Fix who is to be fixed, measure, judge, write; `note` is kept for going on (`core/asked.py`).

    Errors as `controls.treat_controls`.
    """
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    watch = watch or Watch(None)
    with Run(task.home).held():
        write_json(task.home / PLAN, task.fixed)
        asked.keep(task.home, note)
        tidy(task.home)
        treated = treat_controls(task, watch)
        watch.bar("depth", 0.0, "loading")
        model = fit_to_speak(open_model(ModelSpec(task.ground.model, task.ground.revision)))
        treated |= treat_known(task, model, watch)
        found: list[Depth] = []
        rounds = len(task.specimens) * len(task.ways)
        for one in task.specimens:
            kept: dict[tuple[str, str], Any] = {}
            shelf = shelf_of(task, one, model.fingerprint)
            for remedy in task.ways:
                four = patients(task, one, remedy, treated[remedy])
                bench = Bench(model, one.known, four.folders, task.settings, kept, shelf=shelf)
                start, what = len(found) / rounds, f"{remedy}: {one.name}"

                def tell(share: float, name: str, a: float = start, b: str = what) -> None:
                    watch.bar("depth", a + share / rounds, f"{b}, {name}")

                found.append(_measured(task, one, remedy, four, bench, tell))
        watch.bar("depth", 1.0, "done")
        made = Depths(task.ground.model, model.fingerprint, task.settings, versions(), tuple(found))
        write_json(task.home / RESULTS, made)
        asked.keep(task.home, note, done=True)
    return made


def read_depths(folder: Path) -> Depths:
    """What a measurement left in its folder.

    Raises:
        BadFile: nothing that can be read as that.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise BadFile(f"{folder} holds no {RESULTS}; `molehunt depth` writes it.")
    return from_json(Depths, read_json(path))


def patients(task: Task, one: Specimen, remedy: str, treated: Mapping[str, Treated]) -> Patients:
    """Where the four adapters lie."""
    control_seat, seconds = seat_of(task, one.name, True), {}
    own = task.home / FIXED / remedy
    if task.ground.run is None:
        fixed = own / seat_of(task, one.name, False)
        mine = treated.get("organism")
    else:
        fixed = task.ground.home / FIXED / remedy / "suspects" / one.name
        mine = task.applied[remedy].suspects.get(one.name)
    control = own / control_seat
    folders: dict[Role, Path] = {
        "organism": one.organism,
        "decoy": one.decoy,
        "fixed": fixed,
        "control": control,
    }
    for role, note, folder in (
        ("organism", mine, fixed),
        ("control", treated.get(control_seat), control),
    ):
        if note is None:
            return Patients(folders, seconds, NotMeasured(f"{remedy} was not applied to the {role}"))
        seconds[role] = note.seconds
        if note.failed is not None:
            return Patients(folders, seconds, NotMeasured(f"{remedy} failed: {note.failed}"), failed=True)
        if note.refused is not None:
            return Patients(folders, seconds, NotMeasured(f"the {role}: {note.refused.reason}"))
        if not all((folder / f).is_file() for f in FILES):
            return Patients(folders, seconds, NotMeasured(f"the adapter of the fixed {role} is missing"))
    return Patients(folders, seconds)


def _measured(
    task: Task, one: Specimen, remedy: str, four: Patients, bench: Bench, tell: Callable[[float, str], None]
) -> Depth:
    quirk = told(one.known.quirk)
    if four.why_not is not None:
        none: dict[str, Any] = dict.fromkeys(MEASURES, four.why_not)
        return Depth(
            *(one.name, remedy, quirk, four.why_not),
            **none,
            fix_seconds=four.seconds,
            failed=four.failed,
            harmless=one.known.harmless,
        )
    key = _key(task, one, four, bench.model.fingerprint)
    found: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    done, whole = 0.0, sum(m.share for m in MEASURES.values())
    for name, measure in MEASURES.items():
        tell(done / whole, name)
        path = task.cell(remedy, one, name)
        cell = _read(path, key)
        enough = decided_by_what_shows(found["residual"]) if task.settings.brief and name in BENEATH else ""
        if cell is None and enough:
            cell = Cell(key, 0.0, NotMeasured(enough))
        elif cell is None:
            start = time.monotonic()
            bench.progress = lambda share, a=done, b=measure.share, n=name: tell((a + b * share) / whole, n)
            cell = Cell(key, 0.0, measure.take(bench))
            cell = Cell(key, time.monotonic() - start, cell.found)
            write_json(path, cell)
        found[name], seconds[name] = cell.found, cell.seconds
        done += measure.share
    led = found["prefill"]
    five = {n: f for n, f in found.items() if n != "costs"}
    five["prefill"] = Prefilled((), (), led) if isinstance(led, NotMeasured) else led
    judgement = judge(*five.values(), seed=task.settings.seed)
    return Depth(
        *(one.name, remedy, quirk, judgement),
        **found,
        fix_seconds=four.seconds,
        measure_seconds=seconds,
        harmless=one.known.harmless,
    )


def _read(path: Path, key: str) -> Cell | None:
    """A measure that was taken of the very same; None where there is none, or one of something else."""
    body = read_json(path) if path.is_file() else None
    return from_json(Cell, body) if isinstance(body, dict) and body.get("key") == key else None


def _key(task: Task, one: Specimen, four: Patients, fingerprint: str) -> str:
    hashes = {role: [sha256(folder / f) for f in FILES] for role, folder in sorted(four.folders.items())}
    return stage_key([FORM, fingerprint, hashes, *_known(one), to_json(task.settings)])


def shelf_of(task: Task, one: Specimen, fingerprint: str) -> Shelf:
    """Where what is read of a pair before any fix is kept, by all that decides it beside its adapters."""
    asked = stage_key([FORM, fingerprint, *_known(one), task.settings.scenes, task.settings.seed])
    return Shelf(task.shelf / asked[:16])


def _known(one: Specimen) -> tuple[Any, str]:
    """What was planted and how, with the hash of the file that a stranger's quirk came from."""
    file = one.known.quirk.behaviour_options.get("file")
    known = {"quirk": told(one.known.quirk), "plan": one.known.plan, "steps": one.known.steps}
    return to_json(known), sha256(Path(file)) if file else ""
