"""Make the lineup that comes with the package: a dozen suspects on the default model, sealed.

    python studies/starter/run.py [--suspects 12] [--model default] [--work DIR] [--out DIR] [--dry-run]

One command, which resumes after a kill: the same command goes on with the place that it was at. It writes
`lineup.tar.xz`, `lineup.json` and `envelope.json` into `molehunt/starter`, and deletes the red team's folder,
seed included, when they stand. Leave `--red-seed` alone: the seed is drawn in secret, and nobody should
be able to make the lineup again.
"""

import dataclasses
import datetime
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes

from molehunt.core import interrupt
from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.game.play import versions
from molehunt.game.shipped import ARCHIVE, LIST, SHIPPED
from molehunt.game.spec import GameSpec
from molehunt.game.starter import Reckoned, make_starter, reckon
from molehunt.game.watch import watching

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Study:
    """What is made, and where."""

    game: OmitArgPrefixes[GameSpec] = field(default_factory=lambda: GameSpec(suspects=12))
    """The lineup, as `molehunt play` asks for one."""
    work: Path = Path("runs/studies/starter")
    """Run folder that it is made in."""
    out: Path = SHIPPED
    """Folder that gets the three files."""
    results: Path = HERE / "results.json"
    """File that says when, where and with what it was made; nothing in it tells of a suspect."""
    keep_red: bool = False
    """Keep the red team's folder, the key and the anchor, as a game does."""
    dry_run: bool = False
    """Say what it would cost, and do nothing."""


def main() -> int:
    """Make it, or say why not in one sentence."""
    import tyro

    study = tyro.cli(Study, description=__doc__, config=(FlagCreatePairsOff,))
    interrupt.listen()
    try:
        if study.dry_run:
            print(cost(study.game.checked(), reckon(study.game)))
            return 0
        with watching() as watch:
            archive = make_starter(study.work, study.out, study.game, watch, keep_red=study.keep_red)
    except MolehuntError as error:
        print(f"starter: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "starter: stopped; places that are whole are kept: run the same command again.", file=sys.stderr
        )
        return 130
    write_json(study.results, told(study))
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB. Look at it with molehunt audit starter.")
    return 0


def cost(spec: GameSpec, reckoned: Reckoned) -> str:
    """What it would take, in a few lines."""
    game, size = reckoned.game, reckoned.archive_bytes
    least, most = game.minutes, game.minutes_most
    time, large = "not known", "not known"
    if not isinstance(least, NotMeasured) and not isinstance(most, NotMeasured):
        time = f"about {least:.0f} to {most:.0f} minutes, a game's audit reckoned in"
    if not isinstance(size, NotMeasured):
        large = f"about {size / 1e6:.0f} MB of {reckoned.largest / 1e6:.0f}"
    return (
        f"{spec.suspects} pairs on {spec.model}: {game.trainings} trainings, {game.trainings_most} at most.\n"
        f"Time: {time} ({game.basis}).\nArchive: {large}.\nNothing was done."
    )


def told(study: Study) -> dict[str, Any]:
    """When, where and with what the lineup was made."""
    from molehunt.models.machine import this_machine

    here = this_machine()
    listed = read_json(study.out / LIST)
    size = (study.out / ARCHIVE).stat().st_size
    how = "lineup.tar.xz, with so many suspects"
    measures = {"archive_bytes": Measure(size, "bytes", listed["suspects"], how)}
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "seed": "62 random bits, kept beside the key" if study.keep_red else "62 random bits, deleted",
        "machine": {**dataclasses.asdict(here), "dtype": here.dtype, "versions": dict(versions())},
        "run_id": listed["run_id"],
        "suspects": listed["suspects"],
        "model": listed["model"],
        "measures": to_json(measures),
    }


if __name__ == "__main__":
    sys.exit(main())
