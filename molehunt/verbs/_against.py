"""Directions that a red team hides from, read from what the instruments wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.errors import BadFile

if TYPE_CHECKING:
    from molehunt.organisms.plan import Direction


def directions(files: tuple[Path, ...]) -> "tuple[Direction, ...]":
    """A probe's direction, or the chosen one of a file of directions, each as a value.

    Raises:
        BadFile: no such file, or neither a probe nor directions in it.
    """
    if not files:
        return ()
    from molehunt.interp.direction_file import FORMAT as DIRECTIONS
    from molehunt.interp.direction_file import load_directions
    from molehunt.interp.probe_file import FORMAT as PROBE
    from molehunt.interp.probe_file import load_probe
    from molehunt.interp.told_tensors import form_of
    from molehunt.organisms.plan import Direction

    found = []
    for file in files:
        form = form_of(file)
        if form == PROBE:
            kept = load_probe(file)
            vector = tuple(float(v) for v in kept.probe.direction)
            found.append(Direction(kept.made.address, vector, (kept.made.fingerprint,), kept.made.pool))
        elif form == DIRECTIONS:
            read = load_directions(file)
            vector = tuple(float(v) for v in read.at()[0])
            pool = "mean" if read.made.kind == "difference" else "reply"  # what the instruments read
            found.append(Direction(read.made.chosen, vector, read.made.fingerprints, pool))
        else:
            raise BadFile(
                f"{file} holds no direction; give a file that `molehunt probe`, `persona` or `diff` made."
            )
    return tuple(found)
