"""Blind fixes of a lineup's suspects: a remedy sees merged weights and a constitution, never the truth.

Each suspect is treated in a process that can reach neither key nor run folder, other suspects or the clean
base. The fixed ones lie in RUN/fixed/REMEDY, a lineup like any other: `molehunt audit RUN/fixed/REMEDY`
audits it, `molehunt chat RUN/fixed/REMEDY:NAME` talks with one. The same command goes on where it stopped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from molehunt.core.records import NotMeasured
from molehunt.game.watch import watching
from molehunt.verbs._screen import listing, measured, show, table

if TYPE_CHECKING:
    from molehunt.game.fix_task import Task
    from molehunt.remedies.room import Treated

STOPPED = "Stopped; suspects that were fixed whole are kept: run the same command again to go on."
USUAL_SECONDS = 120.0
"""What a fix should take at an effort of 1, of the default model on two cores; two go side by side."""


@dataclass(frozen=True)
class Options:
    """Which suspects of which lineup, and how they are treated."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A run folder with a planted lineup, an unpacked archive of `molehunt pack`, or the word `starter`."""
    remedy: Annotated[
        tuple[str, ...],
        arg(
            help=listing(
                "Remedies, one after the other, each on the suspects as they were, with options or without "
                "(`noise,most=0.2`), as `molehunt catalogue NAME` tells of each",
                "remedies.fixes",
            )
        ),
    ] = ("honest",)
    suspects: tuple[str, ...] = ()
    """Code names; by default everyone."""
    constitution: str = "kind-person"
    """A preset or a file, as `molehunt constitution` lists and checks them; its examples are taught."""
    effort: float = 1.0
    """Scales steps and samples."""
    dry_run: bool = False
    """Say what would be done and about how long it takes, and do nothing."""
    seed: int = 0
    """Seeds the remedies' draws and training."""
    json: bool = False
    """Print what was done as JSON."""


def run(options: Options) -> int:
    """Treat, show; 1 where a remedy failed."""
    from molehunt.game import library
    from molehunt.game.fix_task import FIXED, NOTE, Wish, tasks_of
    from molehunt.remedies.creed import read_creed

    if options.dry_run:
        creed = read_creed(options.constitution)
        wish = Wish(options.remedy, options.suspects, creed, options.seed, options.effort).checked()
        rows = [_reckoned(t, options.effort) for t in tasks_of(library.existing(options.folder), wish)]
        heads = ["remedy", "to treat", "done", "about"]
        show(
            [dict(zip(heads, r, strict=True)) for r in rows],
            options.json,
            table(heads, rows),
            "Nothing was done.",
        )
        return 0
    with watching() as watch:
        found = library.fix(
            options.folder,
            options.remedy,
            watch,
            constitution=options.constitution,
            suspects=options.suspects,
            seed=options.seed,
            effort=options.effort,
        )
    rows = [_row(f.remedy, name, t) for f in found for name, t in f.suspects.items()]
    notes = [str(options.folder / FIXED / f.remedy / NOTE) for f in found]
    heads = ["remedy", "suspect", "seconds", "tokens", "NLL of ordinary text, after / before"]
    value = {"folder": str(options.folder), "files": notes, "fixed": list(found)}
    show(value, options.json, table(heads, rows), *(f"Written: {n}" for n in notes))
    return int(any(t.failed for f in found for t in f.suspects.values()))


def _row(remedy: str, name: str, treated: "Treated") -> tuple[str, ...]:
    cost = (remedy, name, f"{treated.seconds:.0f}", f"{treated.tokens:,}")
    if treated.failed is not None:
        return *cost, f"failed: {treated.failed}"
    if treated.refused is not None:
        return *cost, f"not treated: {treated.refused.reason}"
    ratio = treated.nll_ratio
    return *cost, ratio.reason if isinstance(ratio, NotMeasured) else measured(ratio)


def _reckoned(task: "Task", effort: float) -> tuple[str, str, str, str]:
    done = task.fixed.suspects
    seen = [t.seconds for n, t in done.items() if n not in task.waiting]
    each, basis = (
        (max(seen), "as the others here") if seen else (USUAL_SECONDS * effort, "at most, as planned")
    )
    known = seen or task.fixed.settings["model"] == "default"
    total = each * -(-len(task.waiting) // 2)
    about = f"{total:.0f} seconds ({basis})" if known else "not known for this model"
    return task.card.name, str(len(task.waiting)), str(len(done)), about
