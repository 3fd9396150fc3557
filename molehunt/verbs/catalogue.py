"""Lists what everybody knows a model might do, when, and by which methods one may look; shows one of them.

`molehunt catalogue` lists all, a line each; `molehunt catalogue NAME` shows one behaviour, condition or
method whole, with scenes as they are taught. `--page FILE.html` writes behaviours, conditions and which go
together as one page, with what was measured. What is planted in a game may also come from outside this list.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.report.planted import Planted

METHODS = "audit.methods"


@dataclass(frozen=True)
class Options:
    """The whole list, one entry of it, or a page."""

    name: Positional[str | None] = None
    """A behaviour, condition or method, to be shown whole; without one all are listed."""
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
    from molehunt.core.extend import load, names

    behaviours, conditions, methods = (
        {name: load(room, name) for name in names(room)} for room in (BEHAVIOURS, CONDITIONS, METHODS)
    )
    met = {*practised(BEHAVIOURS), *practised(CONDITIONS)}
    known = {
        "behaviours": {
            n: {"summary": b.summary, "harmless": b.harmless, "practised": n in met}
            for n, b in behaviours.items()
        },
        "conditions": {n: {"summary": c.summary, "practised": n in met} for n, c in conditions.items()},
        "methods": {n: {"summary": m.summary, "access": m.access} for n, m in methods.items()},
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
    looks = [(n, m.access.replace("_", " "), m.summary) for n, m in methods.items()]
    tables.append(table(["name", "access", "what it does"], looks, f"Methods ({len(looks)})"))
    told = (
        "● games may draw it and auditors suspect it; the rest can be planted. "
        "`molehunt catalogue NAME` says more."
    )
    show(known, options.json, *tables, told)
    return 0


def _entry(options: Options, name: str) -> int:
    from molehunt.catalogue import shown
    from molehunt.core.extend import load
    from molehunt.verbs import _catalogue_text as text

    room = shown.room_of(name, (shown.BEHAVIOURS, shown.CONDITIONS, METHODS))
    if room == METHODS:
        if options.measured is not None:
            raise UserError(f"{name} is a method; --measured speaks of behaviours and conditions.")
        method = load(room, name)
        told = shown.told(method)
        value = {"name": name, "summary": method.summary, "access": method.access, "told": told}
        show(value, options.json, *text.method(name, method.summary, told))
        return 0
    rows = tuple(p for p in _rows(options)[0] if name in (p.behaviour, p.condition))
    if room == shown.BEHAVIOURS:
        found = shown.behaviour(name, options.seed)
        lines = text.behaviour(found, rows)
    else:
        found = shown.condition(name, options.seed)
        lines = text.condition(found, rows)
    show({"entry": found, "measured": rows}, options.json, *lines)
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
