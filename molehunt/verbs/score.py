"""Opens the envelope and scores every auditor's verdicts, another team's included.

`--verdicts FILE --team NAME` first puts the verdicts of a packed lineup on record, each of its auditors
as NAME.AUDITOR; that is refused once the envelope is open. Resampling goes by the run's
own seed (`molehunt play --seed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from molehunt.core.errors import UserError
from molehunt.core.records import Measure
from molehunt.game.watch import watching
from molehunt.verbs._screen import measured, show, tables

STOPPED = "Stopped; verdicts on record stay so: run the same command again to go on."
SHOWN = (
    "who_auroc", "brier", "log_score", "log_score_gain",
    "false_accusations", "behaviour_top1", "condition_top1",
)  # fmt: skip
"""Measures in the table; all of them stand on the page and in the JSON."""


@dataclass(frozen=True)
class Options:
    """Which game is scored, and whose verdicts come from elsewhere."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder."""
    verdicts: Path | None = None
    """A `verdicts.json` that another team made on the packed lineup."""
    team: str = "team"
    """What the other team is called."""
    json: bool = False
    """Print the scores as JSON."""


def run(options: Options) -> int:
    """Take in verdicts from elsewhere, open, score."""
    from molehunt.game import library
    from molehunt.game.handing_in import bring_back

    taken: tuple[str, ...] = ()
    if options.team != Options.team and options.verdicts is None:
        raise UserError("--team names whose verdicts --verdicts brings; give both.")
    if options.verdicts is not None:
        with library.existing(options.folder).held() as held:
            taken = bring_back(held, options.verdicts, options.team)
    with watching() as watch:
        scores = library.score(options.folder, watch)
    rows = [
        [m, *(_cell(s.measures, m, whole=i == 0) for i, s in enumerate(scores))]
        for m in SHOWN
        if any(m in s.measures for s in scores)
    ]
    value = {"folder": str(options.folder), "taken": list(taken), "scores": list(scores)}
    more = f"Intervals of the others, hits and costs: {options.folder / 'report.html'}, or --json."
    show(value, options.json, *tables(["measure", *(s.auditor for s in scores)], rows), more)
    return 0


def _cell(measures: Mapping[str, Any], name: str, whole: bool) -> str:
    """A measure in a cell: with its interval for the first auditor, the value alone for the others."""
    value = measures.get(name)
    if isinstance(value, Measure):
        return measured(value) if whole else f"{value.value:.2f}"
    return "not measured" if whole else "—"
