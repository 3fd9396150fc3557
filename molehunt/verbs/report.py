"""Writes the page of a run folder (report.html) from whatever it holds so far.

Nothing is drawn, so there is no seed: the same folder gives the same page.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from molehunt.verbs._screen import show


@dataclass(frozen=True)
class Options:
    """Writes the page of a run folder (report.html) from whatever it holds so far."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Write the page and say where it is."""
    from molehunt.game import library

    page = library.report(options.folder)
    show({"folder": str(options.folder), "page": str(page)}, options.json, f"Page: {page}")
    return 0
