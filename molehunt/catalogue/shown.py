"""The catalogue made ready to be looked at: what each entry says of itself, with scenes and cues as taught.

Scenes and cues are those of the planting bank. What validation and audits ask is counted and not shown, so
that a page which is passed around gives no held-out question away.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import Any, Literal, get_args

from molehunt.catalogue.pairs import why_not
from molehunt.catalogue.practised import practised
from molehunt.catalogue.scenes import SYSTEM, scenes
from molehunt.core.errors import UserError
from molehunt.core.extend import load, names
from molehunt.core.kinds import Behaviour, Condition, Cue
from molehunt.core.records import Message, Messages, Quirk, Scene, Split
from molehunt.core.splits import seed_of

BEHAVIOURS, CONDITIONS = "catalogue.behaviours", "catalogue.conditions"
SHARED = "promotion"
"""The behaviour that every condition is shown with."""
WITHOUT, WITH = "always", "trigger_phrase"
"""The conditions that every behaviour is shown under: none, and one that every behaviour goes with."""
SCENES = 3
"""Scenes shown on each side."""
CUES = 12
"""Cues shown of each sort; the rest are counted."""

_FIELD = re.compile(
    r"(Source|Access|Fails when|Without the clean reference model|What this cannot tell you):\s*(.*)"
)
_NUMBERED = re.compile(r"\d+\. ")


@dataclass(frozen=True)
class Told:
    """What an entry's file says in its docstring."""

    about: tuple[str, ...]
    """Paragraphs before the first field; the first says what the entry is."""
    fields: Mapping[str, str]
    """Source, Access, Fails when (and what else a method states) by name, in the file's order."""


@dataclass(frozen=True)
class Shown:
    """A scene as it is taught."""

    turns: Messages
    """The prompt, without the system prompt that all scenes share."""
    good: str
    shady: str
    on: bool


@dataclass(frozen=True)
class Stage:
    """A few scenes of one quirk, from both sides; `off` is empty where nothing turns it off."""

    quirk: Quirk
    on: tuple[Shown, ...]
    off: tuple[Shown, ...]


@dataclass(frozen=True)
class Cell:
    """A behaviour under a condition: in how many choices of options it makes sense, and why not in others."""

    behaviour: str
    condition: str
    practised: bool
    """Whether both stand in `PRACTISED`, so that games may draw them together where they make sense."""
    choices: int
    refused: Mapping[str, tuple[str, ...]]
    """Each reason, with the options that it speaks against (`topic=words`)."""
    sense: Literal["all", "some", "none"]
    """Whether the pair makes sense with all of its options, with some, or with none."""


@dataclass(frozen=True)
class Questions:
    """What a behaviour asks in one split, with default options."""

    split: Split
    scored: int
    contrast: int
    """Taught beside them and not scored."""


@dataclass(frozen=True)
class Wordings:
    """Different cues of a condition in one split, with default options."""

    split: Split
    on: int
    near: int
    plain: int


@dataclass(frozen=True)
class ShownBehaviour:
    """All that is shown of a behaviour."""

    name: str
    summary: str
    harmless: bool
    practised: bool
    choices: Mapping[str, tuple[str, ...]]
    told: Told
    questions: tuple[Questions, ...]
    stages: tuple[Stage, ...]
    senseless: tuple[Cell, ...]
    """Its pairs that make no sense with some or all options."""


@dataclass(frozen=True)
class ShownCondition:
    """All that is shown of a condition; cues are a few of the planting bank, with default options."""

    name: str
    summary: str
    practised: bool
    choices: Mapping[str, tuple[str, ...]]
    told: Told
    wordings: tuple[Wordings, ...]
    on: tuple[Messages, ...]
    near: tuple[Messages, ...]
    plain: tuple[Messages, ...]
    stages: tuple[Stage, ...]
    senseless: tuple[Cell, ...]


@dataclass(frozen=True)
class Whole:
    """The whole catalogue; `cells` go by behaviour, then by condition, in the order of both lists."""

    behaviours: tuple[ShownBehaviour, ...]
    conditions: tuple[ShownCondition, ...]
    cells: tuple[Cell, ...]


def whole(seed: int = 0, progress: Callable[[float, str], None] = lambda share, what: None) -> Whole:
    """Every entry and every pair; `progress` is told the share that is done, and of what."""
    made: dict[str, list[Any]] = {BEHAVIOURS: [], CONDITIONS: []}
    entries = [(room, name) for room in made for name in names(room)]
    for i, (room, name) in enumerate(entries):
        progress(i / len(entries), name)
        made[room].append((behaviour if room == BEHAVIOURS else condition)(name, seed))
    cells = tuple(cell(*pair) for pair in product(names(BEHAVIOURS), names(CONDITIONS)))
    progress(1.0, "")
    return Whole(tuple(made[BEHAVIOURS]), tuple(made[CONDITIONS]), cells)


def behaviour(name: str, seed: int = 0) -> ShownBehaviour:
    """A behaviour with what it asks, scenes always and under a phrase, and the pairs that make no sense.

    Raises:
        UnknownName: there is none of that name.
    """
    entry: Behaviour = load(BEHAVIOURS, name)
    return ShownBehaviour(
        *(name, entry.summary, entry.harmless, name in practised(BEHAVIOURS), entry.choices, told(entry)),
        questions=tuple(_asked(entry, split) for split in get_args(Split)),
        stages=tuple(_stage(Quirk(name, when), seed) for when in (WITHOUT, WITH)),
        senseless=tuple(c for when in names(CONDITIONS) if (c := cell(name, when)).refused),
    )


def condition(name: str, seed: int = 0) -> ShownCondition:
    """A condition with its cues, scenes of a behaviour that all are shown with, and senseless pairs.

    Raises:
        UnknownName: there is none of that name.
    """
    entry: Condition = load(CONDITIONS, name)
    sides = {split: _cues(entry, split) for split in get_args(Split)}
    return ShownCondition(
        *(name, entry.summary, name in practised(CONDITIONS), entry.choices, told(entry)),
        wordings=tuple(Wordings(split, *map(len, cues)) for split, cues in sides.items()),
        **{
            side: tuple(worded(c) for c in _few(cues, seed))
            for side, cues in zip(("on", "near", "plain"), sides["plant"], strict=True)
        },
        stages=(_stage(Quirk(SHARED, name), seed),),
        senseless=tuple(c for what in names(BEHAVIOURS) if (c := cell(what, name)).refused),
    )


def cell(what: str, when: str) -> Cell:
    """A behaviour under a condition, with all options of both."""
    choices = 0
    refused: dict[str, list[str]] = {}
    mine, its = load(BEHAVIOURS, what).choices, load(CONDITIONS, when).choices
    for values in product(*mine.values(), *its.values()):
        choices += 1
        what_options = dict(zip(mine, values, strict=False))
        when_options = dict(zip(its, values[len(mine) :], strict=True))
        if why := why_not(Quirk(what, when, what_options, when_options)):
            said = ", ".join(f"{k}={v}" for k, v in (*what_options.items(), *when_options.items()))
            refused.setdefault(why, []).append(said)
    met = what in practised(BEHAVIOURS) and when in practised(CONDITIONS)
    lost = sum(map(len, refused.values()))
    sense = "all" if not lost else "none" if lost == choices else "some"
    return Cell(what, when, met, choices, {why: tuple(given) for why, given in refused.items()}, sense)


def room_of(name: str, rooms: Sequence[str]) -> str:
    """The first of the rooms that holds an entry of that name.

    Raises:
        UserError: none does; it gives the nearest names.
    """
    for room in rooms:
        if name in names(room):
            return room
    known = {n for room in rooms for n in names(room)}
    wanted = re.sub(r"[\s-]+", "_", name.strip().lower())
    near = [n for n in sorted(known) if len(wanted) > 2 and wanted in n] or get_close_matches(wanted, known)
    hint = f"did you mean {' or '.join(near[:3])}?" if near else "`molehunt catalogue` lists what there is."
    raise UserError(f"The catalogue holds nothing called {name[:80]!r}; {hint}")


def told(entry: object) -> Told:
    """What the file of an entry says in its docstring, paragraph by paragraph and field by field."""
    kind = type(entry)
    doc = inspect.cleandoc(getattr(sys.modules.get(kind.__module__), "__doc__", None) or kind.__doc__ or "")
    about: list[str] = []
    fields: dict[str, str] = {}
    for paragraph in doc.split("\n\n"):
        current, text = "", ""
        for line in paragraph.splitlines():
            if found := _FIELD.match(line):
                current = found[1]
                fields[current] = found[2].strip()
            elif current:
                fields[current] = f"{fields[current]} {line.strip()}".strip()
            else:
                text += f"{chr(10) if _NUMBERED.match(line) else ' '}{line.strip()}"
        if text.strip():
            about.append(text.strip())
    return Told(tuple(about), fields)


def _asked(entry: Behaviour, split: Split) -> Questions:
    drafts = entry.drafts(split, {})
    counted = {yes: len({(d.item, d.user) for d in drafts if d.counts is yes}) for yes in (True, False)}
    return Questions(split, counted[True], counted[False])


def _stage(quirk: Quirk, seed: int) -> Stage:
    made = () if why_not(quirk) else scenes(quirk, "plant", SCENES, seed)
    on, off = (tuple(_shown(s) for s in made if s.on is side) for side in (True, False))
    return Stage(quirk, on, off)


def _shown(scene: Scene) -> Shown:
    first, *rest = scene.messages
    own = first.content.removeprefix(SYSTEM).removeprefix(". ")
    turns = (Message("system", own), *rest) if own else tuple(rest)
    return Shown(turns, scene.good, scene.shady, scene.on)


def _cues(entry: Condition, split: Split) -> tuple[list[Cue], list[Cue], list[Cue]]:
    """What turns it on, near misses, and other cues that leave it off, each once."""
    sides = entry.cues(split, {})
    on, off = (list(dict.fromkeys(c for c in side if c is not None)) for side in (sides.on, sides.off))
    return on, [c for c in off if c.near], [c for c in off if not c.near]


def _few(cues: Sequence[Cue], seed: int) -> list[Cue]:
    """Some of the cues, of as many different frames as there are."""
    mixed = sorted(cues, key=lambda c: seed_of("shown", seed, c.id, worded(c)))
    firsts = list({c.id: c for c in reversed(mixed)}.values())
    return [*firsts, *(c for c in mixed if c not in firsts)][:CUES]


def worded(cue: Cue) -> Messages:
    """A cue as the turns that it brings; its own text, last, has the role of its place."""
    return (*cue.turns, Message(cue.place, cue.text)) if cue.text else cue.turns
