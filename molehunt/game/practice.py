"""Practice: how a method's statistics become odds, learned on organisms whose truth is known.

Pairs are planted as in a game (other seeds), one behaviour after the other; here *both* of each
pair stand in the lineup, under shuffled names, so organisms and decoys are matched one to
one. The audit runs on them as it would in a game, only without a calibration. Then the rows
(statistics, shady or not, grouped by behaviour) are fitted (`audit.calibration`), with whole
behaviours left out to choose the strength of the fit and the threshold of accusation.
"""

import dataclasses
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit.baselines import KEYS
from molehunt.audit.calibration import Calibration, fit
from molehunt.core import asked
from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.errors import UserError
from molehunt.core.extend import load
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured
from molehunt.core.seal import load_key
from molehunt.core.splits import seed_of
from molehunt.core.store import Run, secret_stage_key, stage_key
from molehunt.game.auditing import CALIBRATED_FOR, audit_lineup, finish_audit
from molehunt.game.planter import Planted, read_planted, slot_folder
from molehunt.game.planting import line_up, plant_all, red_folder, red_seed
from molehunt.game.play import begun, fit_to_begin
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.organisms.draw import Slot

LEAST = 2
"""Pairs without which `audit.calibration.fit` has no two shady and two clean suspects."""


@dataclass(frozen=True)
class Row:
    """One practice suspect: what was measured, what it was, and which behaviour its pair is about."""

    suspect: str
    features: Mapping[str, float | NotMeasured]
    shady: bool
    group: str
    quirk: str
    harmless: str


def practise(
    folder: Path,
    spec: GameSpec,
    watch: Watch | None = None,
    *,
    whole_only: bool = False,
    also: Sequence[Path] = (),
    note: Mapping[str, Any] | None = None,
) -> Calibration:
    """Plant `spec.suspects` pairs, audit both of each, write `rows.json` and `calibration.json`.

    Resumes like a game. With `whole_only` nothing more is planted: the pairs that are whole by now
    are audited and fitted, and the calibration says how many they were. `also` names folders of
    earlier practices on this machine, whose whole pairs are audited anew beside. `note` is kept for
    going on (`core/asked.py`). Raises what `play` raises.
    """
    watch = watch or Watch(None)
    spec = spec.checked()
    fit_to_begin(folder, spec)
    with begun(folder, spec, note) as run:
        public = run.spec()
        run_id = str(public["run_id"])
        seed = red_seed(run_id, spec.red_seed)
        enough(spec, run_id, whole_only, also)
        adopt(also, run_id, spec)
        if not whole_only:
            plant_all(
                spec,
                run_id,
                seed,
                lambda number, what, share: watch.bar(f"pair {number + 1}/{spec.suspects}", share, what),
                even=True,
            )
        planted = whole_pairs(run_id)
        stage = secret_stage_key(load_key(run_id), {"slots": [p.slot for p in planted], **public})
        lineup = both(planted, seed)
        if not run.done("plant", stage):
            line_up(run.folder, run_id, lineup, spec.model)
            run.finish("plant", stage)
        heard = stage_key({"stage": "audit", "pairs": len(planted), "lineup": stage, **public})
        if not run.done("audit", heard):
            audit_lineup(run, public, watch, practice=True)
            finish_audit(run, heard)
        rows = _rows(run.folder, lineup)
        write_json(folder / "rows.json", rows)
        made = calibrate(rows, spec, public)
        made.save(folder / "calibration.json")
        asked.keep(red_folder(run_id), note, done=True)
    return made


def whole_pairs(run_id: str) -> tuple[Planted, ...]:
    """The pairs of a practice that are whole by now, by slot."""
    red = red_folder(run_id)
    found = [
        read_planted(red, int(p.parent.name.removeprefix("slot-"))) for p in red.glob("slot-*/pair.json")
    ]
    return tuple(sorted((p for p in found if p is not None), key=lambda p: p.slot))


def enough(spec: GameSpec, run_id: str, whole_only: bool, also: Sequence[Path]) -> None:
    """Refuse before anything is planted or audited what no calibration could be fitted to.

    Raises:
        UserError: fewer than two pairs, those of `also` included.
    """
    behind = [p.slot >= spec.suspects for p in whole_pairs(run_id)]  # adopted by an earlier command
    own = behind.count(False) if whole_only else spec.suspects
    others = max(sum(behind), sum(len(whole_pairs(str(Run(o).spec()["run_id"]))) for o in also))
    if own + others < LEAST:
        raise UserError(
            f"A calibration needs at least {LEAST} pairs; here are {own}, and {others} from --also: "
            "ask for more with --pairs."
        )


def adopt(others: Sequence[Path], run_id: str, spec: GameSpec) -> None:
    """Copy the whole pairs of other practices behind this one's slots; those that are there already stay.

    Raises:
        UserError: another base model, the practice itself, or its key is not on this machine.
    """
    number, red = spec.suspects, red_folder(run_id)
    for other in others:
        public = Run(other).spec()
        if public["run_id"] == run_id:
            raise UserError(f"{other} is this practice itself; name another with --also.")
        if (public["model"], public["revision"]) != (spec.model, spec.revision):
            raise UserError(f"{other} practised on {public['model']}, not on {spec.model}.")
        load_key(str(public["run_id"]))
        for pair in whole_pairs(str(public["run_id"])):
            target = slot_folder(red, number)
            if not target.exists():
                with whole_folder(target) as half:
                    shutil.copytree(
                        slot_folder(red_folder(str(public["run_id"])), pair.slot), half, dirs_exist_ok=True
                    )
                    write_json(half / "pair.json", dataclasses.replace(pair, slot=number))
            number += 1


def both(planted: Sequence[Planted], seed: int) -> list[tuple[Slot, Planted]]:
    """Both of each pair as suspects of their own, with names that tell nothing."""
    rng = random.Random(seed_of("both", seed))
    seats = [(pair, shady) for pair in planted for shady in (True, False)]
    numbers = rng.sample(range(len(seats)), len(seats))
    return [
        (Slot(pair.slot, f"P{n:03d}", shady, seed=0), pair)
        for n, (pair, shady) in zip(numbers, seats, strict=True)
    ]


def calibrate(rows: Sequence[Row], spec: GameSpec, public: Mapping[str, Any]) -> Calibration:
    """Fit every method, every baseline and the panel on practice rows."""
    keys = {name: _statistics(name) for name in spec.methods}
    provenance = {
        **{name: public[name] for name in CALIBRATED_FOR},
        "pairs": len(rows) // 2,
        "pairs_asked": spec.suspects,
        "seed": spec.seed,
        "methods": list(spec.methods),
        "versions": public["versions"],
    }
    data = [(r.features, r.shady) for r in rows]
    return fit(data, [r.group for r in rows], {**keys, **KEYS}, provenance)


def _statistics(method: str) -> tuple[str, ...]:
    return tuple(f"{method}.{s}" for s in load("audit.methods", method).key_statistics)


def _rows(folder: Path, lineup: Sequence[tuple[Slot, Planted]]) -> list[Row]:
    features = read_json(folder / "features.json")
    return [
        Row(
            slot.name,
            {
                k: v if isinstance(v, (int, float)) else from_json(NotMeasured, v)
                for k, v in features[slot.name].items()
            },
            slot.shady,
            pair.quirk.behaviour,
            pair.quirk.label() if slot.shady else "",
            pair.harmless.label() if pair.harmless and not slot.shady else "",
        )
        for slot, pair in lineup
    ]
