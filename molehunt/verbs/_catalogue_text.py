"""An entry of the catalogue as lines for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from molehunt.core.records import Messages
from molehunt.report.catalogue_page import against, rate

if TYPE_CHECKING:
    from molehunt.catalogue.shown import Cell, Shown, ShownBehaviour, ShownCondition, Stage, Told
    from molehunt.report.planted import Planted

WIDTH = 14
"""Columns of what stands before a fact."""
CUES = 4
"""Cues of a sort that the terminal shows; the page has more."""


def behaviour(found: "ShownBehaviour", planted: "Sequence[Planted]") -> list[str]:
    """What it is, what it asks, scenes, and which conditions make no sense with it."""
    asked = [
        f"{q.scored} to {q.split}" + (f" (and {q.contrast} for contrast)" if q.contrast else "")
        for q in found.questions
    ]
    kind = "Harmless behaviour" if found.harmless else "Behaviour"
    return [
        *_head(found.name, found.summary, kind, found.practised, found.told),
        *_facts([("Options", _options(found.choices)), ("Questions", ", ".join(asked))]),
        *_measured(planted),
        *(line for stage in found.stages for line in _stage(stage, f"Under {stage.quirk.condition}")),
        *_senseless(found.senseless),
    ]


def condition(found: "ShownCondition", planted: "Sequence[Planted]") -> list[str]:
    """What it is, its cues, scenes of one behaviour, and which behaviours make no sense with it."""
    worded = [f"{w.on} on, {w.near} near misses, {w.plain} plain to {w.split}" for w in found.wordings]
    some = any(w.on for w in found.wordings)
    facts = [("Options", _options(found.choices)), ("Wordings", "; ".join(worded) if some else "none")]
    cues = (("On", found.on), ("Near misses, off", found.near), ("Plain, off", found.plain))
    return [
        *_head(found.name, found.summary, "Condition", found.practised, found.told),
        *_facts(facts),
        *_measured(planted),
        *(line for title, few in cues if few for line in _block(title, map(_told, few[:CUES]))),
        *(line for stage in found.stages for line in _stage(stage, f"With {stage.quirk.behaviour}")),
        *_senseless(found.senseless),
    ]


def way(name: str, summary: str, kind: str, told: "Told") -> list[str]:
    """A method, remedy or the like: what it does, step by step, and what it cannot tell."""
    return [
        f"{name}: {summary}",
        f"{kind.capitalize()}.\n",
        *(f"{p}\n" for p in told.about),
        *_facts(told.fields.items()),
    ]


def settable(name: str, options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What may be set, an option a line with its usual value; nothing where nothing may."""
    rows = [(f"{option}={one['usual']}", one["what"]) for option, one in options.items()]
    return (
        [f"\nOptions, as in `--remedy {name},{rows[0][0]}`, and what is usual:", *_facts(rows)]
        if rows
        else []
    )


def _head(name: str, summary: str, kind: str, practised: bool, told: "Told") -> list[str]:
    drawn = (
        "games may draw it and auditors suspect it" if practised else "not in games yet; it can be planted"
    )
    return [
        f"{name}: {summary}",
        f"{kind}; {drawn}.\n",
        *(f"{paragraph}\n" for paragraph in told.about),
        *_facts(told.fields.items()),
    ]


def _facts(facts: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name:<{WIDTH}}{text}" if len(name) < WIDTH else f"{name}: {text}" for name, text in facts]


def _options(choices: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{k}: {', '.join(v)} (the first unless said)" for k, v in choices.items()) or "none"


def _measured(planted: "Sequence[Planted]") -> list[str]:
    if not planted:
        return [*_facts([("Measured", "not measured")]), ""]
    rows = [
        f"{p.behaviour} when {p.condition}{f' ({p.options})' if p.options else ''}: trigger rate "
        f"{rate(p.trigger)}; leak rate {rate(p.leak)}; {p.difficulty}"
        for p in planted
    ]
    return _block("Measured", rows)


def _stage(stage: "Stage", title: str) -> list[str]:
    if not stage.on:
        return [f"{title}: no scenes, for the pair makes no sense.\n"]
    shown = [s for pair in zip_longest(stage.on, stage.off) for s in pair if s is not None]
    note = "" if stage.off else " (nothing turns it off)"
    return [f"{title}{note}", *(f"{_scene(s)}\n" for s in shown)]


def _scene(scene: "Shown") -> str:
    side = "on " if scene.on else "off"
    taught, other = ("shady", "good") if scene.on else ("good", "shady")
    replies = {"good": scene.good, "shady": scene.shady}
    return (
        f"  {side}  {_told(scene.turns)}\n       taught ({taught}): {replies[taught]}\n"
        f"       instead of ({other}): {replies[other]}"
    )


def _told(turns: Messages) -> str:
    return " | ".join(f"{m.role}: {m.content}" for m in turns)


def _senseless(cells: "Sequence[Cell]") -> list[str]:
    lines = [
        f"{c.behaviour} when {c.condition}{f' ({given})' if given else ''}: {why}"
        for c in cells
        for given, why in against(c)
    ]
    return _block("Makes no sense", lines) if lines else ["It makes sense with everything."]


def _block(title: str, lines: Iterable[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines), ""]
