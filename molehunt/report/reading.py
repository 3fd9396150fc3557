"""A run folder as the page sees it: what is there, what is not yet, and nothing in between.

A file that is not there becomes `NotMeasured` with the reason; a file that cannot be read as
what it is called raises `BadFile`. Nothing is written and nothing is guessed.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from molehunt.core import store
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile, SealBroken
from molehunt.core.ledger import Ledger
from molehunt.core.on_record import hold, last
from molehunt.core.record_json import from_json
from molehunt.core.records import Evidence, Failure, Measure, NotMeasured, Score, Transcript, Truth, Verdict
from molehunt.report import naive

T = TypeVar("T")
Numbers = naive.Numbers


ANY = ("spec.json", "commitments.json", "log.jsonl", "verdicts.json", "score.json", "suspects")
"""Without one of these a folder is no run folder, at whatever stage."""


@dataclass(frozen=True)
class Opened:
    """What `score.json` holds once the envelope has been opened."""

    scores: tuple[Score, ...]
    truths: Mapping[str, Truth]
    baselines: Mapping[str, Numbers]
    """Chance and the naive baselines by name, each with the measures of a score."""


@dataclass(frozen=True)
class Chain:
    """What the hash-chained log says of itself."""

    entries: int
    head: str
    """Hash of the last entry, or empty."""
    broken: str
    """Why it, or a verdict held against it, does not verify; empty when they do."""
    opened: bool = False
    """Whether it says that the envelope is open."""


@dataclass(frozen=True)
class Run:
    """Everything that the report is made from."""

    folder: Path
    spec: Mapping[str, Any] | NotMeasured
    suspects: tuple[str, ...]
    commitments: Mapping[str, str] | NotMeasured
    chain: Chain | NotMeasured
    verdicts: tuple[Verdict, ...] | NotMeasured
    evidence: tuple[Evidence, ...] | NotMeasured
    transcripts: Mapping[str, Transcript] | NotMeasured
    """By id."""
    failures: tuple[Failure, ...] | NotMeasured
    opened: Opened | NotMeasured


def read_run(folder: Path) -> Run:
    """Read whatever stages of a run there are.

    Raises:
        BadFile: there is no such folder, or a file in it cannot be read as what it is called.
    """
    if not folder.is_dir():
        raise BadFile(f"There is no run folder {folder}; make one with `molehunt play`.")
    if not any((folder / name).exists() for name in ANY):
        raise BadFile(f"{folder} is no run folder, for it holds none of {', '.join(ANY)}.")
    run = store.Run(folder)
    spec = _if_there(folder / "spec.json", run.spec, "how the run was set up is not recorded")
    verdicts = _if_there(
        folder / "verdicts.json", lambda: _verdicts(run), "no auditor has handed in a verdict yet"
    )
    commitments = _if_there(
        folder / "commitments.json",
        run.commitments,
        "nothing has been sealed yet",
    )
    return Run(
        folder,
        spec,
        _suspects(folder, spec, commitments, verdicts),
        commitments,
        _if_there(
            folder / "log.jsonl",
            lambda: _chain(folder / "log.jsonl", verdicts),
            "nothing has been logged yet",
        ),
        verdicts,
        _if_there(folder / "evidence.jsonl", run.evidence, "no auditor has handed in evidence yet"),
        _if_there(
            folder / "transcripts.parquet",
            lambda: {t.id: t for t in run.transcripts()},
            "no transcripts were kept",
        ),
        _if_there(folder / "failures.jsonl", run.failures, "no list of failures was kept"),
        _if_there(
            folder / "score.json",
            lambda: _opened(folder / "score.json"),
            "the envelope has not been opened yet",
        ),
    )


def _if_there(path: Path, read: Callable[[], T], meaning: str) -> T | NotMeasured:
    return read() if path.is_file() else NotMeasured(f"{meaning} ({path.name} is not in the run folder)")


def _verdicts(run: store.Run) -> tuple[Verdict, ...]:
    verdicts = run.verdicts()
    if not all(0.0 <= v.p_shady <= 1.0 for v in verdicts):
        raise BadFile(f"{run.folder / 'verdicts.json'} holds a probability outside 0 to 1.")
    return verdicts


def _chain(path: Path, verdicts: tuple[Verdict, ...] | NotMeasured) -> Chain:
    try:
        entries = Ledger(path).verify()
        # Verdicts on a packed lineup are on record elsewhere, with those who packed it.
        if not isinstance(verdicts, NotMeasured) and last(entries, "verdicts"):
            hold(entries, verdicts)
    except SealBroken as error:
        return Chain(0, "", str(error))
    return Chain(len(entries), entries[-1].hash if entries else "", "", last(entries, "opened") is not None)


def _opened(path: Path) -> Opened:
    """`{scores, opened, baselines}` or a bare list of scores; truths may stand in `opened.json` beside it."""
    value = read_json(path)
    value = {"scores": value} if isinstance(value, list) else value
    if not isinstance(value, dict):
        raise BadFile(f"{path} should hold scores.")
    scores = _list(Score, value.get("scores") or [], path)
    where, opened = path, value.get("opened") or []
    if not opened and path.with_name("opened.json").is_file():
        where = path.with_name("opened.json")
        opened = read_json(where)
    truths = _list(Truth, opened, where)
    given = _baselines(value.get("baselines") or {}, path)
    return Opened(
        scores, {t.suspect: t for t in truths}, given or naive.baselines(scores[0].suspects if scores else ())
    )


def _baselines(value: Any, path: Path) -> Mapping[str, Numbers]:
    """Either `{name: {measure: Measure}}`, or scores whose auditors are the names."""
    if isinstance(value, list):
        return {score.auditor: score.measures for score in _list(Score, value, path)}
    if not isinstance(value, dict) or not all(isinstance(body, dict) for body in value.values()):
        raise BadFile(f"{path} should hold its baselines by name.")
    result: dict[str, Numbers] = {}
    for name, body in value.items():
        numbers = body["measures"] if body.get("is") == "Score" else body
        result[name] = {str(k): number(v, path) for k, v in numbers.items()}
    return result


def number(value: Any, path: Path) -> Measure | NotMeasured:
    missing = isinstance(value, dict) and value.get("is") == "NotMeasured"
    return _record(NotMeasured if missing else Measure, value, path)


def _list(kind: type[T], value: Any, path: Path) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise BadFile(f"{path} should hold a list where its {kind.__name__}s stand.")
    return tuple(_record(kind, v, path) for v in value)


def _record(kind: type[T], value: Any, path: Path) -> T:
    try:
        return from_json(kind, value)
    except BadFile as error:
        raise BadFile(f"{path} does not hold what it should: {error}") from None


def _suspects(
    folder: Path,
    spec: Mapping[str, Any] | NotMeasured,
    commitments: Mapping[str, str] | NotMeasured,
    verdicts: tuple[Verdict, ...] | NotMeasured,
) -> tuple[str, ...]:
    """Code names in the order of the spec, then whoever else is named anywhere."""
    sources: tuple[Iterable[str], ...] = (
        () if isinstance(spec, NotMeasured) else _names(spec.get("suspects")),
        sorted(p.name for p in (folder / "suspects").glob("[!.]*") if p.is_dir()),
        () if isinstance(commitments, NotMeasured) else commitments,
        () if isinstance(verdicts, NotMeasured) else (v.suspect for v in verdicts),
    )
    return tuple(dict.fromkeys(name for source in sources for name in source))


def _names(value: Any) -> list[str]:
    entries = list(value) if isinstance(value, (list, dict)) else []
    return [str(e.get("name", "?")) if isinstance(e, dict) else str(e) for e in entries]


def finite(value: float | None) -> bool:
    """Whether a number can be drawn."""
    return value is not None and math.isfinite(value)
