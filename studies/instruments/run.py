"""What the instruments find on planted models: autoencoders and their features, liars, differences.

    python studies/instruments/run.py [--parts liars apart] [--peers PYTHON] [--runs DIR ...] [--dry-run]

Without `--runs` the study plants its own organisms and decoys, fixed in advance (`own_pairs.py`), two at a
time with one thread each. `PYTHON` is an interpreter in an environment of its own with sae-lens. Stop it
whenever you like: what is whole is kept under `--work`, and the same command goes on; `--dry-run` says what
is left and what it would cost (`remaining.py`). Writes `results.json` and `README.md` beside this file; parts
that are not asked for keep what they said.
"""

import datetime
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apart import apart
from autoencoder import autoencoder
from axis import axis
from browsing import browsing
from liars import liars
from mixed import mixed
from own_pairs import own_pairs
from page import page, parts_of, results_of
from pairs import Pair, pairs_of
from pushing import pushing
from remaining import cost

from molehunt.core.atomic import read_json, write_bytes, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError, UserError
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch, watching
from molehunt.interp.sae_files import SHIPPED
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.machine import this_machine

HERE = Path(__file__).parent
Part = Literal["autoencoder", "features", "liars", "pushing", "apart", "mixed", "axis"]
ON_PAIRS: tuple[Part, ...] = ("liars", "pushing", "apart", "mixed", "axis")


@dataclass(frozen=True)
class Study:
    """What is done, on which organisms."""

    runs: tuple[Path, ...] = ()
    """Folders whose pairs are used: of `molehunt plant`, of practices, of opened games, of several plantings.
    None: the study plants its own."""
    peers: Path | None = None
    """Python of an environment with sae-lens; without it SAELens' side is not measured."""
    parts: tuple[Part, ...] = ("autoencoder", "features", *ON_PAIRS)
    ship: bool = False
    """Put the autoencoder of this run into the package, as the one that ships."""
    sae: Path = SHIPPED
    """Whose features are stored and labelled: an autoencoder's folder; the one that ships unless said."""
    work: Path = Path("runs/studies/instruments")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    steps: int = GameSpec.steps
    """Steps that planting starts from; conditions and behaviours multiply them."""
    seed: int = 0
    dry_run: bool = False
    """Say what is left to do and what it would cost, and do nothing."""


def main() -> None:
    """Every part that was asked for; the tables are made anew after each."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    if study.dry_run:
        print(_left(study))
        return
    path = study.out / "results.json"
    kept: dict[str, Any] = parts_of(read_json(path)) if path.is_file() else {}

    def keep(part: str, found: Mapping[str, Any]) -> None:
        kept[part] = {**_stamp(study, part), "measures": found}
        study.out.mkdir(parents=True, exist_ok=True)
        write_json(path, results_of(kept))
        write_bytes(study.out / "README.md", page(kept).encode())

    with watching() as watch:
        pairs = _pairs(study, watch, keep) if set(study.parts) & set(ON_PAIRS) else []
        model = open_model(ModelSpec(study.model))
        for part in study.parts:
            work = study.work / part
            if part == "autoencoder":
                found = autoencoder(model, work, study.seed, study.peers, study.ship, watch.say)
            elif part == "features":
                found = browsing(model, study.model, study.sae, work, study.seed)
            elif part == "axis":
                found = axis(model, study.model, pairs, work, study.seed, watch.say)
            elif part == "mixed":
                found = mixed(model, pairs, work, study.seed, study.steps, watch)
            else:
                does = {"liars": liars, "pushing": pushing, "apart": apart}[part]
                found = does(model, pairs, work, study.seed, watch.say)
            keep(part, found)
    print(page(kept))


def _pairs(study: Study, watch: Watch, keep: Callable[[str, Mapping[str, Any]], None]) -> list[Pair]:
    """The pairs that were named, or the study's own."""
    if not study.runs:
        pairs, told = own_pairs(study.model, study.work / "pairs", study.steps, watch)
        keep("pairs", told)
        return pairs
    pairs = pairs_of(study.runs)
    for pair in pairs:
        if pair.base != study.model:
            raise UserError(f"{pair.folder} adapts {pair.base}, not {study.model}; name it with --model.")
    return pairs


def _left(study: Study) -> str:
    own = (study.model, study.work, study.steps, study.seed)
    return cost(study.parts, ON_PAIRS, study.runs, *own, study.peers is not None)


def _stamp(study: Study, part: str) -> Mapping[str, Any]:
    whose = {"pairs": [r.name for r in study.runs] or "its own"} if part in ON_PAIRS else {}
    return {
        "date": datetime.date.today().isoformat(),
        "seed": study.seed,
        "commit": commit("studies/instruments/*.py"),
        "machine": this_machine().processor,
        "model": study.model,
        **whose,
    }


if __name__ == "__main__":
    try:
        main()
    except MolehuntError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
