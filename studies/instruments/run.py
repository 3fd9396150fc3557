"""What the instruments find on planted models: autoencoders, probes of liars, steering, differences.

    python studies/instruments/run.py [--runs runs/practice ...] [--peers PYTHON] [--parts liars apart ...]

Organisms and decoys are those of practices and opened games on this machine (`studies/practice/run.py` makes
some), because only their keys open them. `PYTHON` is an interpreter in an environment of its own with
sae-lens. Stop it whenever you like: what is whole is kept under `--work`, and the same command goes on.
Writes `results.json` and `README.md` beside this file.
"""

import datetime
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apart import apart
from autoencoder import autoencoder
from liars import liars
from mixed import mixed
from page import page, parts_of, results_of
from pairs import pairs_of
from pushing import pushing

from molehunt.core.atomic import read_json, write_bytes, write_json
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.machine import this_machine

HERE = Path(__file__).parent
Part = Literal["autoencoder", "liars", "pushing", "apart", "mixed"]


@dataclass(frozen=True)
class Study:
    """What is done, on which organisms."""

    runs: tuple[Path, ...] = (Path("runs/practice"),)
    """Folders of practices and opened games whose pairs are used."""
    peers: Path | None = None
    """Python of an environment with sae-lens; without it SAELens' side is not measured."""
    parts: tuple[Part, ...] = ("autoencoder", "liars", "pushing", "apart", "mixed")
    ship: bool = False
    """Put the autoencoder of this run into the package, as the one that ships."""
    work: Path = Path("runs/studies/instruments")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    seed: int = 0


def main() -> None:
    """Every part that was asked for; the tables are made anew after each."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    model = open_model(ModelSpec(study.model))
    path = study.out / "results.json"
    kept: dict[str, Any] = parts_of(read_json(path)) if path.is_file() else {}
    for part in study.parts:
        work = study.work / part
        if part == "autoencoder":
            found = autoencoder(model, work, study.seed, study.peers, study.ship, print)
        else:
            does = {"liars": liars, "pushing": pushing, "apart": apart, "mixed": mixed}[part]
            found = does(model, pairs_of(study.runs), work, study.seed, print)
        kept[part] = {**_stamp(study), "measures": found}
        study.out.mkdir(parents=True, exist_ok=True)
        write_json(path, results_of(kept))
        write_bytes(study.out / "README.md", page(kept).encode())
    print(page(kept))


def _stamp(study: Study) -> Mapping[str, Any]:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.date.today().isoformat(),
        "seed": study.seed,
        "commit": done.stdout.strip(),
        "machine": this_machine().processor,
        "model": study.model,
    }


if __name__ == "__main__":
    main()
