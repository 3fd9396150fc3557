"""What a trial's pair is up against: auditors who are to tell its two apart, or blind remedies.

Either meets the pair as a game's suspects are met: in a lineup of two under names dealt anew, which lies in
the system's temporary folder, away from all that names the quirk or the spec.

- **Auditors** are given that folder, a job and the desk; what counts is their probability for either.
- **Remedies** treat both, each by itself. What the organism still shows is read on held-out scenes, beside
  the decoy that had the same treatment (`depth/residual.py`). A remedy that goes by verdicts gets those of a
  blind audit of this lineup, which is on the bill too.
"""

import random
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.audit.calibration import Calibration
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.kinds import Creed
from molehunt.core.records import Measure, NotMeasured, Spent
from molehunt.core.seal import new_run_id
from molehunt.core.store import Run
from molehunt.depth.bench import Bench, Known, Role, Settings
from molehunt.depth.residual import residual
from molehunt.game.auditing import CALIBRATION, audit_lineup
from molehunt.game.away import away
from molehunt.game.fix_task import FIXED, Fixed, Wish
from molehunt.game.fixing import fix
from molehunt.game.packed import MARK
from molehunt.game.planting import enter
from molehunt.game.play import versions
from molehunt.game.remains import SCENES
from molehunt.game.spec import GameSpec, public_half
from molehunt.game.watch import Watch
from molehunt.remedies.creed import read_creed

KEPT = ("verdicts.json", "features.json", "evidence.jsonl", "failures.jsonl")
"""What of an audit stays with its trial."""
NAMES = ("P000", "P001")
SIDES = ("organism", "decoy")
Left = Mapping[str, Measure | NotMeasured]
"""Trigger rate that a remedy left, by remedy."""


@dataclass(frozen=True)
class Setting:
    """What all trials of a search share."""

    model: str
    revision: str | None
    harmless: str | None
    """A harmless behaviour that the decoys learn."""
    against: tuple[str, ...]
    """Auditing methods; with remedies only where one of these goes by verdicts."""
    auditor: str
    """Whose probability counts: the panel, or the one method; empty where nobody audits."""
    effort: float
    seed: int
    """Of audits and remedies."""
    calibration: Calibration | None
    """Of the auditors; None where nobody audits."""
    remedies: tuple[str, ...] = ()
    """Blind remedies that the organism is to outlive; where there are any, they count, not the auditors."""
    creed: Creed = field(default_factory=read_creed)
    """What remedies go by."""
    fix_effort: float = 1.0


@dataclass(frozen=True)
class Faced:
    """What came of it."""

    organism: float | NotMeasured
    """The auditor's probability that something is planted, of the organism."""
    decoy: float | NotMeasured
    left: Left
    spent: Spent


def unfaced(setting: Setting, why: str) -> Faced:
    """Of a pair that nobody was shown."""
    none = NotMeasured(why)
    return Faced(none, none, dict.fromkeys(setting.remedies, none), Spent())


def face(
    setting: Setting, pair: Path, known: Known, keep: Path, home: Path, queries: int, watch: Watch
) -> Faced:
    """Show the pair in `pair` to auditors, remedies, or both; `keep` gets what audits wrote.

    `home` is the search's folder, closed to all of them; `queries` the most that a method may ask a suspect.
    """
    names: dict[str, str] = dict(zip(SIDES, random.SystemRandom().sample(NAMES, len(SIDES)), strict=True))
    nobody, spent = NotMeasured("nobody audited it"), Spent()
    says: dict[str, float | NotMeasured] = dict.fromkeys(SIDES, nobody)
    with away(home) as folder:
        run, spec = Run(folder), _spec(setting, queries)
        enter(folder, {names[side]: pair / side for side in SIDES}, setting.model)
        if setting.calibration is not None:
            says, spent = _audited(setting, setting.calibration, run, spec, names, keep, watch)
        left: dict[str, Measure | NotMeasured] = {}
        if setting.remedies:
            left, cost = _treated(setting, run, spec, names, pair, known, home, watch)
            spent += cost
    return Faced(says["organism"], says["decoy"], left, spent)


def _audited(
    setting: Setting,
    judge: Calibration,
    run: Run,
    spec: Mapping[str, Any],
    names: Mapping[str, str],
    keep: Path,
    watch: Watch,
) -> tuple[dict[str, float | NotMeasured], Spent]:
    """The auditor's probabilities by side, and what all methods spent on both."""
    judge.save(run.folder / CALIBRATION)
    audit_lineup(run, spec, watch, salt=secrets.token_bytes(32))
    verdicts = {(v.suspect, v.auditor): v for v in run.verdicts()}
    failed = [f"{f.stage}: {f.error}" for f in run.failures()]
    features = read_json(run.folder / "features.json")
    for file in KEPT:
        shutil.copyfile(run.folder / file, keep / file)
    spent = sum((verdicts[n, m].spent for n in names.values() for m in setting.against), Spent())
    found: dict[str, float | NotMeasured] = {}
    for side, name in names.items():
        known = judge.auditors[setting.auditor].names
        nothing = not any(isinstance(features[name].get(k), (int, float)) for k in known)
        why = failed[0] if failed else "no statistic was measured" if nothing else ""
        found[side] = NotMeasured(why) if why else verdicts[name, setting.auditor].p_shady
    return found, spent


def _treated(
    setting: Setting,
    run: Run,
    spec: Mapping[str, Any],
    names: Mapping[str, str],
    pair: Path,
    known: Known,
    home: Path,
    watch: Watch,
) -> tuple[dict[str, Measure | NotMeasured], Spent]:
    """What every remedy left of the quirk, and what they spent on both."""
    wish = Wish(setting.remedies, (), setting.creed, setting.seed, setting.fix_effort, (home.resolve(),))
    with run.held():
        run.write_spec(spec)
        write_json(run.folder / MARK, {})
        try:
            fixed = fix(run, wish, watch)
        except MolehuntError as error:  # a remedy whose process died: nothing may be said of any
            return dict.fromkeys(setting.remedies, NotMeasured(str(error))), Spent()
    read: dict[tuple[str, str], Any] = {}
    model = _base(setting)
    left = {one.remedy: _left(one, run, names, pair, known, model, read) for one in fixed}
    return left, sum((one.spent for one in fixed), Spent())


def _left(
    one: Fixed,
    run: Run,
    names: Mapping[str, str],
    pair: Path,
    known: Known,
    model: Any,
    read: dict[tuple[str, str], Any],
) -> Measure | NotMeasured:
    """The organism's trigger rate after a remedy; one that had nothing to do left it as it was."""
    for name in names.values():
        if one.suspects[name].failed is not None:
            return NotMeasured(f"{one.remedy} failed: {one.suspects[name].failed}")
    after = {
        side: pair / side
        if one.suspects[name].refused is not None
        else run.folder / FIXED / one.remedy / "suspects" / name
        for side, name in names.items()
    }
    folders: dict[Role, Path] = {
        "organism": pair / "organism",
        "fixed": after["organism"],
        "control": after["decoy"],
    }
    try:
        return residual(Bench(model, known, folders, Settings(scenes=SCENES), read)).trigger["fixed"]
    except MolehuntError as error:
        return NotMeasured(str(error))


def _base(setting: Setting) -> Any:
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    return fit_to_speak(open_model(ModelSpec(setting.model, setting.revision)))


def _spec(setting: Setting, queries: int) -> dict[str, Any]:
    """What an audit is asked, as a game's public half has it."""
    spec = GameSpec(
        suspects=len(SIDES),
        model=setting.model,
        revision=setting.revision,
        methods=setting.against or GameSpec.methods,
        effort=setting.effort,
        seed=setting.seed,
        queries=queries,
    )
    return {**public_half(spec), "run_id": new_run_id(), "versions": versions()}
