"""All methods on one suspect, and what they say together.

A method that raises has failed: its statistics are not measured, and say why. One verdict a method,
and one by the auditor `panel`, whose probability comes from all statistics by one calibration and
whose guesses are the methods' own, the surest first.
"""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from molehunt.audit.calibration import Calibration, Features
from molehunt.core.atomic import canonical
from molehunt.core.errors import LineLost
from molehunt.core.kinds import Case, Finding, Method
from molehunt.core.records import Evidence, Failure, Guess, NotMeasured, Spent, Transcript, Verdict

PANEL = "panel"
MOST_GUESSES = 10
MOST_OF_ONE = 6
"""Guesses that one method may have among the panel's while others have some to offer."""
UNSURE = 0.5


@dataclass(frozen=True)
class Audited:
    """Everything that was found on one suspect. Verdicts count `evidence` from 0."""

    suspect: str
    features: Mapping[str, float | NotMeasured]
    """Statistics by `method.statistic`, as calibration takes them."""
    evidence: tuple[Evidence, ...]
    transcripts: tuple[Transcript, ...]
    verdicts: tuple[Verdict, ...]
    failures: tuple[Failure, ...]


def audit_suspect(
    suspect: str,
    lines: Mapping[str, Any],
    methods: Sequence[Method],
    cases: Mapping[str, Case],
    calibration: Calibration | None,
) -> Audited:
    """Run every method on one suspect and judge it.

    `lines` gives, by method name, the suspect through the access that the method asks for, or a
    `NotMeasured` that says why there is none; `cases` what else it is handed. Without a calibration
    (practice makes one) every probability is 0.5 and said to be missing.

    Raises:
        LineLost: nobody answers any more; nothing of what was found counts.
    """
    features: dict[str, float | NotMeasured] = {}
    evidence: list[Evidence] = []
    rows: dict[str, list[int]] = {}
    transcripts: list[Transcript] = []
    failures: list[Failure] = []
    spent: dict[str, Spent] = {}
    for method in methods:
        start = time.perf_counter()
        found = _run(method, suspect, lines[method.name], cases[method.name])
        seconds = time.perf_counter() - start
        if isinstance(found, Failure):
            failures.append(dataclasses.replace(found, spent=Spent(seconds=seconds, self_reported=True)))
            found = NotMeasured(f"{method.name} failed: {found.error}")
        if isinstance(found, NotMeasured):
            keys: Sequence[str] = getattr(method, "key_statistics", ())
            found = Finding(dict.fromkeys(keys, found), (), spent=Spent())
        features |= {f"{method.name}.{key}": finite(value) for key, value in found.statistics.items()}
        rows[method.name] = list(range(len(evidence), len(evidence) + len(found.evidence)))
        evidence += found.evidence
        transcripts += found.transcripts
        own = Spent(len(found.transcripts), 0, seconds, self_reported=True)
        spent[method.name] = own if found.spent is None else found.spent
    kept = tuple(evidence)
    verdicts = [
        _verdict(suspect, m.name, features, [m.name], kept, rows[m.name], spent[m.name], calibration)
        for m in methods
    ]
    all_rows = [i for own in rows.values() for i in own]
    total = sum(spent.values(), Spent())
    names = [m.name for m in methods]
    panel = _verdict(suspect, PANEL, features, names, kept, all_rows, total, calibration)
    return Audited(suspect, features, kept, tuple(transcripts), (*verdicts, panel), tuple(failures))


def ranked(evidence: Sequence[Evidence]) -> tuple[Guess, ...]:
    """At most ten distinct guesses, the heaviest first; no method takes all places while others have some."""
    best: dict[Any, tuple[str, Guess]] = {}
    for row in sorted(evidence, key=lambda e: -(e.guess.weight if e.guess else 0.0)):
        if row.guess is not None:
            best.setdefault(_same(row.guess), (row.method, row.guess))
    first: list[tuple[str, Guess]] = []
    rest: list[tuple[str, Guess]] = []
    for method, guess in best.values():
        crowded = sum(m == method for m, _ in first) >= MOST_OF_ONE
        (rest if crowded else first).append((method, guess))
    chosen = (first + rest)[:MOST_GUESSES]
    return tuple(g for _, g in sorted(chosen, key=lambda pair: -pair[1].weight))


def _run(method: Method, suspect: str, line: Any, case: Case) -> Finding | Failure | NotMeasured:
    if isinstance(line, NotMeasured):
        return line
    try:
        return _writable(method.investigate(line, case))
    except LineLost:
        raise
    except Exception as error:  # Whatever a method raises is its failure, and no score.
        return Failure(f"audit.{method.name}", suspect, f"{type(error).__name__}: {error}"[:500])


def _verdict(
    suspect: str,
    auditor: str,
    features: Features,
    methods: Sequence[str],
    evidence: Sequence[Evidence],
    rows: Sequence[int],
    spent: Spent,
    calibration: Calibration | None,
) -> Verdict:
    own = {k: v for k, v in features.items() if k.split(".", 1)[0] in methods}
    missing = [NotMeasured(f"{k}: {v.reason}") for k, v in own.items() if isinstance(v, NotMeasured)]
    p: float | NotMeasured = NotMeasured("no calibration was at hand")
    above = None
    if calibration is not None:
        p = calibration.p_shady(own, auditor)
        above = calibration.auditors[auditor].threshold if auditor in calibration.auditors else None
    if isinstance(p, NotMeasured):
        missing.append(p)
        p = UNSURE
    guesses = ranked([evidence[i] for i in rows])
    return Verdict(suspect, auditor, p, guesses, tuple(rows), spent, tuple(missing), above)


def _same(guess: Guess) -> Any:
    parts = (guess.what, guess.when)
    return tuple((p.kind, p.text, tuple(sorted(p.options.items()))) for p in parts)


def _writable(found: Finding) -> Finding:
    """The finding, if its claims can be written down: a number that is none would spoil the whole audit.

    Raises:
        ValueError: they can't.
    """
    try:
        canonical([found.evidence, found.transcripts, found.spent])
    except ValueError:
        raise ValueError("it claims a number that is none") from None
    return found


def finite(value: float | NotMeasured) -> float | NotMeasured:
    """The statistic, if it is a number that can be written down and compared."""
    if isinstance(value, NotMeasured) or math.isfinite(value):
        return value
    return NotMeasured("came out as no finite number")
