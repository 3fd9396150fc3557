"""What it cost, what failed, what was not measured, and what it was all made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from molehunt.core.records import Failure, NotMeasured, Spent
from molehunt.report import words
from molehunt.report.reading import Run


@dataclass(frozen=True)
class Bill:
    """What one auditor spent over all suspects."""

    auditor: str
    suspects: int
    spent: Spent


@dataclass(frozen=True)
class Gap:
    """Something that was not measured."""

    where: str
    reason: str
    times: int


@dataclass(frozen=True)
class GivenUp:
    """A quirk that was drawn for a place in the lineup and could not be planted."""

    place: str
    """Code name of the suspect that stands there now."""
    why: str
    """The quirk, and why each try of it failed."""


def given_up(run: Run) -> tuple[GivenUp, ...]:
    """Every draw that was given up, by place; it tells truths, so nothing before the envelope is opened."""
    if isinstance(run.opened, NotMeasured):
        return ()
    draws = ((t.suspect, t.recipe.get("failed_draws")) for t in run.opened.truths.values())
    return tuple(
        GivenUp(words.brief(name, 60), words.brief(str(why), 600))
        for name, failed in draws
        for why in (failed if isinstance(failed, list) else ())
    )


def bills(run: Run) -> tuple[Bill, ...]:
    """One bill an auditor, in the order in which they handed in."""
    verdicts = () if isinstance(run.verdicts, NotMeasured) else run.verdicts
    names = dict.fromkeys(v.auditor for v in verdicts)
    return tuple(_bill(name, [v.spent for v in verdicts if v.auditor == name]) for name in names)


def _bill(auditor: str, spent: list[Spent]) -> Bill:
    total = Spent()
    for part in spent:
        total = total + part
    return Bill(auditor, len(spent), total)


def gaps(run: Run) -> tuple[Gap, ...]:
    """Every `NotMeasured` of the run, the same reasons at the same place counted together."""
    counted: dict[tuple[str, str], int] = {}
    for where, gap in _gaps(run):
        counted[where, gap.reason] = counted.get((where, gap.reason), 0) + 1
    return tuple(
        Gap(words.brief(where, 120), words.brief(reason), times) for (where, reason), times in counted.items()
    )


def _gaps(run: Run) -> Iterable[tuple[str, NotMeasured]]:
    parts = (run.spec, run.commitments, run.verdicts, run.evidence, run.transcripts, run.opened)
    yield from (("run folder", part) for part in parts if isinstance(part, NotMeasured))
    if not isinstance(run.verdicts, NotMeasured):
        yield from ((f"verdict of {v.auditor}", gap) for v in run.verdicts for gap in v.missing)
    if not isinstance(run.evidence, NotMeasured):
        for row in run.evidence:
            if isinstance(row.statistic, NotMeasured):
                yield f"evidence by {row.method}", row.statistic
            if isinstance(row.null, NotMeasured):
                yield f"null of {row.method}", row.null
    if not isinstance(run.opened, NotMeasured):
        tables = {s.auditor: s.measures for s in run.opened.scores} | dict(run.opened.baselines)
        for measures in tables.values():
            for name, value in measures.items():
                if isinstance(value, NotMeasured) and name in words.MEASURES:
                    yield f"score, {words.measure_name(name).lower()}", value


def failures(run: Run) -> tuple[Failure, ...]:
    """Whatever raised; empty too where no list was kept, which the page says."""
    found = () if isinstance(run.failures, NotMeasured) else run.failures
    return tuple(
        replace(f, error=words.brief(f.error, 600), subject=words.brief(f.subject, 80)) for f in found
    )


def settings(spec: Mapping[str, Any] | NotMeasured) -> tuple[tuple[str, str], ...]:
    """The spec as lines to print: nested objects by dotted names, lists joined, versions left out."""
    if isinstance(spec, NotMeasured):
        return ()
    return tuple(_flat({k: v for k, v in spec.items() if k not in ("versions", "title")}))[:60]


def versions(spec: Mapping[str, Any] | NotMeasured) -> tuple[tuple[str, str], ...]:
    """Packages and their versions, by name."""
    found = {} if isinstance(spec, NotMeasured) else spec.get("versions")
    return tuple(_flat(found)) if isinstance(found, dict) else ()


def _flat(body: Mapping[str, Any], depth: int = 0) -> Iterable[tuple[str, str]]:
    for key, value in sorted(body.items(), key=lambda kv: str(kv[0])):
        if isinstance(value, dict) and value and depth < 3:
            yield from ((f"{key}.{inner}", text) for inner, text in _flat(value, depth + 1))
        elif isinstance(value, list):
            yield str(key), ", ".join(str(v) for v in value[:20])[:300] or "none"
        else:
            yield str(key), "—" if value is None else str(value)[:300]
