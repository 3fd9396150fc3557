"""What `molehunt plant --spec` does: adapters made again from their lines."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.game.replaying import Replayed

ITS_OWN = ("what", "spec", "json")
"""Options that go with --spec."""
OTHERWISE = "Another processor, thread count or version of a library may round otherwise."


def replay(options: Any, file: Path) -> int:
    """Replay, then say which hashes are the same; 1 where one is not.

    Raises:
        UserError: an option beside --spec.
    """
    for field in fields(options):
        if field.name not in ITS_OWN and getattr(options, field.name) != field.default:
            option = field.name.replace("_", "-")
            raise UserError(f"A spec's file brings its own {option}; give no --{option} beside --spec.")
    if len(options.what) != 1:
        raise UserError("With --spec FILE name a folder alone; see `molehunt plant --help`.")
    from molehunt.game import library

    with watching() as watch:
        made = library.replay(file, options.what[0], watch=watch)
    differ = any(r.same is False for r in made)
    show(
        [{"part": r.part, "adapter": r.adapter, "planted": r.planted, "same": r.same} for r in made],
        options.json,
        table(
            ["part", "adapter", "as planted"],
            [(r.part, _short(r.adapter), _said(r)) for r in made],
            "Replayed",
        ),
        *([OTHERWISE] if differ else []),
        f"In {options.what[0]}",
    )
    return 1 if differ else 0


def _short(adapter: str) -> str:
    """The end of an adapter's hash: its first half is of the configuration, which is the same for many."""
    return adapter[-16:]


def _said(made: "Replayed") -> str:
    if isinstance(made.planted, str):
        return "yes, the same hash" if made.same else f"no: {_short(made.planted)} was planted"
    return f"not known: {made.planted.reason}"
