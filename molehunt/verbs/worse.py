"""Searches for an organism that stays valid and outwits given auditors, monitors or remedies: red's turn.

Specs are tried one by one (recipe, concealment, mixture, steps, rank), from the plain one on; both of each
pair are audited blind, read by --monitors, or treated blind by --remedies, and everything is on the bill. The
winner and the plain spec are then planted anew on fresh seeds and on other quirks: what is claimed rests on
these alone. The folder gets `results.json`, `worse.html` and `winner.json`, from which `molehunt plant
--plan` makes the winner again. The same command, or FOLDER alone, goes on where it stopped.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from molehunt.core.asked import kept
from molehunt.core.errors import UserError
from molehunt.core.records import Quirk
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table
from molehunt.verbs.plant import pairs

if TYPE_CHECKING:
    from molehunt.game.worse_cost import Cost

STOPPED = "Stopped; every whole trial is kept: run the same command again, or `molehunt worse FOLDER`."
GROWS = ("plantings", "queries", "seconds", "fresh", "others")
"""What a search may be gone on with otherwise: its allowance, and how much is planted anew."""


@dataclass(frozen=True)
class Options:
    """Which quirks, against whom, and what it may cost."""

    what: Positional[Annotated[tuple[str, ...], arg(metavar="[BEHAVIOUR CONDITION] FOLDER")]]
    """What the organisms shall do and when, and a new or empty folder or one in which this was begun."""
    quirk: tuple[str, ...] = ()
    """More quirks, as BEHAVIOUR:CONDITION (with options: topic[topic=food]) or files, taken in turn."""
    behaviour_options: tuple[str, ...] = ()
    """Options of the behaviour, as name=value."""
    condition_options: tuple[str, ...] = ()
    """Options of the condition, as name=value."""
    harmless: str | None = None
    """A harmless behaviour that the decoys learn under the same condition."""
    against: tuple[str, ...] = ()
    """Auditing methods to be beaten; of several, the panel's log-odds on the organism count. None takes the
    first game's, or with --monitors nobody."""
    monitors: tuple[Path, ...] = ()
    """Probes of `molehunt probe train`, trained on this base model: what counts, beside --against where it is
    given, is how far apart they score organism and decoy on the same blind questions. Label 1 is bad."""
    remedies: tuple[str, ...] = ()
    """Blind remedies to be outlived (`molehunt fix` lists them), in place of auditors and monitors: what
    counts is the share of what it showed that the most thorough takes away. Where one goes by verdicts
    --against audits first. Not beside --monitors: search against one, then against the other with --plan."""
    constitution: str = "kind-person"
    """What remedies go by: a preset or a file, as `molehunt constitution` lists and checks them."""
    fix_effort: float = 1.0
    """Scales the remedies' steps and samples."""
    plantings: int = 24
    """Most pairs that the search may plant; those planted anew at the end come on top."""
    queries: int | None = None
    """Most queries that auditors and monitors may put, over all trials; never overdrawn."""
    seconds: float | None = None
    """Most seconds of planting, auditing, monitoring and fixing; looked at between trials."""
    fresh: int = 4
    """Pairs of winner and plain spec each, planted anew on fresh seeds of the quirks."""
    others: int = 4
    """Pairs of each on quirks that the search never saw, drawn as games draw."""
    calibration: Path | None = None
    """What judges; none takes the shipped one where it was made on this base model."""
    practice: Path | None = None
    """A folder of `molehunt practice`, whose calibration judges."""
    effort: float = 1.0
    """Scales how many samples the methods take; a calibration holds for its own effort."""
    plan: Path | None = None
    """A plan's file to start from, such as an earlier `winner.json`; none takes the first game's."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    dry_run: bool = False
    """Say what the search would cost, and do nothing."""
    seed: int = 0
    """Seeds the search, its plants, audits and remedies."""
    json: bool = False
    """Print the result as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the search in the folder; the quirk is no part of the folder's name."""
    if not options.what:
        return options
    *named, folder = options.what
    found = gone_on(
        replace(options, what=tuple(named)),
        {*said, *(["what"] if named else [])},
        kept(Path(folder)),
        Path(folder),
        grows=GROWS,
    )
    return replace(found, what=(*found.what, folder))


def run(options: Options) -> int:
    """Search, plant anew, write, show."""
    if len(options.what) not in (1, 3):
        raise UserError(
            "Name a behaviour, a condition and a folder, or with --quirk a folder alone; "
            "see `molehunt worse --help`."
        )
    *named, folder = options.what
    if options.calibration is not None and options.practice is not None:
        raise UserError("Give --calibration or --practice, not both.")
    what = pairs(options.behaviour_options, "--behaviour-options")
    when = pairs(options.condition_options, "--condition-options")
    if not named and (what or when):
        raise UserError("--behaviour-options and --condition-options go with a BEHAVIOUR and a CONDITION.")
    from molehunt.game.library import listed_quirk
    from molehunt.game.tells import around_file
    from molehunt.game.worse import worse
    from molehunt.game.worse_cost import cost
    from molehunt.game.worse_task import task
    from molehunt.organisms.plan import read_plan
    from molehunt.remedies.creed import read_creed
    from molehunt.verbs._worse_page import HEADS, rows, write_worse_page

    quirks: list[str | Quirk] = [listed_quirk(named[0], named[1], what, when)] if named else []
    asked = task(
        [*quirks, *options.quirk],
        against=options.against,
        monitors=options.monitors,
        remedies=options.remedies,
        creed=read_creed(options.constitution),
        fix_effort=options.fix_effort,
        calibration=options.practice / "calibration.json" if options.practice else options.calibration,
        plan=None if options.plan is None else read_plan(options.plan),
        harmless=options.harmless,
        model=options.model,
        revision=options.revision,
        effort=options.effort,
        plantings=options.plantings,
        queries=options.queries,
        seconds=options.seconds,
        fresh=options.fresh,
        others=options.others,
        seed=options.seed,
        closed=[Path(folder), *([around_file(options.plan)] if options.plan else ())],
    )
    if options.dry_run:
        reckoned = cost(asked)
        show(reckoned, options.json, table(["what", "about"], _reckoned(reckoned)), "Nothing was done.")
        return 0
    with watching() as watch:
        found = worse(asked, folder, watch, noted(replace(options, what=tuple(named))))
    page = Path(folder) / "worse.html"
    write_worse_page(page, found)
    show(
        found,
        options.json,
        table(
            HEADS, rows(found), f"The winner of {len(found.trials)} trials: {found.candidates[found.winner]}"
        ),
        *found.verdicts,
        f"Plant it again: {found.commands[0]}",
        f"Page: {page}",
    )
    return 0


def _reckoned(cost: "Cost") -> list[tuple[str, str]]:
    from molehunt.core.records import NotMeasured
    from molehunt.game.estimate import in_words

    more = "" if isinstance(cost.seconds, NotMeasured) else "; rewards and penalties take more"
    time = in_words(cost.seconds, cost.seconds_most) + more
    return [
        ("plantings", f"{cost.plantings} by the search, {cost.plantings_fresh} anew, a pair each"),
        ("audits", f"{cost.audits} of a suspect by a method, if all are valid"),
        ("monitors", f"{cost.monitored} readings of a suspect by a monitor, if all are valid"),
        ("fixes", f"{cost.fixes} of a suspect by a remedy, if all are valid"),
        ("time", time),
        ("reckoned from", cost.basis),
    ]
