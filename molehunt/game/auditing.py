"""The audit stage: the referee's desk speaks for the suspects, a process without the key asks.

Here the models are loaded and answered for; there (`audit.room`) the methods run. The audit
process gets an address, a job and, where weights are open, the adapters' folders: no key, no
spec of the red team, no path to its private folder.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.audit.room import Job
from molehunt.core.atomic import write_json
from molehunt.core.line import VARIABLE
from molehunt.core.records import AccessLevel
from molehunt.core.seal import derive, load_key
from molehunt.core.store import Run
from molehunt.game.children import Child, run_children
from molehunt.game.watch import Watch
from molehunt.referee.desk import Desk, Grant
from molehunt.referee.meter import Budget
from molehunt.referee.switchboard import Switchboard

HIDDEN = ("MOLEHUNT_KEYS",)
"""Environment variables that an audit process is not given."""


def audit_lineup(
    run: Run,
    spec: Mapping[str, Any],
    watch: Watch,
    calibration: Path | None = None,
    practice: bool = False,
    salt: bytes | None = None,
) -> None:
    """Audit everyone in `suspects/` and write evidence, transcripts, verdicts and failures.

    Judged by `calibration`, or by the shipped one where it was made on this base model; in
    practice, which makes one, by none. `salt` stands in for the key's, where there is no key.
    """
    judge = str(calibration) if calibration else None if practice else calibration_for(str(spec["model"]))
    desk = desk_for(run.folder, spec, salt or salt_of(str(spec["run_id"])))
    job = Job(
        out=str(run.folder.resolve()),
        methods=tuple(spec["methods"]),
        seed=int(spec["seed"]),
        base=str(spec["model"]),
        revision=spec["revision"],
        effort=float(spec["effort"]),
        calibration=judge,
        uncalibrated=judge is None,
        threads=os.cpu_count() or 1,
    )
    path = run.folder / ".audit-job.json"
    write_json(path, job)
    blank = dict.fromkeys(HIDDEN, "")
    with Switchboard(desk).answering() as address:
        child = Child("molehunt.audit.room", (str(path),), {VARIABLE: address.text(), **blank})
        run_children([child], lambda m: watch.bar("audit", float(m["share"]), f"{m['suspect']}: {m['what']}"))
    path.unlink(missing_ok=True)


def salt_of(run_id: str) -> bytes:
    """The salt of a run's fingerprints: the same for as long as its key is there."""
    return derive(load_key(run_id), "fingerprint")


def calibration_for(model: str) -> str | None:
    """The shipped calibration where it was made on this base model; else none, and p stays 0.5."""
    from molehunt.audit.calibration import DEFAULT, load

    if not DEFAULT.is_file():
        return None
    return str(DEFAULT) if load(DEFAULT).provenance.get("model") == model else None


def desk_for(folder: Path, spec: Mapping[str, Any], salt: bytes) -> Desk:
    """A desk at which every adapter in `suspects/` speaks, all on one base model."""
    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.local import LocalModel

    model = open_model(ModelSpec(str(spec["model"]), spec["revision"]))
    access: AccessLevel = spec["access"]
    suspects = {}
    for adapter in sorted((folder / "suspects").iterdir()):
        if adapter.is_dir():
            read_adapter(adapter, model.module)  # a damaged one is refused before anybody is asked
            shown = adapter if access == "open_weights" else None
            suspects[adapter.name] = Grant(LocalModel(model, adapter.name, adapter), access, shown)
    return Desk(
        suspects=suspects,
        methods=frozenset({*spec["methods"], *OTHERS}),
        budget=Budget(int(spec["queries"]), int(spec["tokens"]), float(spec["seconds"])),
        reference=LocalModel(model, "reference") if spec["reference"] else None,
        count=lambda text: len(model.tokenizer(text, add_special_tokens=False)["input_ids"]),
        salt=salt,
    )


OTHERS = ("baselines", "person")
"""Who else has a budget at the desk: the naive baselines, and a person who plays auditor."""
