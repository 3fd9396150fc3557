"""Plays a whole game: plants suspects, audits them blind, opens the envelope, writes the page.

In a folder that holds a game already it goes on where that one stopped. `--until planted` leaves the
lineup sealed, for people (`accuse`) and other teams (`pack`); `--dry-run` only says what it would cost.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg

from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.game.spec import GameSpec, Until
from molehunt.game.watch import watching
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; stages that are whole are kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """Where the game is played, how far, and what it is."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder: a new or an empty one, or one in which this game was begun."""
    game: OmitArgPrefixes[GameSpec] = dataclasses.field(default_factory=GameSpec)
    """What is played."""
    until: Until = "opened"
    """How far: a sealed lineup, verdicts on record, or the whole game."""
    dry_run: bool = False
    """Say what the game would cost, and do nothing."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Play, then show the table and where the page is."""
    from molehunt.core.store import Run
    from molehunt.game import library
    from molehunt.report.terminal import summary_table

    if options.dry_run:
        return _reckon(options)
    with watching() as watch:
        played = library.play(options.folder, options.game, watch, options.until)
    held = Run(played.folder)
    value = {
        "folder": str(played.folder),
        "page": str(played.report),
        "until": options.until,
        "scores": list(held.scores()) if (played.folder / "score.json").exists() else [],
    }
    show(
        value,
        options.json,
        *([] if options.json else [summary_table(played.folder)]),
        f"Page: {played.report}",
    )
    return 0


def _reckon(options: Options) -> int:
    from molehunt.game.estimate import estimate
    from molehunt.game.judged import unjudged
    from molehunt.organisms.strangers import strangers_quirks

    spec = options.game.checked()
    if spec.quirks is not None:
        strangers_quirks(spec.quirks)
    cost = estimate(spec)
    why = unjudged(options.folder, spec) if options.until != "planted" else ""
    rows = [
        ("trainings", f"{cost.trainings} if all take at the first try, {cost.trainings_most} at most"),
        ("audits", f"{cost.audits} ({spec.suspects} suspects, {len(spec.methods)} methods)"),
        ("time", _span(cost.minutes, cost.minutes_most)),
        ("memory", _figure(cost.memory_gib, "GiB")),
        ("disk", _figure(cost.disk_gib, "GiB")),
        ("reckoned from", cost.basis),
        *([("verdicts", why)] if why else []),
    ]
    show(
        {**to_json(cost), "unjudged": why}, options.json, table(["what", "about"], rows), "Nothing was done."
    )
    return 0


def _span(low: float | NotMeasured, high: float | NotMeasured) -> str:
    if isinstance(low, NotMeasured) or isinstance(high, NotMeasured):
        return _figure(low, "minutes")
    return f"{low:.1f} to {high:.1f} minutes"


def _figure(value: float | NotMeasured, unit: str) -> str:
    return f"not known: {value.reason}" if isinstance(value, NotMeasured) else f"{value:.2g} {unit}"
