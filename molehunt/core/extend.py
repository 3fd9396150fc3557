"""A file name is a registry: `load("audit.methods", "contrast")` imports that file alone.

Each such module holds one final frozen dataclass of its kind, named by `ENTRY`. Packages
outside this one add theirs through the entry-point group `molehunt`, with names such as
`audit.methods/my_method`.
"""

import importlib
import importlib.metadata
import pkgutil
from functools import cache
from typing import Any

from molehunt.core.errors import UnknownName


@cache
def names(room: str) -> tuple[str, ...]:
    """Every extension of a room (`catalogue.behaviours`, say), sorted, without importing any."""
    package = importlib.import_module(f"molehunt.{room}")
    own = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return tuple(sorted(own | set(outside(room))))


def load(room: str, name: str) -> Any:
    """The extension of that name, made afresh with its defaults.

    Raises:
        UnknownName: there is none.
    """
    foreign = outside(room)
    if name in foreign:
        return foreign[name].load()()
    if name not in names(room):
        raise UnknownName(room.rsplit(".", 1)[-1].removesuffix("s"), name, names(room))
    return importlib.import_module(f"molehunt.{room}.{name}").ENTRY()


BEHIND_DOORS = frozenset({"remedies.fixes", "organisms.reds", "remedies.blues"})
"""Rooms whose strangers are read in by a process behind doors alone, never where keys are."""
STRANGER = "of another package, which is read in behind doors alone"


def summaries(room: str) -> dict[str, str]:
    """What each of a room says of itself in a line; strangers whose place is behind doors are not read in."""
    shut = outside(room) if room in BEHIND_DOORS else {}
    return {n: STRANGER if n in shut else load(room, n).summary for n in names(room)}


@cache
def outside(room: str) -> dict[str, importlib.metadata.EntryPoint]:
    """Entry points of other packages that belong to a room, by name."""
    points = importlib.metadata.entry_points(group="molehunt")
    return {p.name.split("/", 1)[1]: p for p in points if p.name.startswith(room + "/")}
