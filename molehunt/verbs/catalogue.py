"""Lists the behaviours, conditions and auditing methods that everybody knows, a line each.

What is planted in a game may also come from outside this list.
"""

from dataclasses import dataclass

from molehunt.verbs._screen import show, table


@dataclass(frozen=True)
class Options:
    """Lists the behaviours, conditions and auditing methods that everybody knows, a line each."""

    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Show the catalogue."""
    from molehunt.game import library

    known = library.catalogue()
    tables = [table([kind, "what it is"], sorted(lines.items())) for kind, lines in known.items()]
    show(known, options.json, *tables)
    return 0
