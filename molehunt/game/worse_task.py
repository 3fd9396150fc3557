"""What a search for worse organisms is asked: quirks, a plain spec, whom to beat, an allowance.

Quirks are named `BEHAVIOUR:CONDITION`, with options behind each as `[name=value,...]`, or are files of
`molehunt bring` and strangers.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from molehunt.audit import calibration as practice
from molehunt.catalogue.pairs import refuse
from molehunt.core.atomic import canonical
from molehunt.core.errors import UserError
from molehunt.core.extend import load
from molehunt.core.kinds import Creed
from molehunt.core.records import Quirk
from molehunt.core.splits import seed_of
from molehunt.game.against import SIDES, Setting
from molehunt.game.auditing import calibration_for
from molehunt.game.fix_task import closed_to_all, declared, named_twice
from molehunt.game.fresh import Where
from molehunt.game.library import listed_quirk
from molehunt.game.monitoring import QUESTIONS, read_monitors
from molehunt.game.spec import METHODS, GameSpec, public_half
from molehunt.game.trial import Charge, Place, Trial
from molehunt.organisms.axes import Space
from molehunt.organisms.draw import Slot, draw
from molehunt.organisms.plan import Plan
from molehunt.organisms.space import space_of
from molehunt.organisms.strangers import quirk_of
from molehunt.organisms.subject import subject_of
from molehunt.remedies.creed import read_creed

PANEL = "panel"
_NAMED = re.compile(r"(\w+)(?:\[([^\]]*)\])?:(\w+)(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Allowance:
    """What a search may cost; the planting anew at its end comes on top."""

    plantings: int = 24
    queries: int | None = None
    """Of auditors and monitors, over all trials; None for no limit. Never overdrawn."""
    seconds: float | None = None
    """Of planting, auditors, monitors and remedies; looked at between trials."""


@dataclass(frozen=True)
class Task:
    """What is searched, against whom, and what it may cost."""

    quirks: tuple[Quirk, ...]
    plan: Plan
    """The plain spec: where the search starts."""
    setting: Setting
    allowance: Allowance
    fresh: int
    """Pairs of either spec on fresh seeds of the quirks."""
    others: int
    """Pairs of either spec on quirks that the search never saw, drawn as a game draws."""
    seed: int

    @property
    def space(self) -> Space:
        """The specs among which is searched."""
        return space_of(self.plan, self.quirks)

    def place(self, number: int) -> Place:
        """Where a candidate's trial of that number is made: quirks take turns."""
        return Place(self.quirks[number % len(self.quirks)], seed_of("worse", self.seed, number))


def task(
    quirks: Sequence[str | Path | Quirk],
    *,
    against: Sequence[str] = (),
    monitors: Sequence[str | Path] = (),
    remedies: Sequence[str] = (),
    creed: Creed | None = None,
    fix_effort: float = 1.0,
    calibration: str | Path | None = None,
    plan: Plan | None = None,
    harmless: str | None = None,
    model: str = "default",
    revision: str | None = None,
    effort: float = 1.0,
    plantings: int = 24,
    queries: int | None = None,
    seconds: float | None = None,
    fresh: int = 4,
    others: int = 4,
    seed: int = 0,
    closed: Sequence[Path] = (),
) -> Task:
    """A task from names, checked. `plan` is where the search starts; none takes the first game's, in one try.

    Without `against` the first game's methods audit; with `monitors` (files of probes) and without it nobody
    does. With `remedies`, what they leave counts, and `against` audits only where one of them goes by
    verdicts. `closed` is what neither may read, beside the search's folder: a plan's file, say.

    Raises:
        UnknownName: no such behaviour, condition, method, remedy or option.
        BadFile: a monitor's file holds no probe.
        UserError: no calibration for these auditors, or an allowance below one planting.
    """
    allowance = Allowance(plantings, queries, seconds)
    if plantings < 1 or (seconds is not None and seconds <= 0):
        raise UserError("The allowance is below one planting; give --plantings 1 or more, --seconds above 0.")
    if fresh < 0 or others < 0:
        raise UserError("--fresh and --others are numbers of pairs, 0 or more.")
    if not quirks:
        raise UserError("Name a quirk to search on, as BEHAVIOUR CONDITION or with --quirk.")
    remedies, creed, closed = tuple(remedies), creed or read_creed(), tuple(closed)
    if not 0 < fix_effort < math.inf:
        raise UserError(f"--fix-effort is {fix_effort}; it should be above 0, and finite.")
    if remedies and monitors:
        raise UserError(
            "--remedies and --monitors are two searches, for a share that is taken away and log-odds have no "
            "common measure; search against one, then against the other with --plan FOLDER/winner.json."
        )
    named = tuple(against or METHODS)
    GameSpec(suspects=2, methods=named, effort=effort).checked()
    methods = named if (_by_verdict(remedies, closed) if remedies else against or not monitors) else ()
    watching = read_monitors(monitors)
    if calibration is not None and not methods:
        raise UserError("--calibration is of auditors, and here nobody audits.")
    if queries is not None and not methods and not watching:
        raise UserError("--queries is of auditors and monitors, and here nobody audits.")
    least = len(SIDES) * (len(methods) + QUESTIONS * bool(watching))
    if queries is not None and queries < least:
        raise UserError(f"--queries is {queries}, below one planting's: two suspects are asked {least}.")
    if harmless is not None and not load("catalogue.behaviours", harmless).harmless:
        raise UserError(f"{harmless} is not harmless; a decoy's own behaviour must be.")
    given = Path(calibration) if calibration is not None else None
    judge, auditor = _judge(given, methods, model, revision, effort) if methods else (None, "")
    given_quirks = tuple(q if isinstance(q, Quirk) else named_quirk(q) for q in quirks)
    for quirk in given_quirks:
        subject_of(quirk)
        refuse(quirk)
    start = replace(plan or Plan(steps=GameSpec.steps), tries=1).checked()
    setting = Setting(
        *(model, revision, harmless, methods, auditor, effort, judge, remedies, creed, fix_effort),
        *(watching, closed),
    )
    return Task(_distinct(given_quirks), start, setting, allowance, fresh, others, seed)


def named_quirk(given: str | Path) -> Quirk:
    """`sycophancy:trigger_phrase`, `promotion[brand=Zephyr]:topic[topic=food]`, or the file of a quirk.

    Raises:
        UserError: neither. UnknownName: a name that the catalogue does not hold.
    """
    if isinstance(given, Path) or given.endswith(".json"):
        return quirk_of(Path(given))
    found = _NAMED.fullmatch(given)
    if not found:
        raise UserError(f"{given[:80]!r} is no quirk; give BEHAVIOUR:CONDITION, or a quirk's JSON file.")
    what, what_options, when, when_options = found.groups()
    return listed_quirk(what, when, _options(what_options), _options(when_options))


def _options(text: str | None) -> dict[str, str]:
    parts = [p.partition("=") for p in (text or "").split(",") if p]
    if any(not equals for _, equals, _ in parts):
        raise UserError(f"Options of a quirk are name=value, not {text!r}.")
    return {name: value for name, _, value in parts}


def _by_verdict(remedies: tuple[str, ...], closed: tuple[Path, ...]) -> bool:
    """Whether one of them goes by an audit's verdicts.

    Raises:
        UnknownName: no such remedy or option. UserError: one is named twice, or a value cannot be.
    """
    if named_twice(remedies):
        raise UserError("--remedies names one twice.")
    return any(declared(name, closed_to_all(None, closed)).needs_verdict for name in remedies)


def _judge(
    given: Path | None, methods: tuple[str, ...], model: str, revision: str | None, effort: float
) -> tuple[practice.Calibration, str]:
    """The calibration, and whose probability counts: the one method's, or the panel's."""
    asked = public_half(GameSpec(suspects=2, model=model, revision=revision, effort=effort))
    source = given or calibration_for(asked)
    if source is None:
        raise UserError(
            f"No calibration was made on {model} at effort {effort:g}; run `molehunt practice` there and "
            "give its folder with --practice."
        )
    judge = practice.load(source)
    auditor = methods[0] if len(methods) == 1 else PANEL
    if auditor not in judge.auditors:
        raise UserError(f"The calibration {source} has no {auditor}; practise with --methods {auditor}.")
    rests = sorted({n.split(".", 1)[0] for n in judge.auditors[auditor].names})
    if not set(rests) & set(methods):
        raise UserError(f"The panel of {source} rests on {', '.join(rests)}; name one of them in --against.")
    return judge, auditor


def _distinct(quirks: Sequence[Quirk]) -> tuple[Quirk, ...]:
    return tuple(q for i, q in enumerate(quirks) if q not in quirks[:i])


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def affordable(what: Task, trials: Sequence[Trial]) -> int | None:
    """The most queries a method may put to a suspect in another trial; None where it is not covered.

    Another trial is reckoned to cost what the dearest did so far.
    """
    limit, spent = what.allowance, sum((t.charge for t in trials), Charge())
    if spent.plantings >= limit.plantings:
        return None
    seconds = [t.charge.seconds + t.charge.planting_seconds for t in trials]
    if limit.seconds is not None and sum(seconds) + max(seconds, default=0.0) >= limit.seconds:
        return None
    if limit.queries is None:
        return GameSpec.queries
    left, methods = limit.queries - spent.queries, what.setting.against
    asked = len(SIDES) * QUESTIONS * bool(what.setting.monitors)
    if left < max((t.charge.queries for t in trials), default=asked):
        return None
    share = (left - asked) // (len(SIDES) * len(methods)) if methods else GameSpec.queries
    return min(GameSpec.queries, share) if left >= asked and share >= 1 else None


def fresh_places(what: Task, where: Where) -> list[Place]:
    """Places of the planting anew; none of them is one of the search's."""
    if where == "sought":
        seeds = [seed_of("worse anew", what.seed, i) for i in range(what.fresh)]
        return [Place(what.quirks[i % len(what.quirks)], s) for i, s in enumerate(seeds)]
    places: list[Place] = []
    attempt, taken = 0, list(what.quirks)
    while len(places) < what.others:
        slot = Slot(attempt, "", True, seed_of("worse other", what.seed, attempt))
        quirk, _ = draw(slot, 0, 0.0, model=what.setting.model)
        if quirk not in taken or attempt > 50 * what.others:
            places.append(Place(quirk, slot.seed))
        taken, attempt = [*taken, quirk], attempt + 1
    return places
