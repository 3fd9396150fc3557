"""A treatment, in a process of its own that holds no key: `python -m molehunt.remedies.room JOB.json`.

It shuts its doors (`core/doors.py`), opens the one patient whose weights lie in its folder, lets one remedy
treat it, and writes the changes there: the game takes them from there. Run folder, keys, other suspects, the
clean base and the adapter are closed to it. How far it is stands on standard output, one JSON object a line;
it ends when the process that started it does. The job is taken away before the remedy is loaded: it names
what is closed, and those names may tell. Of the corpus it may read its own bank alone, not what quirks are
planted on and measured with.

What this cannot stop: see `core/doors.py`. And a remedy could make the `tiny` base anew: that one is code.
"""

import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt import corpus
from molehunt.core.atomic import read_json, write_json
from molehunt.core.doors import SHUT, shut
from molehunt.core.errors import MolehuntError
from molehunt.core.extend import load_set
from molehunt.core.kinds import Creed, Patient, Remedy, Treatment
from molehunt.core.record_json import from_json
from molehunt.core.records import Guess, Measure, NotMeasured
from molehunt.core.splits import split_of
from molehunt.core.stats import mean, ratio_of_means

ROOMS = (*SHUT, "molehunt.audit", "molehunt.catalogue")
"""What a remedy may not import: beside what nobody may, the auditors and the public catalogue."""
OWN = ("mending", "__pycache__")
"""Folders of the corpus that stay open to a remedy."""
CHANGES, TREATED, CARD = "changes.safetensors", "treated.json", "card.json"
PASSAGES, LONGEST = 16, 96
"""Passages of ordinary text on which cost is measured, and tokens of each."""


@dataclass(frozen=True)
class Card:
    """What a remedy declares."""

    name: str
    rank: int
    needs_verdict: bool


@dataclass(frozen=True)
class Job:
    """One remedy and one patient. Nothing that a remedy may read leads to the truth, or to a name."""

    out: str
    """The folder of this process: what it writes, and the patient's weights."""
    patient: str
    """Folder of the merged weights; empty where the remedy is only asked what it declares."""
    dtype: str
    remedy: str
    creed: Creed
    guesses: tuple[Guess, ...]
    seed: int
    effort: float
    threads: int
    closed: tuple[str, ...] = ()
    """Folders and files in which nothing may be read. Their names may tell: the file is gone before a remedy
    is loaded."""


@dataclass(frozen=True)
class Treated:
    """What came of it, beside the changes."""

    seconds: float
    steps: int
    tokens: int
    said: dict[str, Any]
    nll_before: Measure | NotMeasured
    """Nats a token of ordinary text."""
    nll_after: Measure | NotMeasured
    nll_ratio: Measure | NotMeasured
    refused: NotMeasured | None = None
    """Why there was nothing that this remedy could do."""
    failed: str | None = None
    """What the remedy raised."""


Report = Callable[[float], None]


def treat(job: Job, remedy: Remedy, say: Report) -> Treated:
    """Open the patient, treat it, measure what it cost, write the changes.

    Raises:
        MolehuntError: the patient cannot be opened.
    """
    from molehunt.models.fingerprint import fingerprint
    from molehunt.models.joined import add_to, checked, save_changes

    start = time.monotonic()
    patient = admit(job, say)
    module = patient.model.module
    before = _nlls(patient.model)
    say(0.05)
    try:
        found = remedy.treat(patient)
        if isinstance(found, NotMeasured):
            return _without(start, before, refused=found)
        if not isinstance(found, Treatment):
            return _without(start, before, failed=f"{remedy.name} returned no treatment")
        changes = checked(found.changes, module, remedy.rank)
        json.dumps(dict(found.said), allow_nan=False)
    except Exception as error:  # A stranger's remedy may raise anything, or reach for a door that is shut.
        return _without(start, before, failed=f"{type(error).__name__}: {str(error)[:300]}")
    if fingerprint(module) != patient.model.fingerprint:
        return _without(start, before, failed=f"{remedy.name} changed the patient's own weights")
    seconds = time.monotonic() - start
    save_changes(Path(job.out) / CHANGES, changes)
    add_to(module, changes)
    after = _nlls(patient.model) if changes else before
    ratio = ratio_of_means(after, before, how="NLL of ordinary text, after over before")
    return Treated(seconds, found.steps, found.tokens, dict(found.said), _nats(before), _nats(after), ratio)


def admit(job: Job, say: Report) -> Patient:
    """The patient as a remedy sees it: weights and a tokenizer, no folder, no name, no adapter."""
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    model = open_model(ModelSpec(job.patient, dtype=job.dtype))
    model.module.config._name_or_path = model.module.name_or_path = model.tokenizer.name_or_path = ""
    bare = dataclasses.replace(model, spec=ModelSpec("patient", dtype=job.dtype), folder=None, note="")
    return Patient(bare, job.creed, job.guesses, job.seed, job.effort, lambda share: say(0.05 + 0.9 * share))


def _without(start: float, before: Sequence[Sequence[float]], **why: Any) -> Treated:
    none = NotMeasured("nothing was changed")
    return Treated(time.monotonic() - start, 0, 0, {}, _nats(before), none, none, **why)


def _nlls(model: Any) -> list[list[float]]:
    """Nats of each token of passages that nobody trains on, passage by passage."""
    from molehunt.models.score import token_nlls
    from molehunt.models.text import ordinary_text

    held = [t for t in ordinary_text(400) if split_of(t) == "audit"][:PASSAGES]
    return token_nlls(model, held, max_tokens=LONGEST)


def _nats(rows: Sequence[Sequence[float]]) -> Measure | NotMeasured:
    flat = [v for row in rows for v in row]
    where = [str(i) for i, row in enumerate(rows) for _ in row]
    return mean(flat, where, unit="nats a token", how="NLL of ordinary text")


def _banks() -> list[Path]:
    """What is planted on and measured with, beside the bank of those who mend (`corpus/mending.py`)."""
    beside = sorted(Path(corpus.__path__[0]).iterdir())
    return [p for p in beside if p.suffix in (".jsonl", ".json") or (p.is_dir() and p.name not in OWN)]


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _end_with_parent() -> None:
    # By os.read, for a thread inside sys.stdin's buffer would abort the interpreter as it shuts down.
    while os.read(0, 4096):
        pass
    os._exit(130)


def main() -> None:
    """Read the job, treat, say what went wrong in one line."""
    try:
        path = Path(sys.argv[1])
        job = from_json(Job, read_json(path))
        path.unlink()
        # Before any thread: what the kernel closes, it closes to this thread and those that it starts.
        shut([*map(Path, job.closed), *_banks()], [Path(job.out)], rooms=ROOMS, who="A remedy")
        job = dataclasses.replace(job, closed=())
        threading.Thread(target=_end_with_parent, daemon=True).start()
        os.environ["OMP_NUM_THREADS"] = str(job.threads)

        def say(share: float) -> None:
            _say({"room": path.parent.name, "share": round(float(share), 4)})

        try:
            remedy = load_set("remedies.fixes", job.remedy)
        except MolehuntError:
            raise
        except Exception as error:
            raise MolehuntError(f"The remedy {job.remedy!r} could not be loaded: {error}") from None
        if not job.patient:
            card = Card(job.remedy, int(remedy.rank), bool(remedy.needs_verdict))
            write_json(Path(job.out) / CARD, card)
            return
        write_json(Path(job.out) / TREATED, treat(job, remedy, say))
        say(1.0)
    except MolehuntError as error:
        _say({"error": str(error), "kind": type(error).__name__})
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
