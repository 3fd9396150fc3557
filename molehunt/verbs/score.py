"""Opens the envelope and scores every auditor's verdicts, another team's included.

`--verdicts FILE --team NAME` first puts the verdicts of a packed lineup on record, each of its auditors
as NAME.AUDITOR; that is refused once the envelope is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from molehunt.core.records import Measure, NotMeasured
from molehunt.game.watch import watching
from molehunt.verbs._screen import measured, show, table

STOPPED = "Stopped; verdicts on record stay so: run the same command again to go on."
SHOWN = ("who_auroc", "brier", "log_score", "false_accusations", "behaviour_top1", "condition_top1")


@dataclass(frozen=True)
class Options:
    """Which game is scored, and whose verdicts come from elsewhere."""

    folder: Positional[Path]
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
    if options.verdicts is not None:
        with library.existing(options.folder).held() as held:
            taken = bring_back(held, options.verdicts, options.team)
    with watching() as watch:
        scores = library.score(options.folder, watch)
    names = sorted({m for s in scores for m in s.measures}, key=lambda m: (m not in SHOWN, m))
    rows = [[m, *(_cell(s.measures, m) for s in scores)] for m in names]
    value = {"folder": str(options.folder), "taken": list(taken), "scores": list(scores)}
    show(value, options.json, table(["measure", *(s.auditor for s in scores)], rows))
    return 0


def _cell(measures: Mapping[str, Any], name: str) -> str:
    value = measures.get(name)
    if isinstance(value, Measure):
        return measured(value)
    return "not measured" if value is None or isinstance(value, NotMeasured) else str(value)
