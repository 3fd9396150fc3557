"""Molehunt: a laboratory for alignment. Plant a mole, audit it blind, open the envelope.

    import molehunt
    game = molehunt.play("runs/first", molehunt.GameSpec(suspects=4))
    pair = molehunt.plant("sycophancy", "trigger_phrase", folder="organisms/one")
    molehunt.audit("runs/first"); molehunt.score("runs/first"); molehunt.report("runs/first")

Names are resolved when they are first used, so that `import molehunt` takes milliseconds. Five of them
(audit, catalogue, depth, gate, report) are rooms of the package too: once such a room was imported, it
answers a call as its function does.
"""

from __future__ import annotations

import sys

from molehunt.core.tiles import leave_broken_tiles

TYPE_CHECKING = False  # as `typing` has it; the less is imported here, the sooner Ctrl-C is listened for
if TYPE_CHECKING:
    from typing import Any

leave_broken_tiles()  # before anybody multiplies
__version__ = "0.1.0"

_WHERE = {
    "GameSpec": "molehunt.game.spec",
    "audit": "molehunt.game.library",
    "bring": "molehunt.game.library",
    "catalogue": "molehunt.game.library",
    "depth": "molehunt.game.library",
    "difficulty": "molehunt.game.library",
    "fix": "molehunt.game.library",
    "gate": "molehunt.game.library",
    "line_up": "molehunt.game.lineup",
    "match": "molehunt.game.library",
    "moral": "molehunt.character.moral.study",
    "open_model": "molehunt.models.load",
    "plant": "molehunt.game.library",
    "plant_file": "molehunt.game.library",
    "play": "molehunt.game.library",
    "report": "molehunt.game.library",
    "score": "molehunt.game.library",
    "worse": "molehunt.game.library",
}
__all__ = [
    "GameSpec", "__version__", "audit", "bring", "catalogue", "depth", "difficulty", "fix", "gate", "line_up",
    "match", "moral", "open_model", "plant", "plant_file", "play", "report", "score", "worse",
]  # fmt: skip

if TYPE_CHECKING:
    from molehunt.character.moral.study import moral
    from molehunt.game.library import (
        audit,
        bring,
        catalogue,
        depth,
        difficulty,
        fix,
        gate,
        match,
        plant,
        plant_file,
        play,
        report,
        score,
        worse,
    )
    from molehunt.game.lineup import line_up
    from molehunt.game.spec import GameSpec
    from molehunt.models.load import open_model


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"molehunt has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)


class _Room(type(sys)):
    """A package inside this one that has the name of a function of the library."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        return __getattr__(self.__name__.rpartition(".")[2])(*args, **named)


class _Library(type(sys)):
    """This package: importing a room sets it as an attribute, over what `__getattr__` would have given."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _WHERE and type(value) is type(sys):
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Library
