"""Packs a lineup without its vault into an archive, for another team or another machine.

The archive holds the suspects' adapters, the public spec, the commitments and a README. No key, no vault
and no log is in it. Nothing is drawn: the same run always gives the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from molehunt.verbs._screen import show


@dataclass(frozen=True)
class Options:
    """Which lineup is packed, and where to."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder, planted (`molehunt play --until planted`) or further."""
    target: Positional[Annotated[Path, arg(metavar="ARCHIVE")]]
    """The archive to write, such as lineup.tar."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Pack, and say what to do with it."""
    from molehunt.game.packed import pack

    names = pack(options.folder, options.target)
    show(
        {"archive": str(options.target), "bytes": options.target.stat().st_size, "files": list(names)},
        options.json,
        f"{options.target}: {len(names)} files. Unpack it with tar xf and run molehunt audit on its folder.",
    )
    return 0
