"""Lets a red and a blue team play against each other over rounds, each a sealed game of its own.

Red chooses how its organisms are planted from what verdicts of earlier rounds said; blue audits, fixes
everybody blind with a remedy of its choice, and audits again; then the envelope opens. Neither sees what the
other did. Both pay from allowances that are set before. The folder gets `history.jsonl`, `results.json` and
`match.html`; the same command, or MATCH alone, goes on where it stopped.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from molehunt.core.errors import UserError
from molehunt.core.records import NotMeasured
from molehunt.game.spec import METHODS, GameSpec
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.game.match_task import Cost, Task

STOPPED = "Stopped; every whole stage is kept: run the same command again, or `molehunt match MATCH`."
GROWS = ("rounds", "plantings", "red_seconds", "queries", "blue_seconds", "workers")
"""What a match may be gone on with otherwise: more rounds, other allowances."""
SECRET = ("plan", "quirks", "red_seed")


@dataclass(frozen=True)
class Options:
    """What a round is, who chooses, and what it may cost."""

    folder: Positional[Annotated[Path, arg(metavar="MATCH")]]
    """A new or empty folder, or one in which this match was begun."""
    rounds: int = 12
    """Most rounds; more may be asked for later."""
    suspects: int = 4
    """In each round; each is shady or not by its own coin."""
    red: str = "halving"
    """How red chooses: halving (searches), plain (the baseline), or another package's."""
    blue: str = "calmest"
    """How blue chooses: calmest (learns from its own audits), turns (the baseline), or another package's."""
    remedies: tuple[str, ...] = ()
    """What blue chooses among, as `molehunt fix --help` names them; none takes all, the control first."""
    constitution: str = "kind-person"
    """What remedies go by: a preset or a file."""
    fix_effort: float = 1.0
    """Scales the remedies' steps and samples."""
    plantings: int | None = None
    """Most pairs that red may plant, those that failed among them; looked at between rounds."""
    red_seconds: float | None = None
    """Most seconds of planting; looked at between rounds."""
    queries: int | None = None
    """Most queries that blue's auditors may put, both audits of all rounds; never overdrawn."""
    blue_seconds: float | None = None
    """Most seconds of auditing and fixing; looked at between rounds."""
    methods: tuple[str, ...] = METHODS
    """Blue's auditing methods."""
    practice: Path | None = None
    """A folder of `molehunt practice`, whose calibration judges."""
    calibration: Path | None = None
    """The calibration's file itself."""
    plan: Path | None = None
    """Red's plain spec, where it starts (JSON, as `worse` writes it); none takes the first game's."""
    steps: int = 56
    """Training steps of the plain spec, where there is no --plan."""
    quirks: Path | None = None
    """Folder with strangers' own quirks, as `molehunt play` takes them."""
    unlisted: float = 0.25
    """Share of quirks that stand in no catalogue."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    effort: float = 1.0
    """Scales how many samples the auditing methods take."""
    workers: int = 0
    """Organisms planted side by side; 0 chooses."""
    dry_run: bool = False
    """Say what the match would cost, and do nothing."""
    seed: int = 0
    """Seeds both policies, audits and fixes. Red's draws are seeded in secret (see `red_seed`)."""
    red_seed: int | None = None
    """For studies that must be remade: fixes red's draws."""
    json: bool = False
    """Print what came of it as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the match in the folder."""
    if not (options.folder / "match.json").is_file():
        return options
    from molehunt.game.going_on import match_asked

    return gone_on(options, said, match_asked(options.folder), options.folder, (), GROWS, SECRET)


def run(options: Options) -> int:
    """Play, write, show."""
    from molehunt.game.match import match
    from molehunt.game.match_task import cost, fit
    from molehunt.verbs._match_page import shown, write_match_page

    asked = _task(options)
    if options.dry_run:
        fit(asked, options.folder)
        reckoned = cost(asked)
        show(reckoned, options.json, table(["what", "about"], _reckoned(reckoned)), "Nothing was done.")
        return 0
    with watching() as watch:
        found = match(asked, options.folder, watch, noted(options))
    page = options.folder / "match.html"
    write_match_page(page, found)
    show(
        found,
        options.json,
        f"{len(found.rounds)} round{'' if len(found.rounds) == 1 else 's'}; {found.ended}.",
        *shown(found),
        f"Page: {page}",
    )
    return 0


def _task(options: Options) -> "Task":
    from molehunt.game.match_task import task
    from molehunt.remedies.creed import read_creed

    if options.calibration is not None and options.practice is not None:
        raise UserError("Give --calibration or --practice, not both.")
    game = GameSpec(
        suspects=options.suspects,
        model=options.model,
        revision=options.revision,
        methods=options.methods,
        unlisted=options.unlisted,
        quirks=options.quirks,
        seed=options.seed,
        steps=options.steps,
        effort=options.effort,
        workers=options.workers,
    )
    return task(
        game,
        calibration=options.practice / "calibration.json" if options.practice else options.calibration,
        plan=options.plan,
        remedies=options.remedies,
        rounds=options.rounds,
        red=options.red,
        blue=options.blue,
        creed=read_creed(options.constitution),
        fix_effort=options.fix_effort,
        plantings=options.plantings,
        red_seconds=options.red_seconds,
        queries=options.queries,
        blue_seconds=options.blue_seconds,
        red_seed=options.red_seed,
    )


def _reckoned(cost: "Cost") -> list[tuple[str, str]]:
    low, high = cost.minutes, cost.minutes_most
    if isinstance(low, NotMeasured) or isinstance(high, NotMeasured):
        time = f"not known: {low.reason if isinstance(low, NotMeasured) else ''}"
    else:
        time = f"{low:,.1f} to {high:,.1f} minutes; rewards and penalties take more"
    return [
        ("rounds", str(cost.rounds)),
        ("plantings", f"{cost.plantings}, a pair each, if all take at the first draw"),
        ("audits", f"{cost.audits} of a suspect by a method"),
        ("fixes", str(cost.fixes)),
        ("time", time),
        ("reckoned from", cost.basis),
    ]
