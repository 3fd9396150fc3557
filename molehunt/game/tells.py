"""What lies about and tells the truth of somebody: whoever works blind may not read it.

    a file of red's      the search that it lies in, with its trials, or else the file
    a planted pair       its folder (profile, spec), and the pairs beside it, whole or under way
    a version's weights  all that lies beside them (rows, notes of how they were made), less what a blind
                         process needs: the package, its interpreter, the bases, the working directory itself

What this cannot tell you: what a person copied somewhere else.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import molehunt
from molehunt.organisms.kept import UNDER_WAY

PLAN, TRIALS = "plan.json", "trials"
"""By these a search is known, of `worse` or of `difficulty`."""


def around_file(file: Path) -> Path:
    """The search that a file lies in, or the file."""
    there = file.expanduser().resolve()
    home = there.parent
    return home if (home / PLAN).is_file() and (home / TRIALS).is_dir() else there


def around_pair(home: Path) -> tuple[Path, ...]:
    """A pair's folder and every planted pair beside it: what they carry, what measuring them left."""
    beside = home.resolve().parent
    return (
        home,
        *sorted([*(p.parent for p in beside.glob("*/profile.json")), *beside.glob(f"{UNDER_WAY}*")]),
    )


def around_weights(folder: Path, opened: Sequence[Path] = ()) -> tuple[Path, ...]:
    """What lies around a version's weights, and the pairs beside them; never what is `opened`.

    Where something that a blind process needs lies in the same folder, its entries are closed one by one.
    """
    home, own = folder.expanduser().resolve(), (sys.prefix, sys.base_prefix, molehunt.__file__, Path.cwd())
    needed = [Path(p).resolve() for p in (*own, *opened)]

    def holds(place: Path) -> bool:
        return any(p.is_relative_to(place) for p in needed)

    inside = sorted(home.parent.iterdir()) if holds(home.parent) and home.parent.is_dir() else []
    places = (home, home.parent, *inside, *around_pair(home.parent))
    return tuple(dict.fromkeys(p for p in places if not holds(p)))
