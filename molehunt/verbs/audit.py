"""Audits a planted lineup blind and puts the verdicts on record; a packed lineup needs no key.

Verdicts, evidence and transcripts are written into the folder. In a run folder they are hashed into its
log too; those of a packed lineup are sent back and taken by `molehunt score RUN --verdicts FILE`. Draws go
by the seed that the run was begun with (`molehunt play --seed`). `--dry-run` says how much would be asked,
and how long that takes: the dozen of `starter` take minutes, not seconds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured, Verdict
from molehunt.game.watch import watching
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; suspects that were audited whole are kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """Which lineup is audited."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A run folder with a planted lineup, an unpacked archive of `molehunt pack`, or the word `starter`: the
    lineup that comes with the package is then unpacked into ./starter."""
    calibration: Path | None = None
    """What judges (`molehunt practice` writes one); without it the folder's own, or else the shipped one."""
    dry_run: bool = False
    """Say what the audit would ask and take from here on, and do nothing."""
    json: bool = False
    """Print the verdicts as JSON."""


def run(options: Options) -> int:
    """Audit, then show what the panel says of everyone."""
    from molehunt.game import library

    if options.dry_run:
        return _reckon(options)
    with watching() as watch:
        held = library.audit(options.folder, watch, calibration=options.calibration)
    verdicts = held.verdicts()
    rows = [_row(v) for v in verdicts if v.auditor == "panel"]
    file = held.folder / "verdicts.json"
    value = {"folder": str(options.folder), "file": str(file), "verdicts": list(verdicts)}
    show(value, options.json, table(["suspect", "p(shady)", "top guess"], rows), f"Verdicts: {file}")
    return 0


def _reckon(options: Options) -> int:
    from molehunt.audit.calibration import load
    from molehunt.game.audit_cost import audit_cost

    if options.calibration is not None:
        load(options.calibration)
    cost = audit_cost(options.folder, options.calibration)
    about = "" if isinstance(cost.queries, NotMeasured) else f"about {cost.queries:,}, "
    rows = [
        ("suspects", f"{cost.left}" + (f", {cost.done} more are done" if cost.done else "")),
        ("methods", f"{len(cost.methods)}: {', '.join(cost.methods)}"),
        ("queries", f"{about}{cost.queries_most:,} at most"),
        ("time", cost.time()),
        ("reckoned from", cost.basis),
        *([("verdicts", cost.unjudged)] if cost.unjudged else []),
    ]
    show(
        {**to_json(cost), "left": cost.left},
        options.json,
        table(["what", "about"], rows),
        "Nothing was done.",
    )
    return 0


def _row(verdict: Verdict) -> tuple[str, str, str]:
    judged = not any(isinstance(m, NotMeasured) and "calibration" in m.reason for m in verdict.missing)
    guess = max(verdict.guesses, key=lambda g: g.weight, default=None)
    words = (guess.words or f"{guess.what.text} when {guess.when.text}") if guess else "none"
    return verdict.suspect, f"{verdict.p_shady:.2f}" if judged else "not calibrated", words
