"""What still shows of what was planted: every suspect of an opened game before and after a blind fix.

The referee's look, by the first measure of depth (`depth/residual.py`) on held-out scenes: of a shady suspect
its own quirk, with its untreated decoy beside it, on all items; of a clean one the quirk of the organism that
it was matched to, so that a fix which brings harm into a clean model shows. A suspect's numbers lie in
`fixed/REMEDY/remains/NAME.json`; whole ones are kept.

What this cannot tell you: whether what no longer shows was removed or hidden. For that a control must have
had the same fix, and more than one measure: `molehunt depth RUN`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured, Truth
from molehunt.core.store import Run, stage_key
from molehunt.depth.bench import Bench, Known, Role, Settings
from molehunt.depth.residual import Residual, residual
from molehunt.game.fix_task import FIXED, sha256
from molehunt.game.fixing import base_of
from molehunt.game.planter import read_planted, slot_folder
from molehunt.game.planting import FILES, red_folder
from molehunt.game.twins import red_twin
from molehunt.game.watch import Watch
from molehunt.organisms.plan import Plan
from molehunt.organisms.strangers import told

if TYPE_CHECKING:
    from molehunt.models.loaded import Model

REMAINS = "remains"
SCENES = 24
"""Scenes a side: half of what `molehunt depth` takes, for every suspect is looked at, and while one waits."""
FORM = 2
"""Of what is measured: raised when that changes, so that older files are measured anew."""
AWAY = "the red team's folder, where its pair lies, is not on this machine"


@dataclass(frozen=True)
class Remains:
    """One suspect's file."""

    suspect: str
    key: str
    """Hash of the adapters, the quirk and the settings."""
    seconds: float
    found: Residual | NotMeasured
    """Rates of `organism` (the suspect as it was), `fixed`, and of a shady one's decoy as `control`."""


@dataclass(frozen=True)
class Look:
    """What is to be looked at."""

    known: Known
    folders: Mapping[Role, Path]


def measure_remains(run: Run, remedy: str, opened: Sequence[Truth], watch: Watch) -> tuple[Remains, ...]:
    """Look at every suspect that the remedy treated; those that it did not are not measured."""
    waiting: list[tuple[Path, str, Truth, Look]] = []
    found: dict[str, Remains] = {}
    for truth in sorted(opened, key=lambda t: t.suspect):
        path, look = _file(run, remedy, truth.suspect), _look(run, remedy, truth)
        key = _key(run, look)
        kept = read_json(path) if path.is_file() else None
        if isinstance(kept, dict) and kept.get("key") == key:
            found[truth.suspect] = from_json(Remains, kept)
        elif isinstance(look, NotMeasured):
            found[truth.suspect] = Remains(truth.suspect, key, 0.0, look)
            write_json(path, found[truth.suspect])
        else:
            waiting.append((path, key, truth, look))
    if waiting:
        bar = f"what still shows: {remedy}"
        watch.bar(bar, 0.0, "loading")
        model = base_of(run)
        for done, (path, key, truth, look) in enumerate(waiting):
            watch.bar(bar, done / len(waiting), truth.suspect)
            start = time.monotonic()
            shown = _measured(model, look)
            found[truth.suspect] = Remains(truth.suspect, key, time.monotonic() - start, shown)
            write_json(path, found[truth.suspect])
        watch.bar(bar, 1.0, "done")
    return tuple(r for _, r in sorted(found.items()))


def read_remains(run: Run, remedy: str) -> tuple[Remains, ...]:
    """What was measured after a remedy, by suspect; empty where nothing was yet."""
    folder = run.folder / FIXED / remedy / REMAINS
    return tuple(from_json(Remains, read_json(p)) for p in sorted(folder.glob("*.json")))


def _file(run: Run, remedy: str, suspect: str) -> Path:
    return run.folder / FIXED / remedy / REMAINS / f"{suspect}.json"


def _look(run: Run, remedy: str, truth: Truth) -> Look | NotMeasured:
    name = truth.suspect
    was, fixed = (run.folder / p / "suspects" / name for p in (".", f"{FIXED}/{remedy}"))
    if not (fixed / FILES[1]).is_file():
        return NotMeasured(f"{remedy} did not treat it")
    folders: dict[Role, Path] = {"organism": was, "fixed": fixed}
    run_id = str(run.spec()["run_id"])
    here = red_folder(run_id).is_dir()
    of = (red_twin(run_id, None) if here else None) or run_id
    planted = read_planted(red_folder(of), int(truth.recipe["slot"])) if "slot" in truth.recipe else None
    if planted is not None:
        if truth.shady:
            folders["control"] = slot_folder(red_folder(of), planted.slot) / "decoy"
        plan = Plan() if planted.plan is None else from_json(Plan, planted.plan)
        return Look(Known(planted.quirk, plan, planted.steps), folders)
    if truth.quirk is None:
        return NotMeasured(f"{AWAY}: what it was matched to is not known")
    if "file" in truth.quirk.behaviour_options:
        return NotMeasured(f"{AWAY}, and with it its quirk's file")
    return Look(Known(truth.quirk, Plan(), 0), folders)


def _key(run: Run, look: Look | NotMeasured) -> str:
    if isinstance(look, NotMeasured):
        return stage_key([FORM, look.reason])
    hashes = {role: [sha256(folder / f) for f in FILES] for role, folder in sorted(look.folders.items())}
    spec = run.spec()
    return stage_key([FORM, spec["model"], spec["revision"], hashes, to_json(told(look.known.quirk)), SCENES])


def _measured(model: "Model", look: Look) -> Residual | NotMeasured:
    try:
        bench = Bench(model, look.known, look.folders, Settings(scenes=SCENES))
        return residual(bench)
    except MolehuntError as error:
        return NotMeasured(str(error))
