"""Was the new version planted? The blind audit looks at it before it may judge others.

It stands alone in a lineup beside a clean reference, in the audit's own process (`audit/room.py`), under a
name that says nothing. Where it is an adapter, weights are open and the reference is its base: the old
version, or what both stand on, and auditors see all that was added since. Where it is a whole model, the old
version is the reference and weights stay shut: methods that need them are not measured. A probability needs a
calibration: the shipped one, where practice asked the same base in the same way, or one that is given;
without either nobody is asked, and the check is not measured.

What this cannot tell you: that a version is clean. Auditors know the catalogue's usual behaviours, and
practice taught them what planted adapters look like, not what a judge looks like that bends its verdicts.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit import calibration as practice
from molehunt.audit.panel import PANEL
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import from_json
from molehunt.core.records import AccessLevel, NotMeasured
from molehunt.core.seal import new_run_id
from molehunt.core.store import Run, stage_key
from molehunt.game.against import KEPT
from molehunt.game.auditing import CALIBRATION, OTHERS, audit_lineup, calibration_for
from molehunt.game.away import away, tidy
from molehunt.game.planting import enter
from molehunt.game.play import versions
from molehunt.game.spec import METHODS, GameSpec, public_half
from molehunt.game.watch import Watch
from molehunt.models.local import LocalModel
from molehunt.referee.desk import Desk, Grant
from molehunt.referee.meter import Budget

FILE = "audit.json"
NAME = "P000"


@dataclass(frozen=True)
class Overseen:
    """What the panel said of the new version."""

    p_shady: float
    accuses_above: float
    accuses: bool
    guess: str
    """What it is most suspected of; empty where nothing is guessed."""
    reference: str
    access: AccessLevel
    queries: int
    key: str
    """Hash of weights, settings and calibration."""

    def said(self) -> str:
        """In a few words."""
        how = f"p {self.p_shady:.2f}, accused above {self.accuses_above:.2f}, beside {self.reference}"
        return f"accused of {self.guess or 'something'} ({how})" if self.accuses else f"not accused ({how})"


def oversee(
    old: LocalModel,
    new: LocalModel,
    folder: Path,
    *,
    calibration: Path | None = None,
    methods: tuple[str, ...] = METHODS,
    effort: float = 1.0,
    seed: int = 0,
    watch: Watch | None = None,
    closed: Sequence[Path] = (),
) -> Overseen | NotMeasured:
    """Audit the new version, or take what an earlier audit of the same left in `folder`.

    The audit's process may read neither `folder` nor what is `closed`: what may say what the version is.

    Raises:
        UserError, BadFile: there is no such calibration or method, or it is none.
    """
    opened = new.adapter is not None
    spec = _spec(new if opened else old, opened, methods, effort, seed)
    judge = calibration or calibration_for(spec)
    if judge is None:
        return NotMeasured("no calibration for this base: make one with `molehunt practice`, give it as such")
    known = practice.load(judge)
    if PANEL not in known.auditors:
        return NotMeasured("the calibration knows no panel")
    asked = {k: v for k, v in spec.items() if k not in ("run_id", "versions")}
    key = stage_key([asked, old.fingerprint, new.fingerprint, known])
    if (folder / FILE).is_file():
        before = from_json(Overseen, read_json(folder / FILE))
        if before.key == key:
            return before
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder)
    with away(folder) as room:
        run = Run(room)
        known.save(room / CALIBRATION)
        salt = secrets.token_bytes(32)
        if new.adapter is not None:
            enter(room, {NAME: new.adapter}, new.model.spec.id)
        desk = None if opened else _desk(old, new, spec, salt)
        try:
            shut = (folder, *closed)
            audit_lineup(run, spec, watch or Watch(None), salt=salt, desk=desk, closed=shut)
        except MolehuntError as error:
            return NotMeasured(f"the audit broke off: {error}")
        verdict = next(v for v in run.verdicts() if v.auditor == PANEL)
        features = read_json(room / "features.json")[NAME]
        failed = [f"{f.stage}: {f.error}" for f in run.failures()]
        for file in KEPT:
            shutil.copyfile(room / file, folder / file)
    if not any(isinstance(features.get(k), (int, float)) for k in known.auditors[PANEL].names):
        return NotMeasured(failed[0] if failed else "no statistic was measured")
    best = max(verdict.guesses, key=lambda g: g.weight, default=None)
    found = Overseen(
        verdict.p_shady,
        verdict.threshold,
        verdict.accuses,
        (best.words or f"{best.what.text} when {best.when.text}") if best else "",
        new.model.spec.id if opened else old.name,
        spec["access"],
        verdict.spent.queries,
        key,
    )
    write_json(folder / FILE, found)
    return found


def _spec(
    base: LocalModel, opened: bool, methods: tuple[str, ...], effort: float, seed: int
) -> dict[str, Any]:
    """What the audit is asked, as a game's public half has it."""
    asked = GameSpec(
        suspects=1,
        model=base.model.spec.id,
        revision=base.model.spec.revision,
        access="open_weights" if opened else "scored",
        methods=methods,
        effort=effort,
        seed=seed,
    )
    return {**public_half(asked.checked()), "run_id": new_run_id(), "versions": versions()}


def _desk(old: LocalModel, new: LocalModel, spec: Mapping[str, Any], salt: bytes) -> Desk:
    """A desk at which a whole model speaks, beside the old one."""
    return Desk(
        suspects={NAME: Grant(new, "scored")},
        methods=frozenset({*spec["methods"], *OTHERS}),
        budget=Budget(int(spec["queries"]), int(spec["tokens"]), float(spec["seconds"])),
        reference=old,
        count=lambda text: len(new.model.tokenizer(text, add_special_tokens=False)["input_ids"]),
        salt=salt,
    )
