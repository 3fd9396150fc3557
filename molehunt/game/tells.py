"""What lies about and tells the truth of somebody: whoever works blind may not read it.

    a file of red's      the search that it lies in, with its trials, or else the file
    a planted pair       its folder (profile, spec), and the pairs beside it, whole or under way
    a version's weights  all that lies beside them (rows, notes of how they were made), unless what a blind
                         process needs lies there as well: the package, its interpreter, the working directory

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
    """What lies around a version's weights; the weights alone where what is `opened` lies there too."""
    home, own = folder.expanduser().resolve(), (sys.prefix, sys.base_prefix, molehunt.__file__, Path.cwd())
    needed = [Path(p).resolve() for p in (*own, *opened)]
    if any(p.is_relative_to(home.parent) for p in needed):
        return (home,)
    return tuple(dict.fromkeys((home.parent, *around_pair(home.parent))))
