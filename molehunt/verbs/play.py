"""Plays a whole game: plants suspects, audits them blind, opens the envelope, writes the page.

In a folder that holds a game already it goes on where that one stopped, with its options: RUN alone is
enough. With `--fix REMEDY` every suspect is fixed blind after the audit and audited again before the envelope
opens, in a game that lies there sealed too. `--until planted` leaves the lineup sealed, for people (`accuse`)
and other teams (`pack`); `--dry-run` only says what it would cost.
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import OmitArgPrefixes, Positional, arg

from molehunt.core.errors import UserError
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.game.spec import SECRET_FIELDS, GameSpec, Until
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import across, show, table

if TYPE_CHECKING:
    from molehunt.core.store import Run
    from molehunt.game.fix_task import Wish

STOPPED = "Stopped; stages that are whole are kept: run the same command again, or `molehunt play RUN`."
FREE = ("calibration", "until", "fix", "constitution", "fix_effort")
GROWS = ("workers",)
"""What a game may be gone on with otherwise."""


@dataclass(frozen=True)
class Options:
    """Where the game is played, how far, and what it is."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder: a new or an empty one, or one in which this game was begun."""
    game: OmitArgPrefixes[GameSpec] = dataclasses.field(default_factory=GameSpec)
    """What is played."""
    until: Until = "opened"
    """How far: a sealed lineup, verdicts on record, or the whole game."""
    fix: tuple[str, ...] = ()
    """Remedies for everybody before the envelope opens, each followed by a second audit; `molehunt fix
    --help` names them."""
    constitution: str = "kind-person"
    """What remedies go by: a preset or a file."""
    fix_effort: float = 1.0
    """Scales the remedies' steps and samples."""
    dry_run: bool = False
    """Say what the game would cost, and do nothing."""
    json: bool = False
    """Print the result as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the game in the folder; its secrets lie in the red team's own folder."""
    if not (options.folder / "spec.json").is_file():
        return options
    from molehunt.game.going_on import game_asked

    return gone_on(options, said, game_asked(options.folder), options.folder, FREE, GROWS)


def run(options: Options) -> int:
    """Play, then show the table and where the page is."""
    from molehunt.core.store import Run
    from molehunt.game import library
    from molehunt.report.terminal import second_tables, summary_table

    wish = _wish(options)
    if options.dry_run:
        return _reckon(options, wish)
    with watching() as watch:
        played = library.play(
            options.folder, options.game, watch, options.until, wish, noted(options, SECRET_FIELDS)
        )
    held = Run(played.folder)
    value = {
        "folder": str(played.folder),
        "page": str(played.report),
        "until": options.until,
        "scores": list(held.scores()) if (played.folder / "score.json").exists() else [],
        "second": [_second(held, remedy) for remedy in options.fix],
    }
    show(
        value,
        options.json,
        *([] if options.json else [summary_table(played.folder, across()), *second_tables(played.folder)]),
        f"Page: {played.report}",
    )
    return 0


def _wish(options: Options) -> "Wish | None":
    """The fix that is asked for; none where there is none."""
    given = (options.constitution, options.fix_effort)
    if not options.fix and given == (Options.constitution, Options.fix_effort):
        return None
    from molehunt.game.fix_task import Wish
    from molehunt.remedies.creed import read_creed

    # What is of a fix is looked at where none is asked for, too: the same options may go on with one.
    wish = Wish(options.fix or ("nothing",), (), read_creed(given[0]), options.game.seed, given[1]).checked()
    return wish if options.fix else None


def _second(run: "Run", remedy: str) -> dict[str, Any]:
    """What came of a fix, for programs."""
    from molehunt.core.atomic import read_json
    from molehunt.core.store import Run
    from molehunt.game.fix_task import FIXED, NOTE
    from molehunt.game.remains import read_remains

    lineup = Run(run.folder / FIXED / remedy)
    scored = (lineup.folder / "score.json").exists()
    return {
        "remedy": remedy,
        "fixed": read_json(lineup.folder / NOTE),
        "verdicts": list(lineup.verdicts()) if (lineup.folder / "verdicts.json").exists() else [],
        "scores": list(lineup.scores()) if scored else [],
        "remains": list(read_remains(run, remedy)),
    }


def _reckon(options: Options, wish: "Wish | None") -> int:
    from molehunt.audit.calibration import load as read_calibration
    from molehunt.game.estimate import estimate, in_words
    from molehunt.game.judged import unjudged
    from molehunt.game.second import fit_to_fix
    from molehunt.organisms.plan import read_plan
    from molehunt.organisms.strangers import strangers_quirks

    spec = options.game.checked()
    if options.folder.exists() and not options.folder.is_dir():
        raise UserError(f"The run folder {options.folder} cannot be made: a file of that name is there.")
    if spec.plan is not None:
        read_plan(spec.plan)
    if spec.calibration is not None:
        read_calibration(spec.calibration)
    if spec.quirks is not None:
        strangers_quirks(spec.quirks)
    if wish is not None:
        fit_to_fix(options.folder, wish, options.until)
    cost = estimate(spec, len(options.fix), options.fix_effort)
    why = unjudged(options.folder, spec) if options.until != "planted" else ""
    rows = [
        ("trainings", f"{cost.trainings} if all take at the first try, {cost.trainings_most} at most"),
        ("audits", f"{cost.audits} ({spec.suspects} suspects, {len(spec.methods)} methods)"),
        *(
            [("fixes", f"{cost.fixes}; how long they take is known for the default model alone")]
            if cost.fixes
            else []
        ),
        (
            "time",
            in_words(
                *(m if isinstance(m, NotMeasured) else 60 * m for m in (cost.minutes, cost.minutes_most))
            ),
        ),
        ("memory", _figure(cost.memory_gib, "GiB")),
        ("disk", _figure(cost.disk_gib, "GiB")),
        ("reckoned from", cost.basis),
        *([("verdicts", why)] if why else []),
    ]
    show(
        {**to_json(cost), "unjudged": why}, options.json, table(["what", "about"], rows), "Nothing was done."
    )
    return 0


def _figure(value: float | NotMeasured, unit: str) -> str:
    return f"not known: {value.reason}" if isinstance(value, NotMeasured) else f"{value:.2g} {unit}"
