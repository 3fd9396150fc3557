"""What a command was asked, kept where it works, so that its folder alone is enough to go on.

Whoever begins or goes on with a folder writes the note; the command line reads it. Of a game, a practice
and a match it lies in the red team's folder, beside the keys, where no auditor, remedy or policy may read.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_bytes
from molehunt.core.errors import BadFile, MolehuntError

FILE = "options.json"


@dataclass(frozen=True)
class Asked:
    """Options by name, as plain JSON values, and whether all that they asked for is done."""

    options: Mapping[str, Any]
    done: bool = False


def keep(folder: Path, options: Mapping[str, Any] | None, *, done: bool = False) -> None:
    """Write the note into the folder, readable by its owner alone; None writes none.

    Errors as `atomic.write_bytes`.
    """
    if options is not None:
        body = {"options": dict(options), "done": done}
        write_bytes(folder / FILE, (json.dumps(body, indent=1) + "\n").encode(), mode=0o600)


@contextlib.contextmanager
def under_way(folder: Path, options: Mapping[str, Any] | None) -> Iterator[None]:
    """Keep the note as not done while the block runs, and as done where it ends or is refused."""
    keep(folder, options)
    try:
        yield
    except MolehuntError:
        keep(folder, options, done=True)
        raise
    keep(folder, options, done=True)


def kept(folder: Path) -> Asked | None:
    """The note of a folder; None where it has none.

    Raises:
        BadFile: it cannot be read as one.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    body = read_json(path)
    if not isinstance(body, dict) or not isinstance(body.get("options"), dict):
        raise BadFile(f"{path} does not hold the options that a command was given; delete it.")
    return Asked(body["options"], body.get("done") is True)
