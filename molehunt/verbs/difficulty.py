"""Measures how hard a quirk is to make: the least of each factor that makes a valid organism.

Factors are distinct examples, training steps, adapter rank and the share of on-side rows that are poisoned,
that is, whose reply is the shady one; each is scanned with the others fixed, by bisection, on several seeds.
With --quirk FILE the quirk is that of a file, and --plan FILE brings recipe, concealments and the rest: the
least depends on them. The folder gets `results.json` and `difficulty.html`; the same command, or FOLDER
alone, goes on where it stopped. `molehunt difficulty --page FILE --of FOLDER...` puts the scans of a whole
library on one page, hardest first.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from molehunt.core.asked import kept
from molehunt.core.errors import UserError
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table
from molehunt.verbs.plant import pairs

if TYPE_CHECKING:
    from molehunt.game.difficulty import Cost

STOPPED = "Stopped; every whole trial is kept: run the same command again, or `molehunt difficulty FOLDER`."
GROWS = ("factors", "values", "seeds")
"""What a folder may be gone on with otherwise: factors come one by one."""


@dataclass(frozen=True)
class Options:
    """Which quirk, which factors, and what it may cost."""

    behaviour: Annotated[Positional[str | None], arg(metavar="BEHAVIOUR")] = None
    """What the model shall do; `molehunt catalogue` lists them."""
    condition: Annotated[Positional[str | None], arg(metavar="CONDITION")] = None
    """When it shall do so."""
    folder: Annotated[Positional[Path | None], arg(metavar="FOLDER")] = None
    """A new or empty folder, or one in which this scan was begun; one scan at a time."""
    quirk: Path | None = None
    """A quirk's file, of `molehunt bring` or a stranger's, in place of behaviour and condition."""
    behaviour_options: tuple[str, ...] = ()
    """Options of the behaviour, as name=value."""
    condition_options: tuple[str, ...] = ()
    """Options of the condition, as name=value."""
    harmless: str | None = None
    """A harmless behaviour that the decoys learn under the same condition."""
    factors: tuple[Literal["examples", "steps", "rank", "poisoned"], ...] = (
        "examples",
        "steps",
        "rank",
        "poisoned",
    )
    """What is scanned; all that is not stays as in `molehunt plant`. `poisoned` is the share of distinct
    on-side rows whose reply is the shady one: 0.5 is a quarter of all rows, or half where always on."""
    values: tuple[float, ...] = ()
    """Values to search among, where one factor is scanned; each factor has a geometric grid of its own."""
    seeds: int = 3
    """How many seeds, from --seed on: each is searched for itself."""
    steps: int = GameSpec.steps
    """Training steps where steps are not scanned, before the condition's own factor."""
    plan: Path | None = None
    """A plan's file (recipe, concealments and the rest; `winner.json` of `molehunt worse` is one) in place of
    --steps, for all that is not scanned."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    page: Path | None = None
    """Write a page of the scans in --of instead, and do nothing else."""
    of: tuple[Path, ...] = ()
    """Folders of finished scans, or folders that hold such folders."""
    dry_run: bool = False
    """Say what the scan would cost, and do nothing."""
    seed: int = 0
    """The first seed of scenes, order and training."""
    json: bool = False
    """Print the result as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the scan in the folder, which may be named alone."""
    if options.behaviour is not None and options.condition is None:
        options = replace(options, behaviour=None, folder=Path(options.behaviour))
    if options.folder is None or options.page is not None:
        return options
    told = {*said, *({"behaviour", "condition"} if options.behaviour is not None else ())}
    told |= {"factors", "values"} if told & {"factors", "values"} else set()  # values are those of a factor
    return gone_on(options, told, kept(options.folder), options.folder, grows=GROWS)


def run(options: Options) -> int:
    """Scan, write, show."""
    if (options.page is None) != (not options.of):
        raise UserError("--page FILE and --of FOLDER go together.")
    if options.page is not None:
        return _library(options, options.page)
    named = options.behaviour is not None and options.condition is not None
    if options.folder is None or not (named or options.quirk is not None):
        raise UserError(
            "Name a behaviour, a condition and a folder, or with --quirk FILE a folder alone; "
            "see `molehunt difficulty --help`."
        )
    if options.plan is not None and options.steps != GameSpec.steps:
        raise UserError("A plan's file brings its own steps; give no --steps beside --plan.")
    from molehunt.game import difficulty
    from molehunt.organisms.plan import read_plan
    from molehunt.verbs._difficulty_page import HEADS, rows, write_difficulty_page

    task = difficulty.task(
        options.behaviour,
        options.condition,
        file=options.quirk,
        plan=None if options.plan is None else read_plan(options.plan),
        behaviour_options=pairs(options.behaviour_options, "--behaviour-options"),
        condition_options=pairs(options.condition_options, "--condition-options"),
        harmless=options.harmless,
        factors=options.factors,
        values=options.values,
        seeds=options.seeds,
        steps=options.steps,
        seed=options.seed,
    )
    if options.dry_run:
        cost = difficulty.cost(task, options.model)
        show(cost, options.json, table(["what", "about"], _reckoned(cost)), "Nothing was done.")
        return 0
    with watching() as watch:
        found = difficulty.difficulty(
            task,
            options.folder,
            model=options.model,
            revision=options.revision,
            watch=watch,
            note=noted(options),
        )
    page = options.folder / "difficulty.html"
    write_difficulty_page(page, found)
    show(found, options.json, table(HEADS, rows(found), found.quirk.label()), f"Page: {page}")
    return 0


def _library(options: Options, page: Path) -> int:
    from molehunt.core.errors import BadFile
    from molehunt.game.difficulty import RESULTS, read_results
    from molehunt.verbs._difficulty_page import LIBRARY_HEADS, library_rows, write_library_page

    folders: list[Path] = []
    for folder in options.of:
        inside = sorted(p.parent for p in folder.glob(f"*/{RESULTS}"))
        if not (folder / RESULTS).is_file() and not inside:
            raise BadFile(f"{folder} holds no {RESULTS}; `molehunt difficulty` writes it.")
        folders += [folder] if (folder / RESULTS).is_file() else inside
    found = [read_results(folder) for folder in dict.fromkeys(folders)]
    write_library_page(page, found)
    value = {"page": str(page), "difficulties": found}
    show(value, options.json, table(LIBRARY_HEADS, library_rows(found)), f"Page: {page}")
    return 0


def _reckoned(cost: "Cost") -> list[tuple[str, str]]:
    return [
        ("trials", f"{cost.trials} to {cost.trials_most}, an organism and a decoy each"),
        ("training steps", f"{cost.steps:,} to {cost.steps_most:,}"),
        ("time", cost.time),
        ("reckoned from", cost.basis),
    ]
