"""Doors that stay shut in an audit process: the red team, the referee, the game.

Imports by the rooms' own code are held to the table by a test; this holds whoever else runs here
(a stranger's method) to it as well. It stops accident and peeking, not hostile code: for that, `pack`
the lineup and audit it on another machine.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from molehunt.core.errors import AccessDenied

SHUT = ("molehunt.organisms", "molehunt.referee", "molehunt.game", "molehunt.verbs", "molehunt.cli")


class _Doorkeeper(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(fullname == room or fullname.startswith(room + ".") for room in SHUT):
            raise AccessDenied(f"An auditor may not import {fullname}.")
        return None


def shut() -> None:
    """Refuse these rooms from now on, in this process.

    Raises:
        AccessDenied: one of them is already in.
    """
    inside = sorted(m for m in sys.modules if m in SHUT or m.startswith(tuple(f"{r}." for r in SHUT)))
    if inside:
        raise AccessDenied(f"An audit process already holds {inside[0]}; start it afresh.")
    sys.meta_path.insert(0, _Doorkeeper())
