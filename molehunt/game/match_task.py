"""What a match is asked: red's plain spec, blue's remedies, their policies, a game a round, two allowances.

The folder of a match:

    match.json               what is fixed, without what the red team keeps to itself
    rounds/NN/               a game each, sealed while it is played; `report`, `depth` and the rest take it
    blue/NN.json             which remedy blue chose
    history.jsonl            a line a round, written when its envelope was opened
    results.json, match.html

Red's specs, plan, quirks and seed lie beside the keys, under the match's id, like a game's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from molehunt.audit.calibration import Calibration
from molehunt.catalogue.pairs import sensible
from molehunt.core.errors import UnknownName, UserError
from molehunt.core.extend import names, outside
from molehunt.core.kinds import Creed
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.core.splits import seed_of
from molehunt.core.store import stage_key
from molehunt.game.estimate import estimate
from molehunt.game.fix_task import REMEDIES, Wish
from molehunt.game.planter import DRAWS
from molehunt.game.play import fit_to_begin
from molehunt.game.round import Round
from molehunt.game.spec import GameSpec, public_half
from molehunt.game.trial import Charge
from molehunt.game.worse_cost import LONGEST
from molehunt.game.worse_task import Allowance, _judge, digest
from molehunt.organisms.axes import Space
from molehunt.organisms.learnable import learnable, measurable
from molehunt.organisms.plan import Plan, read_plan
from molehunt.organisms.space import space_of
from molehunt.organisms.strangers import strangers_quirks
from molehunt.remedies.creed import read_creed

REDS, BLUES = "organisms.reds", "remedies.blues"
RED, BLUE = "halving", "calmest"
"""The usual policies."""
AUDITS = 2
"""A round."""


@dataclass(frozen=True)
class Task:
    """A match, checked."""

    game: GameSpec
    """What every round is, but for red's spec, the seeds and the most queries."""
    plan: Plan
    """Red's plain spec: where it starts."""
    remedies: tuple[str, ...]
    red_allowance: Allowance
    blue_allowance: Allowance
    rounds: int
    judge: Calibration
    red: str = RED
    blue: str = BLUE
    creed: Creed = field(default_factory=read_creed)
    fix_effort: float = 1.0
    red_seed: int | None = None
    plan_file: Path | None = None
    """Where red's plain spec was read from: closed to whoever works blind."""

    @property
    def space(self) -> Space:
        """The specs that red may choose among."""
        spec = self.game
        own = [] if spec.unlisted >= 1 else [q for q in sensible() if learnable(q, spec.model)]
        quirks = [q for q in own if measurable(q)]
        return space_of(self.plan, [*quirks, *(strangers_quirks(spec.quirks) if spec.quirks else ())])

    @property
    def fixed(self) -> dict[str, Any]:
        """All that must agree for a match to be gone on with, less what is red's secret."""
        return to_json(
            {
                "game": {**public_half(replace(self.game, seed=0)), "quirks": self.game.quirks is not None},
                "seed": self.game.seed,
                "red": self.red,
                "blue": self.blue,
                "remedies": self.remedies,
                "creed": stage_key(self.creed),
                "fix_effort": self.fix_effort,
                "calibration": digest(self.judge),
            }
        )

    def seed(self, number: int) -> int:
        """Of a round's audits and fix."""
        return seed_of("match", self.game.seed, number) % 2**31


@dataclass(frozen=True)
class Cost:
    """What a match would take from the start; rounds that are played are not counted off."""

    rounds: int
    plantings: int
    """Pairs, if all take at the first draw."""
    audits: int
    fixes: int
    minutes: float | NotMeasured
    minutes_most: float | NotMeasured
    basis: str


def task(
    game: GameSpec,
    *,
    calibration: str | Path | None = None,
    plan: Plan | Path | None = None,
    remedies: Sequence[str] = (),
    rounds: int = 12,
    red: str = RED,
    blue: str = BLUE,
    creed: Creed | None = None,
    fix_effort: float = 1.0,
    plantings: int | None = None,
    red_seconds: float | None = None,
    queries: int | None = None,
    blue_seconds: float | None = None,
    red_seed: int | None = None,
) -> Task:
    """A task, looked at before anything is loaded or written.

    Raises:
        UnknownName: no such policy, remedy or method.
        UserError: no calibration for these auditors, or an allowance below one round.
    """
    game = replace(game, tries=1, twin=None, plan=None, red_seed=None).checked()
    remedies = tuple(remedies) or usual_remedies()
    Wish(remedies, effort=fix_effort).checked()
    for room, name in ((REDS, red), (BLUES, blue)):
        if name not in names(room):
            raise UnknownName(f"{'red' if room == REDS else 'blue'} policy", name, names(room))
    if rounds < 1:
        raise UserError(f"--rounds is {rounds}; it should be at least 1.")
    for option, value in (("red-seconds", red_seconds), ("blue-seconds", blue_seconds)):
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{option} is {value}; it should be above 0, and finite.")
    if plantings is not None and plantings < game.suspects:
        raise UserError(f"--plantings is {plantings}, below one round's {game.suspects}.")
    least = AUDITS * game.suspects * len(game.methods)
    if queries is not None and queries < least:
        raise UserError(f"--queries is {queries}, below one round's: {least} methods and suspects ask.")
    given = Path(calibration) if calibration is not None else None
    judge, _ = _judge(given, game.methods, game.model, game.revision, game.effort)
    if game.quirks is not None:
        strangers_quirks(game.quirks)
    file = plan if isinstance(plan, Path) else None
    plan = read_plan(plan) if isinstance(plan, Path) else plan
    plan = replace(plan or Plan(steps=game.steps), tries=1).checked()
    most = rounds * game.suspects * DRAWS
    limits = Allowance(most if plantings is None else plantings, None, red_seconds)
    asked = Allowance(0, queries, blue_seconds)
    return Task(
        replace(game, calibration=None), plan, remedies, limits, asked, rounds, judge,
        red, blue, creed or read_creed(), fix_effort, red_seed, file,
    )  # fmt: skip


def usual_remedies() -> tuple[str, ...]:
    """All of this package, the control first; one may go by verdicts, for an audit comes before it."""
    own = [n for n in names(REMEDIES) if n not in outside(REMEDIES)]
    return ("nothing", *(n for n in own if n != "nothing"))


def spent(rounds: Sequence[Round]) -> tuple[Charge, Charge]:
    """By red, by blue."""
    red, blue = Charge(), Charge()
    for one in rounds:
        red, blue = red + one.red, blue + one.blue
    return red, blue


def affordable(what: Task, rounds: Sequence[Round]) -> int | str:
    """The most queries a method may put to a suspect in another round; or whose allowance ended the match.

    Another round is reckoned to cost what the dearest did so far.
    """
    red, blue = spent(rounds)
    limit, asked = what.red_allowance, what.blue_allowance
    dearest = max((r.red.plantings for r in rounds), default=what.game.suspects)
    if red.plantings + max(dearest, what.game.suspects) > limit.plantings:
        return "red's plantings"
    seconds = [r.red.planting_seconds for r in rounds]
    if limit.seconds is not None and red.planting_seconds + max(seconds, default=0.0) >= limit.seconds:
        return "red's seconds"
    seconds = [r.blue.seconds for r in rounds]
    if asked.seconds is not None and blue.seconds + max(seconds, default=0.0) >= asked.seconds:
        return "blue's seconds"
    if asked.queries is None:
        return what.game.queries
    left = asked.queries - blue.queries
    share = left // (AUDITS * what.game.suspects * len(what.game.methods))
    if share < 1 or left < max((r.blue.queries for r in rounds), default=0):
        return "blue's queries"
    return min(what.game.queries, share)


def cost(what: Task) -> Cost:
    """Reckon; nothing is loaded, written or trained (the machine is measured, once, in about a second)."""
    one = estimate(replace(what.game, steps=what.plan.steps), 1, what.fix_effort)
    counts = (
        what.rounds,
        what.rounds * what.game.suspects,
        what.rounds * one.audits,
        what.rounds * one.fixes,
    )
    if isinstance(one.minutes, NotMeasured) or isinstance(one.minutes_most, NotMeasured):
        return Cost(*counts, one.minutes, one.minutes_most, one.basis)
    most = what.rounds * one.minutes_most * LONGEST
    return Cost(*counts, what.rounds * one.minutes, most, one.basis)


def fit(what: Task, folder: Path) -> None:
    """Look at the folder. Raises UserError where it holds something else than a match."""
    begun = not folder.exists() or (folder / "match.json").is_file()
    if not begun and (not folder.is_dir() or any(p.name != ".lock" for p in folder.iterdir())):
        raise UserError(f"{folder} is not empty, or no folder; choose a new one.")
    fit_to_begin(folder / "rounds" / "00", what.game)
