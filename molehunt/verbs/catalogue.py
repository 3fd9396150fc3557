"""Lists what a model might do and when, and by which methods one may look, plant, hide and fix; shows one.

`molehunt catalogue` lists all, a line each; `molehunt catalogue NAME` shows one behaviour or condition whole,
with scenes as they are taught, or what a method, a remedy or another way says of itself. `--page FILE.html`
writes behaviours, conditions and which go together as one page, with what was measured. What is planted in a
game may also come from outside this list.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.report.planted import Planted

METHODS = "audit.methods"
WAYS = {
    METHODS: ("method", "Methods of auditors"),
    "organisms.recipes": ("recipe", "Recipes: how a quirk is instilled"),
    "organisms.concealments": ("concealment", "Concealments: what hides it"),
    "remedies.fixes": ("remedy", "Remedies: blind fixes"),
    "organisms.reds": ("red policy", "Red policies of a match"),
    "remedies.blues": ("blue policy", "Blue policies of a match"),
}
"""Rooms of what is done with a model: what one entry is called, and the heading of all."""


@dataclass(frozen=True)
class Options:
    """The whole list, one entry of it, or a page."""

    name: Positional[str | None] = None
    """A behaviour, condition, method, recipe, concealment, remedy or policy, to be shown; without one all are
    listed."""
    page: Path | None = None
    """Write a page of behaviours, conditions and their pairs to this file."""
    measured: Path | None = None
    """Results of a study with a row a planted quirk, for the page or the entry: its rates and difficulty.
    None takes `studies/red_team/results.json` where this package runs from a checkout of its repository."""
    seed: int = 0
    """Chooses the scenes and cues that are shown."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """List, show or write."""
    if options.name is not None and options.page is not None:
        raise UserError("A page holds the whole catalogue; give either a name or --page.")
    if options.measured is not None and options.name is None and options.page is None:
        raise UserError("--measured goes with --page or with a name.")
    if options.page is not None:
        return _write(options, options.page)
    return _list(options) if options.name is None else _entry(options, options.name)


def _list(options: Options) -> int:
    from molehunt.catalogue.practised import practised
    from molehunt.catalogue.shown import BEHAVIOURS, CONDITIONS
    from molehunt.core.extend import load, names, summaries

    behaviours, conditions = ({n: load(room, n) for n in names(room)} for room in (BEHAVIOURS, CONDITIONS))
    ways = {room: summaries(room) for room in WAYS}
    access = {n: load(METHODS, n).access for n in ways[METHODS]}
    met = {*practised(BEHAVIOURS), *practised(CONDITIONS)}
    known = {
        "behaviours": {
            n: {"summary": b.summary, "harmless": b.harmless, "practised": n in met}
            for n, b in behaviours.items()
        },
        "conditions": {n: {"summary": c.summary, "practised": n in met} for n, c in conditions.items()},
        **{
            _many(kind): {
                n: {"summary": said, **({"access": access[n]} if room == METHODS else {})}
                for n, said in ways[room].items()
            }
            for room, (kind, _) in WAYS.items()
        },
    }
    parts = (
        ("Behaviours that do harm", {n: b for n, b in behaviours.items() if not b.harmless}),
        ("Harmless behaviours, for decoys", {n: b for n, b in behaviours.items() if b.harmless}),
        ("Conditions", conditions),
    )
    tables = [
        table(
            ["name", "games", "what it is"],
            [(n, "●" if n in met else "", e.summary) for n, e in entries.items()],
            f"{title} ({len(entries)}, {len(met & set(entries))} of them in games)",
        )
        for title, entries in parts
    ]
    for room, (_, title) in WAYS.items():
        looks = room == METHODS
        rows = [
            (n, *((access[n].replace("_", " "),) if looks else ()), said) for n, said in ways[room].items()
        ]
        heads = ["name", *["access"] * looks, "what it does"]
        tables.append(table(heads, rows, f"{title} ({len(rows)})"))
    told = (
        "● games may draw it and auditors suspect it; the rest can be planted. "
        "`molehunt catalogue NAME` says more."
    )
    show(known, options.json, *tables, told)
    return 0


def _many(kind: str) -> str:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return plural.replace(" ", "_")


def _access(entry: Any) -> dict[str, str]:
    """What a method needs of a suspect; nothing for what needs none."""
    return {"access": entry.access} if hasattr(entry, "access") else {}


def _entry(options: Options, name: str) -> int:
    from molehunt.catalogue import shown
    from molehunt.verbs import _catalogue_text as text

    room = shown.room_of(name, (shown.BEHAVIOURS, shown.CONDITIONS, *WAYS))
    if room in WAYS:
        return _ways(options, name)
    rows = tuple(p for p in _rows(options)[0] if name in (p.behaviour, p.condition))
    if room == shown.BEHAVIOURS:
        found = shown.behaviour(name, options.seed)
        lines = text.behaviour(found, rows)
    else:
        found = shown.condition(name, options.seed)
        lines = text.condition(found, rows)
    show({"entry": found, "measured": rows}, options.json, *lines)
    return 0


def _settable(kind: str, entry: Any) -> dict[str, dict[str, Any]]:
    """What may be set of a remedy, with its usual value and meaning; nothing else takes options by name."""
    from molehunt.core.extend import documented, options

    if kind != "remedy":
        return {}
    said = documented(entry)
    return {n: {"usual": usual, "what": said.get(n, "")} for n, usual in options(entry).items()}


def _ways(options: Options, name: str) -> int:
    """Whatever else has that name: `preferences` is a recipe and a remedy."""
    from molehunt.catalogue.shown import told
    from molehunt.core.extend import BEHIND_DOORS, STRANGER, load, names, outside
    from molehunt.verbs import _catalogue_text as text

    for room in WAYS:
        if room in BEHIND_DOORS and name in outside(room):
            raise UserError(f"{name} is {STRANGER}; what it does is for that package to say.")
    found = {kind: load(room, name) for room, (kind, _) in WAYS.items() if name in names(room)}
    if options.measured is not None:
        raise UserError(
            f"{name} is a {' and a '.join(found)}; --measured speaks of behaviours and conditions."
        )
    values = [
        {
            "name": name,
            "kind": k,
            "summary": e.summary,
            **_access(e),
            "told": told(e),
            "options": _settable(k, e),
        }
        for k, e in found.items()
    ]
    lines = [
        line
        for k, e in found.items()
        for line in (*text.way(name, e.summary, k, told(e)), *text.settable(name, _settable(k, e)))
    ]
    show(values[0] if len(values) == 1 else {"name": name, "found": values}, options.json, *lines)
    return 0


def _write(options: Options, page: Path) -> int:
    from molehunt.catalogue.shown import whole
    from molehunt.game.watch import watching
    from molehunt.report.catalogue_page import refuse_other, write_catalogue

    if page.is_dir():
        raise UserError(f"{page} is a folder; name a file for the page.")
    refuse_other(page)
    planted, source = _rows(options)
    with watching() as watch:
        known = whole(options.seed, lambda share, what: watch.bar("catalogue", share, what))
    write_catalogue(page, known, planted, source)
    value = {
        "page": str(page),
        "measured": source,
        "bytes": page.stat().st_size,
        "behaviours": len(known.behaviours),
        "conditions": len(known.conditions),
        "pairs": sum(c.sense != "none" for c in known.cells),
    }
    show(value, options.json, f"Measured: {source}", f"Page: {page}")
    return 0


def _rows(options: Options) -> "tuple[tuple[Planted, ...], str]":
    """What was measured, and where that stands: in the file that is given, or what ships."""
    from molehunt.report.planted import MEASURED, STUDY, read_planted

    return read_planted(options.measured or MEASURED), str(options.measured or STUDY)
