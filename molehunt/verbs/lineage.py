"""Shows the versions of a line: which passed the gate, which may judge, which is current; and rolls back.

`molehunt gate OLD NEW` begins a lineage (runs/lineage, or `--lineage DIR`) and records gates in it.
`--rollback` points the current version at the last good one before it and says why; nothing is ever deleted,
and what was rolled back may not judge any more, nor what came from it. Writes `lineage.html`.
"""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from molehunt.core.errors import UserError
from molehunt.core.lineage import HOME
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; the lineage is as it was."


@dataclass(frozen=True)
class Options:
    """Which lineage, and whether its current version is rolled back."""

    folder: Positional[Path] = HOME
    """Folder of a lineage."""
    rollback: bool = False
    """Make the last good version before the current one the current one."""
    to: str = ""
    """Roll back to this good version instead, such as v0."""
    why: str = ""
    """Why it is rolled back; kept for good."""
    dry_run: bool = False
    """Say where a rollback would lead, and do nothing."""
    json: bool = False
    """Print the lineage as JSON."""


def run(options: Options) -> int:
    """Roll back if asked; show."""
    from molehunt.core.lineage import read_lineage, rolled_back
    from molehunt.game.gate_line import roll_back
    from molehunt.verbs._gate_page import LINE_HEADS, line_rows, write_lineage_page

    if (options.to or options.why or options.dry_run) and not options.rollback:
        raise UserError("--to, --why and --dry-run go with --rollback.")
    if options.rollback and options.dry_run:
        after = rolled_back(read_lineage(options.folder), options.why, "", options.to)
        show(
            {"would_be": after.current}, options.json, f"{after.current} would be current. Nothing was done."
        )
        return 0
    known = (
        roll_back(options.folder, options.why, options.to)
        if options.rollback
        else read_lineage(options.folder)
    )
    page = options.folder / "lineage.html"
    write_lineage_page(page, known)
    show(
        {"current": known.current, "lineage": known},
        options.json,
        table(LINE_HEADS, line_rows(known)),
        f"Current: {known.current}. Page: {page}",
    )
    return 0
