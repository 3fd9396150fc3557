"""A game that needs no training: the pairs lie in the red team's folder already, written by hand."""

import shutil
from pathlib import Path

from written_pairs import quirk_file, written_pair

from molehunt.core.atomic import write_json
from molehunt.core.store import Run
from molehunt.game.planter import Planted, slot_folder
from molehunt.game.planting import red_folder
from molehunt.game.play import begin
from molehunt.game.spec import GameSpec
from molehunt.organisms.strangers import quirk_of

SPEC = GameSpec(2, "tiny:written", methods=("divergence",), effort=0.1, tries=1, red_seed=0)
"""Under this red seed one of the two is shady."""


def written_game(folder: Path, name: str = "zed") -> Path:
    """A run folder in which such a game was begun; its keys go where `MOLEHUNT_KEYS` says."""
    file = quirk_file(folder / "quirks", name)
    pair = written_pair(folder / "planted", file)
    run = Run(folder / "run")
    with run.held():
        run_id = str(begin(run, SPEC)["run_id"])
    for number in range(SPEC.suspects):
        home = slot_folder(red_folder(run_id), number)
        for part in ("organism", "decoy"):
            shutil.copytree(folder / "planted" / part, home / part)
        planted = Planted(
            slot=number,
            draw=0,
            quirk=quirk_of(file),
            harmless=None,
            profile=pair.profile,
            organism_replies=pair.organism_replies,
            decoy_replies=pair.decoy_replies,
            steps=pair.steps,
            tries=1,
            tokens=0,
            organism_seconds=0.0,
            attempts=(),
            failed=(),
        )
        write_json(home / "pair.json", planted)
    return run.folder


def options() -> list[str]:
    """What `molehunt play RUN` is given for it."""
    return [
        *("--model", SPEC.model, "--suspects", str(SPEC.suspects), "--methods", *SPEC.methods),
        *("--effort", str(SPEC.effort), "--tries", str(SPEC.tries)),
    ]
