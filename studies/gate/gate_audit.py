"""The audit of generations that are kept: would the verb, which audits what passes, have stopped them?

A trial is the comparison alone. `molehunt gate` also has NEW audited, and stops what is accused: here its own
check (`molehunt/game/overseer.py`, with the verb's methods and effort) looks at each adapter of the part
`trials`, as a lineup of one. Rows lie under the hash of the calibration; what could not be measured says why.
"""

import hashlib
from pathlib import Path
from typing import Any

from gate_trial import Setting, base, trained_folder
from generation import Trial

from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import to_json


def audit_file(setting: Setting, trial: Trial, calibration: Path | None) -> Path:
    """Where it lies what the audit said of a trial's generation."""
    judge = "shipped" if calibration is None else hashlib.sha256(calibration.read_bytes()).hexdigest()[:12]
    return setting.work / "audits" / judge / f"{trial.name}.json"


def run_audit(setting: Setting, trial: Trial, calibration: Path | None, watch: Any) -> dict[str, Any]:
    """What the audit says of a generation that is kept, or said before.

    Raises:
        UserError, BadFile: there is no such calibration.
    """
    from molehunt.game.overseer import oversee
    from molehunt.models.local import LocalModel

    path = audit_file(setting, trial, calibration)
    if path.exists():
        return read_json(path)
    old = LocalModel(base(setting.model), setting.model, None)
    new = LocalModel(base(setting.model), trial.name, trained_folder(setting, trial))
    found = oversee(old, new, path.with_suffix(""), calibration=calibration, watch=watch)
    row = {"name": trial.name, "arm": trial.arm, "commit": setting.commit, "audit": to_json(found)}
    write_json(path, row)
    return read_json(path)
