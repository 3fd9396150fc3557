"""Practice: how a method's statistics become odds, learned on organisms whose truth is known.

Pairs are planted as in a game (other seeds), one behaviour after the other; here *both* of each
pair stand in the lineup, under shuffled names, so organisms and decoys are matched one to
one. The audit runs on them as it would in a game, only without a calibration. Then the rows
(statistics, shady or not, grouped by behaviour) are fitted (`audit.calibration`), with whole
behaviours left out to choose the strength of the fit and the threshold of accusation.
"""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit.baselines import KEYS
from molehunt.audit.calibration import Calibration, fit
from molehunt.core.atomic import read_json, write_json
from molehunt.core.extend import load
from molehunt.core.records import NotMeasured, from_json
from molehunt.core.seal import load_key
from molehunt.core.splits import seed_of
from molehunt.core.store import Run, secret_stage_key, stage_key
from molehunt.game.auditing import CALIBRATED_FOR, audit_lineup, finish_audit
from molehunt.game.planter import Planted, read_planted
from molehunt.game.planting import line_up, plant_all, red_folder, red_seed
from molehunt.game.play import begin, fit_to_begin
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.organisms.draw import Slot, slots


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
    folder: Path, spec: GameSpec, watch: Watch | None = None, *, whole_only: bool = False
) -> Calibration:
    """Plant `spec.suspects` pairs, audit both of each, write `rows.json` and `calibration.json`.

    Resumes like a game. With `whole_only` nothing more is planted: the pairs that are whole by now
    are audited and fitted, and the calibration says how many they were. Raises what `play` raises.
    """
    watch = watch or Watch(None)
    spec = spec.checked()
    fit_to_begin(folder, spec)
    with Run(folder).held() as run:
        public = begin(run, spec)
        run_id = str(public["run_id"])
        seed = red_seed(run_id, spec.red_seed)
        stage = secret_stage_key(load_key(run_id), {"stage": "plant", **public})
        if whole_only:
            planted = _whole(spec, run_id, seed)
            stage = secret_stage_key(load_key(run_id), {"slots": [s.number for s, _ in planted], **public})
        else:
            planted = plant_all(
                spec,
                run_id,
                seed,
                lambda number, what, share: watch.bar(f"pair {number + 1}/{spec.suspects}", share, what),
                even=True,
            )
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
    return made


def _whole(spec: GameSpec, run_id: str, seed: int) -> tuple[tuple[Slot, Planted], ...]:
    """The pairs that are whole by now."""
    found = [(s, read_planted(red_folder(run_id), s.number)) for s in slots(spec.suspects, seed)]
    return tuple((s, p) for s, p in found if p is not None)


def both(planted: Sequence[tuple[Slot, Planted]], seed: int) -> list[tuple[Slot, Planted]]:
    """Both of each pair as suspects of their own, with names that tell nothing."""
    rng = random.Random(seed_of("both", seed))
    seats = [
        (dataclasses.replace(slot, shady=shady), pair) for slot, pair in planted for shady in (True, False)
    ]
    numbers = rng.sample(range(len(seats)), len(seats))
    return [
        (dataclasses.replace(s, name=f"P{n:03d}"), pair) for n, (s, pair) in zip(numbers, seats, strict=True)
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
