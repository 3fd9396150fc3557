"""Measures how deep a fix goes: whether a quirk was removed, only hidden, or left untouched.

Of a pair from `molehunt plant`, organism and decoy are fixed blind and alike, then measured; of a game that
was fixed and opened, the suspects' decoys are given the same fix first. Five measures against that
never-poisoned control: what still shows, how soon it is relearned, how few forced words and how hard a push
bring it back, and whether a probe still reads it; beside them what the fix cost. The folder `depth` in there
gets `results.json` and `depth.html`. The same command, or
the folder alone, goes on where it stopped.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from molehunt.core.asked import kept
from molehunt.core.errors import UserError
from molehunt.core.records import NotMeasured
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.game.depth_task import Cost

STOPPED = "Stopped; every whole fix and measure is kept: run the same command again, or the folder alone."
GROWS = ("remedy", "known", "suspects")
"""Remedies and suspects come one by one; where none is said the last ones are gone on with."""


@dataclass(frozen=True)
class Options:
    """Which organisms, which fixes, and how closely is looked."""

    folder: Positional[Annotated[Path, arg(metavar="PAIR_OR_RUN")]]
    """A folder of `molehunt plant`, or the run folder of an opened game that was fixed."""
    remedy: tuple[str, ...] = ()
    """Remedies, as `molehunt fix --help` names them, with options or without (`noise,most=0.2`); none takes
    honest for a pair, all that a game had."""
    known: tuple[str, ...] = ()
    """Fixes of a pair with the truth known, on which the verdict is tried: shell (made to hide), cleanse."""
    suspects: tuple[str, ...] = ()
    """Code names of shady suspects; by default all of a game."""
    quirk: Path | None = None
    """The file of a pair's quirk, where no catalogue names it."""
    constitution: str = "kind-person"
    """What the remedies go by: a preset or a file; of a game the one that it was fixed with."""
    effort: float = 1.0
    """Scales steps and samples of a pair's fix; a game's decoys are fixed as its suspects were."""
    scenes: int = 48
    """Scenes a side of each bank."""
    quick: int = 24
    """Scenes that are tried again and again: while relearning, under forced words, and at every push."""
    chunk: int = 4
    """Fewest training steps between two looks while relearning; later ones lie a quarter of the way apart,
    and around the crossing looks are brought together to a step."""
    orders: int = 3
    """Orders of the data in which the quirk is relearned; from three on there is an interval."""
    ceiling: float = 4.0
    """Relearning ratios are cut here, 1 to 4; the lower, the less time a fix takes that goes deep."""
    clock: int = 10
    """Fewest steps in which decoy and control should relearn: else all do at a lower rate."""
    brief: bool = False
    """Where half or more of what showed still shows, ask no further: forced words, pushes and probe are left
    out, for the verdict is untouched without them."""
    out: Path | None = None
    """Folder for what is found; `depth` in PAIR_OR_RUN where not given."""
    dry_run: bool = False
    """Say what is left to do and about how long it takes, and do nothing."""
    seed: int = 0
    """Seeds scenes, relearning and a pair's fix."""
    json: bool = False
    """Print what was found as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the measurement in the folder; of a game its fixes say what they went by."""
    from molehunt.game.depth_task import DEPTH

    home = options.out or options.folder / DEPTH
    more = ("constitution", "effort") if (options.folder / "spec.json").is_file() else ()
    return gone_on(options, said, kept(home), home, more, GROWS)


def run(options: Options) -> int:
    """Fix, measure, write, show; 1 where a remedy failed and nothing could be measured of it."""
    from math import isfinite

    if not (isfinite(options.effort) and options.effort > 0):
        raise UserError(f"--effort is {options.effort}; it should be above 0, and finite.")
    from molehunt.depth.bench import Settings
    from molehunt.game.deepening import deepen
    from molehunt.game.depth_task import Asked, cost, task_of
    from molehunt.remedies.creed import read_creed
    from molehunt.verbs._depth_page import SHORT, costs_said, short_rows, write_depth_page

    asked = Asked(
        options.folder,
        options.remedy,
        options.known,
        options.suspects,
        options.quirk,
        read_creed(options.constitution),
        options.effort,
        Settings(
            *(options.scenes, options.quick, options.chunk, options.orders),
            *(options.ceiling, options.clock, options.seed, options.brief),
        ),
        options.out,
    )
    task = task_of(asked)
    if options.dry_run:
        reckoned = cost(task)
        show(reckoned, options.json, table(["what", "about"], _reckoned(reckoned)), "Nothing was done.")
        return 0
    with watching() as watch:
        found = deepen(task, watch, noted(options))
    page = task.home / "depth.html"
    write_depth_page(page, found)
    show(found, options.json, table(SHORT, short_rows(found)), *costs_said(found), f"Page: {page}")
    return int(any(d.failed for d in found.found))


def _reckoned(cost: "Cost") -> list[tuple[str, str]]:
    low, usual, high = cost.minutes, cost.minutes_usual, cost.minutes_most
    if isinstance(low, NotMeasured) or isinstance(usual, NotMeasured) or isinstance(high, NotMeasured):
        time = f"not known: {low.reason if isinstance(low, NotMeasured) else ''}"
    else:
        half = "if it is relearned in half of the steps that planting took"
        time = f"{low:.1f} to {high:.1f} minutes; {usual:.1f} {half}"
    return [
        ("fixes", f"{cost.fixes}, one model each"),
        ("measures", f"{cost.cells}, of which {cost.cells_done} are done"),
        ("time", time),
        ("reckoned from", cost.basis),
    ]
