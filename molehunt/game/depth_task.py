"""What is asked of a measurement of depth, and about how long it takes: nothing is loaded or written here.

The folder `depth` beside the pair or in the run:

    plan.json                     settings that must agree
    fixed/REMEDY/SEAT/            adapters that were fixed for this: a pair's `organism` and `decoy`,
                                  a game's decoys under the code names of their suspects
    cells/REMEDY/SUSPECT/M.json   one measure each
    shelf/                        what was read of organism and decoy before any fix
    results.json, depth.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json
from molehunt.core.errors import RunMismatch, UnknownName, UserError
from molehunt.core.kinds import Creed
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured
from molehunt.core.store import stage_key
from molehunt.depth.bench import Settings
from molehunt.depth.known import KNOWN
from molehunt.depth.measures import MEASURES
from molehunt.depth.reckoning import Reckoned, measured, paced, relearned
from molehunt.depth.relearning import control_most
from molehunt.game.estimate import FIX_SECONDS, REACHED, READ_FLOP, STEP_TOKENS, TRAIN_FLOP, parameters
from molehunt.game.fix_task import FIXED, NOTE, Fixed, known_remedy, named_twice
from molehunt.game.specimens import Ground, Specimen, ground_of
from molehunt.remedies.creed import read_creed

DEPTH, PLAN, SHELF = "depth", "plan.json", "shelf"


@dataclass(frozen=True)
class Asked:
    """What is asked."""

    folder: Path
    remedies: tuple[str, ...] = ()
    """None: honest for a pair, all that it was fixed with for a game."""
    known: tuple[str, ...] = ()
    """Fixes with the truth known, on which the verdict is tried (`depth/known.py`); of a pair alone."""
    suspects: tuple[str, ...] = ()
    quirk: Path | None = None
    creed: Creed = field(default_factory=read_creed)
    effort: float = 1.0
    settings: Settings = Settings()
    out: Path | None = None
    """Where all of it is kept; `depth` in `folder` where None."""
    shelf: Path | None = None
    """Where what is read of pairs before any fix is kept, for several of these; in `out` where None."""
    closed: tuple[Path, ...] = ()
    """Further folders in which a remedy may read nothing: where others of the kind lie, say."""


@dataclass(frozen=True)
class Task:
    """What there is to do, checked."""

    ground: Ground
    remedies: tuple[str, ...]
    known: tuple[str, ...]
    specimens: tuple[Specimen, ...]
    creed: Creed
    effort: float
    settings: Settings
    applied: Mapping[str, Fixed]
    """A game's fixes, by remedy; empty for a pair."""
    home: Path
    """Where all of it is kept."""
    shelf: Path
    """Where what was read of pairs before any fix is kept."""
    closed: tuple[Path, ...] = ()
    """Further folders in which a remedy may read nothing."""

    @property
    def ways(self) -> tuple[str, ...]:
        """All that is measured, blind remedies first."""
        return (*self.remedies, *self.known)

    @property
    def fixed(self) -> dict[str, Any]:
        """What must agree for a folder to be gone on with. Remedies and suspects may come one by one."""
        body = {"settings": self.settings, "model": self.ground.model, "revision": self.ground.revision}
        if self.ground.run is None:
            body |= {"effort": self.effort, "creed": stage_key(self.creed)}
        return to_json(body)

    def cell(self, remedy: str, specimen: Specimen, measure: str) -> Path:
        """Where one measure is kept."""
        return self.home / "cells" / remedy / specimen.name / f"{measure}.json"


@dataclass(frozen=True)
class Cost:
    """What is left to do, and about how long it takes."""

    fixes: int
    cells: int
    cells_done: int
    minutes: float | NotMeasured
    """If nothing had to be relearned, because it shows still."""
    minutes_usual: float | NotMeasured
    """If fixed models and controls relearned it in half of the steps that planting took."""
    minutes_most: float | NotMeasured
    """If every control took as long as it may, and every fixed model as long as the ceiling allows."""
    basis: str


def task_of(asked: Asked) -> Task:
    """Look at everything before anything is loaded.

    Raises:
        UserError: whatever `ground_of` refuses; a remedy that the game was not fixed with, or that has
            nothing to go by; a fix with another constitution.
        UnknownName: no such remedy, option or suspect. RunMismatch: the folder was begun with other settings.
    """
    settings = asked.settings.checked()
    if named_twice(asked.remedies):
        raise UserError("--remedy names one twice; name each once.")
    bare = {known_remedy(name) for name in asked.remedies}
    for name in asked.known:
        if name not in KNOWN:
            raise UnknownName("fix with the truth known", name, KNOWN)
    ground = ground_of(asked.folder, asked.quirk)
    applied: dict[str, Fixed] = {}
    remedies = asked.remedies
    if ground.run is None:
        remedies = remedies or (() if asked.known else ("honest",))
        if "unlearning" in bare:
            raise UserError("unlearning goes by verdicts, which a pair has not; measure its depth in a game.")
    else:
        if asked.known:
            raise UserError("--known is for a pair; a game's suspects are fixed blind alone.")
        applied = _applied(ground, remedies, asked.creed)
        remedies = tuple(applied)
    known = {s.name: s for s in ground.specimens}
    for name in asked.suspects:
        if name not in known:
            raise UnknownName("shady suspect", name, known)
    chosen = tuple(s for s in ground.specimens if not asked.suspects or s.name in asked.suspects)
    known_ways = tuple(dict.fromkeys(asked.known))
    home = asked.out or ground.home / DEPTH
    shelf = asked.shelf or home / SHELF
    task = Task(
        *(ground, remedies, known_ways, chosen, asked.creed, asked.effort, settings, applied, home, shelf),
        asked.closed,
    )
    begun = task.home / PLAN
    if begun.is_file() and _begun(begun) != task.fixed:
        raise RunMismatch(
            f"{task.home} was begun with other settings; delete it, or go on with the same options."
        )
    return task


def _begun(plan: Path) -> Any:
    """What a folder was begun with; settings that its version did not know yet have their usual values."""
    found = read_json(plan)
    return {**found, "settings": {**to_json(Settings()), **found["settings"]}}


def _applied(ground: Ground, wanted: tuple[str, ...], creed: Creed) -> dict[str, Fixed]:
    """The fixes of a game."""
    there = ground.home / FIXED
    made = sorted(p.parent.name for p in there.glob(f"*/{NOTE}")) if there.is_dir() else []
    for name in wanted:
        if name not in made:
            raise UserError(
                f"{ground.home} was not fixed with {name}; "
                f"run `molehunt fix {ground.home} --remedy {name}` first."
            )
    if not made:
        raise UserError(f"{ground.home} was not fixed yet; run `molehunt fix {ground.home}` first.")
    found = {n: from_json(Fixed, read_json(there / n / NOTE)) for n in wanted or made}
    for name, fixed in found.items():
        if fixed.settings.get("creed") != stage_key(creed):
            raise UserError(
                f"{there / name} was made with another constitution; name that one with --constitution."
            )
    return found


def cost(task: Task) -> Cost:
    """Reckon; nothing is loaded, written or trained (the machine is measured, once, in about a second)."""
    from molehunt.models.machine import this_machine

    settings, todo = task.settings, 0
    fixes = sum(not (task.home / FIXED / r).is_dir() for r in task.ways)
    fixes *= len(task.specimens) * (2 if task.ground.run is None else 1)
    tokens = usual = most = 0.0  # in units of one token read
    for one in task.specimens:
        met = any(task.cell(r, one, m).is_file() for r in task.ways for m in MEASURES)
        for remedy in task.ways:
            left = [m for m in MEASURES if not task.cell(remedy, one, m).is_file()]
            todo += len(left)
            each = measured(settings, first=not met)
            tokens += sum(each[m] for m in left) + (_read(paced(settings, first=not met)) if left else 0)
            met = met or bool(left)
            if "relearning" in left:
                half, long = one.known.steps // 2, control_most(settings, one.known.steps)
                usual += _read(relearned(settings, half, half))
                most += _read(relearned(settings, long, round(settings.ceiling * long)))
    machine, size = this_machine(), parameters(task.ground.model)
    cells = len(task.ways) * len(task.specimens) * len(MEASURES)
    done = cells - todo
    if isinstance(size, NotMeasured):
        return Cost(fixes, cells, done, size, size, size, machine.why())
    rate = REACHED * max(machine.float32_gflops, machine.bfloat16_gflops) * 1e9
    fixing = FIX_SECONDS * task.effort * fixes / 2 * (task.ground.model == "default")
    start = 20.0 if todo or fixes else 0.0
    seconds = READ_FLOP * size / rate
    low, middle, high = ((start + fixing + (tokens + more) * seconds) / 60 for more in (0.0, usual, most))
    return Cost(fixes, cells, done, low, middle, high, machine.why())


def _read(work: Reckoned) -> float:
    """Training in units of a token read."""
    return work.tokens + work.steps * STEP_TOKENS * TRAIN_FLOP / READ_FLOP
