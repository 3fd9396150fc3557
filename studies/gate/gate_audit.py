"""The audit of generations that are kept: would the verb, which audits what passes, have stopped them?

A trial is the comparison alone. `molehunt gate` also has NEW audited, and stops what is accused: here its own
check (`molehunt/game/overseer.py`, with the verb's methods and effort) looks at each adapter of the part
`trials`, as a lineup of one. The folder of trials, where names and rows tell which are poisoned, and that of
the tables are shut to the audit's process.

Rows lie under the hash of the calibration. The check itself knows what it audited before, and audits anew
what changed since. What could not be measured lies in `failed/` and says why; each sitting tries it again.

What this cannot tell you: whether the audit finds what its practice never met. The shipped calibration
practised the poison's own behaviour, on this base.
"""

import hashlib
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gate_table import SHIPPED
from gate_trial import Setting, base, trained_folder
from generation import Trial

from molehunt.audit.calibration import DEFAULT
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.game.spec import METHODS


def judged_by(calibration: Path | None) -> dict[str, str]:
    """What judges, by name and SHA-256 (hex; empty where none ships)."""
    file = calibration or DEFAULT
    whole = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return {"name": SHIPPED if calibration is None else file.name, "sha256": whole}


def audit_file(setting: Setting, trial: Trial, calibration: Path | None) -> Path:
    """Where it lies what the audit said of a trial's generation."""
    judge = judged_by(calibration)["sha256"][:12] or "none"
    return setting.work / "audits" / judge / f"{trial.name}.json"


def unaudited_file(setting: Setting, trial: Trial, calibration: Path | None) -> Path:
    """Where it lies why the last audit of it said nothing."""
    path = audit_file(setting, trial, calibration)
    return path.parent / "failed" / path.name


def audits_in(setting: Setting, trials: Sequence[Trial], calibration: Path | None) -> list[dict[str, Any]]:
    """What the last audit of each said, or why it said nothing; those that nobody audited are left out."""
    files = (unaudited_file, audit_file)
    found = ([p for f in files if (p := f(setting, t, calibration)).exists()] for t in trials)
    return [read_json(paths[0]) for paths in found if paths]


def run_audit(
    setting: Setting,
    trial: Trial,
    calibration: Path | None,
    watch: Any,
    closed: Sequence[Path] = (),
    methods: tuple[str, ...] = METHODS,
    effort: float = 1.0,
) -> dict[str, Any]:
    """What the audit says of a generation that is kept, now or before; a failure comes back as a row too.

    `closed` is what the audit's process may not read beside the folder of trials.
    """
    from molehunt.game.overseer import oversee
    from molehunt.models.local import LocalModel

    path, missing = (f(setting, trial, calibration) for f in (audit_file, unaudited_file))
    shut, started = (setting.work, *closed), time.monotonic()
    how: dict[str, Any] = {"methods": methods, "effort": effort, "watch": watch, "closed": shut}
    try:
        old = LocalModel(base(setting.model), setting.model, None)
        new = LocalModel(base(setting.model), trial.name, trained_folder(setting, trial))
        found = oversee(old, new, path.with_suffix(""), calibration=calibration, **how)
    except (MolehuntError, FloatingPointError, ValueError) as error:
        found = NotMeasured(f"{type(error).__name__}: {error}")
    except Exception:
        found = NotMeasured(traceback.format_exc(limit=-2)[-500:])
    row = {"name": trial.name, "arm": trial.arm, "commit": setting.commit, "audit": to_json(found)}
    if isinstance(found, NotMeasured):
        write_json(missing, row)
        return row
    if not path.exists() or read_json(path)["audit"] != row["audit"]:
        write_json(path, {**row, "seconds": time.monotonic() - started})
    missing.unlink(missing_ok=True)
    return read_json(path)
