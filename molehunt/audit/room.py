"""The audit, in a process of its own that holds no key: `python -m molehunt.audit.room JOB.json`.

It shuts its doors (`core/doors.py`), calls the referee's desk at the address in its environment, audits
everyone whom it finds there, and writes what it found into a folder of its own: the game takes it from
there, for the run folder is closed to this process. A suspect that is done lies whole in `.audit/`, so
that an audit which was killed goes on with the next one. How far it is stands on standard output, one
JSON object a line; it ends when the process that started it does.
"""

import dataclasses
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit import baselines as naive
from molehunt.audit import calibration as practice
from molehunt.audit.calibration import Calibration
from molehunt.audit.memory import Remembered
from molehunt.audit.panel import Audited, audit_suspect, finite
from molehunt.core.atomic import read_json, write_json
from molehunt.core.doors import shut
from molehunt.core.errors import BadFile, LineLost, MolehuntError, UnknownName
from molehunt.core.extend import load
from molehunt.core.kinds import Case, Finding, Method
from molehunt.core.line import VARIABLE, Address, Line
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import AccessLevel, Evidence, NotMeasured, Verdict
from molehunt.core.store import Run, stage_key

REFERENCE = "reference"
"""By this name the desk speaks for the clean base model, where the game grants it."""
BASELINES = "baselines"
"""By this name the naive baselines have a budget at the desk."""
RANKS = {"chat": 0, "scored": 1, "open_weights": 2}
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """What one audit does. Nothing in it leads to the truth."""

    out: str
    """Folder that transcripts, evidence, verdicts and failures are written to."""
    methods: tuple[str, ...]
    seed: int
    base: str = "default"
    """The base model's name, for methods that load weights themselves."""
    revision: str | None = None
    effort: float = 1.0
    calibration: str | None = None
    """File to judge by; None takes the shipped one."""
    calibration_hash: str = ""
    """SHA-256 of that file: findings under another one are not taken over."""
    uncalibrated: bool = False
    """True in practice, which has no calibration yet: every probability is 0.5."""
    threads: int = 0
    """Threads of methods that compute here; 0 leaves it to torch."""
    closed: tuple[str, ...] = ()
    """Folders in which nothing may be read: keys, the run folder."""
    opened: tuple[str, ...] = ()
    """Those in closed ones that are open: the suspects, where the game grants weights."""


WHERE = ("out", "calibration", "closed", "opened")
"""Fields of a job that only say where things lie: findings outlive them."""
METHODS = "methods.json"
"""Method to the access that it asked for, for who books its cost."""


@dataclass(frozen=True)
class Unusable:
    """Stands in for a method whose own file could not be read in: it fails, and the others go on."""

    name: str
    error: Exception
    summary: str = "could not be loaded"
    access: AccessLevel = "chat"
    key_statistics: tuple[str, ...] = ()
    false_positive_rate: float = 0.0

    def investigate(self, suspect: Any, case: Case) -> Finding:
        """Raise what its file raised."""
        raise self.error


def audit(job: Job, line: Line, say: Say) -> None:
    """Audit everyone at the desk, write the findings.

    Raises:
        UserError: a method or the calibration cannot be had. LineLost: the desk is gone.
    """
    judge = None if job.uncalibrated else _judge(job)
    methods = [_ready(name, job) for name in job.methods]
    run, own = Run(Path(job.out)), Path(job.out) / ".audit"
    asked = {k: v for k, v in to_json(job).items() if k not in WHERE}
    key = stage_key({**asked, "desk": {name: card["access"] for name, card in line.granted.items()}})
    memory: dict[Any, Any] = {}
    suspects = sorted(name for name in line.granted if name != REFERENCE)
    found = []
    for number, suspect in enumerate(suspects):
        done = _done(own / f"{suspect}.json", key)
        if done is None:
            lines = {m.name: _line(line, suspect, m) for m in methods}
            cases = {
                m.name: _case(
                    line, m, job, memory, _watch(say, suspect, m.name, number, i, suspects, methods)
                )
                for i, m in enumerate(methods)
            }
            done = audit_suspect(suspect, lines, methods, cases, judge)
            done = dataclasses.replace(done, features={**done.features, **_baselines(line, suspect, memory)})
            write_json(own / f"{suspect}.json", {"key": key, "audited": to_json(done)})
        found.append(done)
        say({"suspect": suspect, "what": "done", "share": (number + 1) / len(suspects)})
    write_json(run.folder / METHODS, {m.name: m.access for m in methods})
    _write(run, found)


def _judge(job: Job) -> Calibration:
    return practice.load(Path(job.calibration)) if job.calibration else practice.load()


def _ready(name: str, job: Job) -> Method:
    """The method, told which base its suspects were made of, where it wants to know.

    Raises:
        UnknownName: there is none of that name.
    """
    try:
        method = load("audit.methods", name)
    except UnknownName:
        raise
    except Exception as error:  # A stranger's file may raise anything, or reach for a door that is shut.
        return Unusable(name, error)
    fields = {f.name for f in dataclasses.fields(method)}
    told = {"base": job.base, "revision": job.revision}
    return dataclasses.replace(method, **{k: v for k, v in told.items() if k in fields})


def _line(line: Line, suspect: str, method: Method) -> Any:
    granted = line.granted[suspect]["access"]
    if RANKS[granted] < RANKS[method.access]:
        return NotMeasured(f"needs {method.access} access; the game grants {granted}")
    reach = {"chat": line.chat, "scored": line.scored, "open_weights": line.open_weights}
    return reach[method.access](suspect, method.name)


def _case(line: Line, method: Method, job: Job, memory: dict[Any, Any], watch: Any) -> Case:
    return Case(_reference(line, method.name, memory), job.seed, job.effort, watch)


def _reference(line: Line, method: str, memory: dict[Any, Any]) -> Remembered | None:
    return Remembered(line.scored(REFERENCE, method), memory) if REFERENCE in line.granted else None


def _baselines(line: Line, suspect: str, memory: dict[Any, Any]) -> dict[str, float | NotMeasured]:
    """The naive baselines' numbers, as far as access goes."""
    card = line.granted[suspect]
    reach = {"chat": line.chat, "scored": line.scored, "open_weights": line.open_weights}
    try:
        own = naive.measured(reach[card["access"]](suspect, BASELINES), _reference(line, BASELINES, memory))
        return {key: finite(value) for key, value in own.items()}
    except LineLost:
        raise
    except MolehuntError as error:
        why = NotMeasured(f"the baselines failed: {error}")
        return {key: why for keys in naive.KEYS.values() for key in keys}


def _watch(
    say: Say,
    suspect: str,
    method: str,
    number: int,
    place: int,
    suspects: Sequence[str],
    methods: Sequence[Any],
) -> Callable[[int, int], None]:
    def watch(done: int, total: int) -> None:
        part = (place + done / max(total, 1)) / len(methods)
        say({"suspect": suspect, "what": method, "share": round((number + part) / len(suspects), 4)})

    return watch


def _done(path: Path, key: str) -> Audited | None:
    """What was found on a suspect before this process, if it was the same audit."""
    if not path.exists():
        return None
    kept = read_json(path)
    if not isinstance(kept, dict) or kept.get("key") != key:
        return None
    try:
        return from_json(Audited, kept["audited"])
    except (BadFile, KeyError):
        return None


def _write(run: Run, found: Sequence[Audited]) -> None:
    """All suspects in one set of files; verdicts last, for they say that the rest is there."""
    evidence: list[Evidence] = []
    verdicts: list[Verdict] = []
    for one in found:
        shift = len(evidence)
        verdicts += [
            dataclasses.replace(v, evidence=tuple(i + shift for i in v.evidence)) for v in one.verdicts
        ]
        evidence += one.evidence
    run.write_transcripts([t for one in found for t in one.transcripts])
    run.write_evidence(evidence)
    run.write_failures([f for one in found for f in one.failures])
    write_json(run.folder / "features.json", {one.suspect: one.features for one in found})
    run.write_verdicts(verdicts)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _end_with_parent() -> None:
    # By os.read, for a thread inside sys.stdin's buffer would abort the interpreter as it shuts down.
    while os.read(0, 4096):
        pass  # nobody writes; it ends when the parent's end of the pipe closes, however that came
    os._exit(130)


def main() -> None:
    """Read the job, audit, say what went wrong in one line."""
    try:
        path = Path(sys.argv[1])
        job = from_json(Job, read_json(path))
        path.unlink()  # it lies where methods may read, and names what is closed to them
        address = Address.parse(os.environ.get(VARIABLE, ""))
        # Before any thread: what the kernel closes, it closes to this thread and those that it starts.
        shut(*([Path(p) for p in some] for some in (job.closed, (*job.opened, job.out))), desk=address)
        job = dataclasses.replace(job, closed=(), opened=())
        threading.Thread(target=_end_with_parent, daemon=True).start()
        if job.threads:
            os.environ["OMP_NUM_THREADS"] = str(job.threads)
        with Line(address) as line:
            audit(job, line, _say)
    except MolehuntError as error:
        _say({"error": str(error), "kind": type(error).__name__})
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
