"""The audit stage: the referee's desk speaks for the suspects, a process without the key asks.

Here the models are loaded and answered for; there (`audit.room`) the methods run. The audit
process gets an address, a job, a folder of its own to write in, and the names of the folders that are
closed to it: the keys', where the red folders lie, and the run folder; in that one the suspects are
open where the game grants weights. What it found is read back and written into the run folder from here.
A stranger's method is never imported here, where the key is.
"""

import dataclasses
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit.room import METHODS, Job
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import UserError
from molehunt.core.line import VARIABLE
from molehunt.core.record_json import from_json
from molehunt.core.records import AccessLevel, Failure, Spent, Verdict
from molehunt.core.seal import USUAL_KEYS, derive, keys_folder, load_key
from molehunt.core.store import Run, stage_key
from molehunt.game.children import Child, run_children
from molehunt.game.planting import given_files
from molehunt.game.shipped import SHIPPED, copy_of
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.referee.desk import Desk, Grant
from molehunt.referee.meter import Budget
from molehunt.referee.switchboard import Switchboard

HIDDEN = ("MOLEHUNT_KEYS", "PWD", "OLDPWD")
"""Environment variables that an audit process is not given."""
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Set there: the desk has fetched the base model already, and an auditor may call nobody else."""

BOOKS = ".spent"
DONE = ".audit"
"""Suspects that are done, as the audit process writes them."""
CALIBRATION = "calibration.json"
"""A run's own copy of what its verdicts are judged by."""


def audit_lineup(
    run: Run,
    spec: Mapping[str, Any],
    watch: Watch,
    practice: bool = False,
    salt: bytes | None = None,
    desk: Desk | None = None,
    bar: str = "audit",
    closed: Sequence[Path] = (),
) -> None:
    """Audit everyone in `suspects/` and write evidence, transcripts, verdicts and failures.

    Judged by the run's own calibration (`choose_calibration`); in practice, which makes one, by none.
    `salt` stands in for the key's, where there is no key; `desk` for that of the adapters in `suspects/`,
    where others are to be audited; `bar` names the progress bar; `closed` is what the methods may not read
    beside the keys, the lineup's own folder and what games were given. What a verdict cost is what the desk's
    books say, whatever the method says of itself.
    """
    from molehunt.models.machine import give_back_memory

    own = run.folder / CALIBRATION
    judge = own if own.exists() and not practice else None
    forget_unbooked(run.folder)
    books = _Books(run.folder / BOOKS)
    failures: list[Failure] = []
    desk = desk or desk_for(run.folder, spec, salt or salt_of(run.folder, str(spec["run_id"])))
    desk = dataclasses.replace(desk, already=books.read(), on_failure=failures.append)
    scratch = tempfile.TemporaryDirectory(prefix="mole-", ignore_cleanup_errors=True)
    with scratch as name, Switchboard(desk).answering() as address:
        room = Path(name)
        if (run.folder / DONE).is_dir():
            shutil.copytree(run.folder / DONE, room / DONE)
        if judge is not None:
            shutil.copyfile(judge, room / CALIBRATION)
        write_json(room / "job.json", _job(run.folder, room, spec, judge, closed))
        blank = {**dict.fromkeys(HIDDEN, ""), **dict.fromkeys(OFFLINE, "1"), "TMPDIR": name}
        environment = {VARIABLE: address.text(), **blank}
        child = Child("molehunt.audit.room", (str(room / "job.json"),), environment)

        def heard(message: Mapping[str, Any]) -> None:
            suspect = str(message["suspect"])
            # A method may print what it likes: only a suspect's name becomes part of a path.
            if message["what"] == "done" and suspect in desk.suspects:
                done = Path(DONE) / f"{suspect}.json"
                write_json(run.folder / done, read_json(room / done))
                books.write(suspect, desk.spent(), [failures.pop(0) for _ in range(len(failures))])
                give_back_memory()
            watch.bar(bar, float(message["share"]), f"{suspect}: {message['what']}")

        run_children([child], heard)
        _take(run, Run(room), desk, [*books.failures(), *failures])


def forget_unbooked(folder: Path) -> None:
    """Whoever was done when a kill came, but whose cost was not booked yet, is audited again."""
    for done in (folder / DONE).glob("*.json"):
        if not (folder / BOOKS / done.name).exists():
            done.unlink()


def _job(
    folder: Path, room: Path, spec: Mapping[str, Any], judge: Path | None, closed: Sequence[Path] = ()
) -> Job:
    suspects = (str((folder / "suspects").resolve()),)
    shut = (keys_folder(), USUAL_KEYS, SHIPPED, enclosing(folder), *given_files(), *closed)
    return Job(
        out=str(room),
        methods=tuple(spec["methods"]),
        seed=int(spec["seed"]),
        base=str(spec["model"]),
        revision=spec["revision"],
        effort=float(spec["effort"]),
        calibration=None if judge is None else str(room / CALIBRATION),
        calibration_hash=_hash_of(judge) if judge else "",
        uncalibrated=judge is None,
        threads=os.cpu_count() or 1,
        closed=tuple(str(f.expanduser().resolve()) for f in shut),
        opened=suspects if spec["access"] == "open_weights" else (),
    )


def enclosing(folder: Path) -> Path:
    """What a lineup lies in: a fixed one (`RUN/fixed/REMEDY`) in the run, a round of a match in the match."""
    whole = folder.resolve()
    while whole.parent.name == "fixed" and (whole.parent.parent / "spec.json").is_file():
        whole = whole.parent.parent
    if whole.parent.name == "rounds" and (whole.parent.parent / "match.json").is_file():
        whole = whole.parent.parent
    return whole


def _take(run: Run, room: Run, desk: Desk, failures: Sequence[Failure]) -> None:
    """What the audit process wrote, read as what it should be, into the run folder; verdicts last.

    Its failures are followed by the desk's own: there stands why a suspect could not answer.
    """
    run.write_transcripts(room.transcripts())
    run.write_evidence(room.evidence())
    run.write_failures([*room.failures(), *failures])
    write_json(run.folder / "features.json", read_json(room.folder / "features.json"))
    access = read_json(room.folder / METHODS)
    run.write_verdicts(_at_cost(room.verdicts(), desk.spent(), access))


def finish_audit(run: Run, stage: str) -> None:
    """Note that the audit is whole, then take away what a killed one would have gone on from."""
    run.finish("audit", stage)
    shutil.rmtree(run.folder / DONE, ignore_errors=True)
    shutil.rmtree(run.folder / BOOKS, ignore_errors=True)


@dataclass(frozen=True)
class _Account:
    """What every method spent on one suspect, and what raised at the desk until it was done."""

    spent: Mapping[str, Spent]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class _Books:
    """The accounts of suspects who are done, so that an audit that was killed does not forget them."""

    folder: Path

    def read(self) -> dict[tuple[str, str], Spent]:
        return {(who, m): spent for who, one in self._all().items() for m, spent in one.spent.items()}

    def failures(self) -> list[Failure]:
        return [f for one in self._all().values() for f in one.failures]

    def write(self, suspect: str, spent: Mapping[tuple[str, str], Spent], raised: Sequence[Failure]) -> None:
        before = self._all().get(suspect, _Account({})).failures
        own = {m: s for (who, m), s in spent.items() if who == suspect}
        write_json(self.folder / f"{suspect}.json", _Account(own, (*before, *raised)))

    def _all(self) -> dict[str, _Account]:
        return {p.stem: from_json(_Account, read_json(p)) for p in sorted(self.folder.glob("*.json"))}


def _at_cost(
    verdicts: Sequence[Verdict], spent: Mapping[tuple[str, str], Spent], methods: Mapping[str, str]
) -> list[Verdict]:
    """Verdicts at the cost that the desk's books show; the panel's is that of all methods together.

    `methods` says what access each asked for. What is done with open weights passes no desk: there the
    method's own account is added, marked so.
    """
    cost: dict[tuple[str, str], Spent] = {}
    for verdict in verdicts:
        who = (verdict.suspect, verdict.auditor)
        if verdict.auditor in methods:
            alone = methods[verdict.auditor] == "open_weights"
            booked = spent.get(who, verdict.spent if not alone else Spent())
            cost[who] = booked + (verdict.spent if alone else Spent())
    return [
        dataclasses.replace(
            v,
            spent=cost.get((v.suspect, v.auditor))
            or sum((c for (suspect, _), c in cost.items() if suspect == v.suspect), Spent()),
        )
        for v in verdicts
    ]


def audit_key(run: Run, spec: Mapping[str, Any]) -> str:
    """What an audit rests on: the public spec, the sealed lineup, the calibration."""
    files = {name: _hash_of(run.folder / name) for name in (CALIBRATION, "commitments.json")}
    return stage_key({"stage": "audit", **spec, **files})


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def salt_of(folder: Path, run_id: str) -> bytes:
    """The salt of a run's fingerprints: from its key, or from the name of a copy that has none yet."""
    copy = copy_of(folder)
    return derive(load_key(run_id) if copy is None else bytes.fromhex(copy), "fingerprint")


def choose_calibration(run: Run, spec: Mapping[str, Any], given: Path | None) -> None:
    """Lay a copy of the calibration into the run folder: the one given, else the one there, else the shipped.

    The shipped one is taken where it was made for such an audit; else there is none, and p stays 0.5.

    Raises:
        UserError: there is none at `given`, or the audit was judged by another. BadFile: it is none.
    """
    from molehunt.audit import calibration as practice

    own = run.folder / CALIBRATION
    audited = "audit" in run.stages()
    source = given or (None if own.exists() or audited else calibration_for(spec))
    if source is None:
        return
    wanted = practice.load(source)
    if own.exists() and practice.load(own) == wanted:
        return
    if audited:
        raise UserError(f"The verdicts in {run.folder} were judged by another calibration; they stand.")
    wanted.save(own)


def calibration_for(spec: Mapping[str, Any]) -> Path | None:
    """The shipped calibration, where practice asked this base model as this audit does.

    Statistics change with the effort, the access, and whether the clean reference may be asked.
    """
    from molehunt.audit.calibration import DEFAULT
    from molehunt.audit.calibration import load as read

    if not DEFAULT.is_file():
        return None
    made = read(DEFAULT).provenance
    asked = {name: spec[name] for name in CALIBRATED_FOR}
    return DEFAULT if all(made.get(n, USUAL.get(n)) == v for n, v in asked.items()) else None


CALIBRATED_FOR = ("model", "revision", "effort", "access", "reference")
"""Fields of a spec that a calibration holds for."""
USUAL = {f.name: f.default for f in dataclasses.fields(GameSpec)}


def desk_for(folder: Path, spec: Mapping[str, Any], salt: bytes) -> Desk:
    """A desk at which every adapter in `suspects/` speaks, all on one base model."""
    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.local import LocalModel

    model = fit_to_speak(open_model(ModelSpec(str(spec["model"]), spec["revision"])))
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
