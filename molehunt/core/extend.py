"""A file name is a registry: `load("audit.methods", "contrast")` imports that file alone.

Each such module holds one final frozen dataclass of its kind, named by `ENTRY`. Packages
outside this one add theirs through the entry-point group `molehunt`, with names such as
`audit.methods/my_method`.
"""

import ast
import dataclasses
import importlib
import importlib.metadata
import inspect
import itertools
import math
import pkgutil
import re
import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from molehunt.core.errors import UnknownName, UserError


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


def plain(name: str) -> str:
    """The name alone of `NAME,option=value,...`."""
    return name.partition(",")[0]


def load_set(room: str, name: str) -> Any:
    """The extension that `NAME,option=value,...` names, with these options.

    Raises:
        UnknownName: there is none, or it has no such option.
        UserError: an option without a value, twice, or with a value that cannot be.
    """
    entry = load(room, plain(name))
    usual, given = options(entry), {}
    for text in name.split(",")[1:]:
        option, equals, value = text.partition("=")
        if not equals or option in given:
            raise UserError(f"{name!r} should be a name, then ,option=value, each option once.")
        if option not in usual:
            raise UnknownName(f"option of {plain(name)}", option, usual)
        given[option] = _read(option, value, get_type_hints(type(entry))[option])
    return dataclasses.replace(entry, **given) if given else entry


def documented(entry: Any) -> Mapping[str, str]:
    """What stands below each field of an extension's class in its source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(type(entry)))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in itertools.pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def options(entry: Any) -> Mapping[str, Any]:
    """What may be set of an extension, with its usual values: its numbers and choices, a rank apart."""
    if not dataclasses.is_dataclass(entry):
        return {}
    hints = get_type_hints(type(entry))
    kinds = {f.name: hints[f.name] for f in dataclasses.fields(entry) if f.init and f.name != "rank"}
    return {n: getattr(entry, n) for n, k in kinds.items() if k in (int, float) or get_origin(k) is Literal}


PLAIN = {int: r"\d{1,9}", float: r"\d*\.?\d+(e-?\d{1,2})?"}
"""Numbers as they may stand in a name, which is a folder's, too."""


def _read(option: str, value: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UnknownName(f"value of {option}", value, get_args(kind))
        return value
    number = kind(value) if re.fullmatch(PLAIN[kind], value, re.ASCII) else math.nan
    if not 0 < number < math.inf:
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"{option}={value[:40]} should be {what} above 0.")
    return number


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
