"""Pairs planted two at a time, one thread each; each is kept as it comes."""

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import sweep
from molehunt.core.errors import MolehuntError
from molehunt.core.records import Quirk
from molehunt.game.side_by_side import planters
from molehunt.game.watch import Watch

WORKERS = 2


@dataclass(frozen=True)
class Wish:
    """One pair to be planted by `molehunt plant`'s function, and where it goes."""

    name: str
    quirk: Quirk
    folder: Path
    model: str
    seed: int
    tries: int
    steps: int
    mixed: int = 0
    harmless: str | None = None
    ask: bool = False
    """Whether both are asked about themselves."""


def plant_all(wishes: Sequence[Wish], watch: Watch) -> dict[str, str]:
    """Plant what isn't there yet; gives back what was raised, by name: those are tried again next time."""
    left, raised = [w for w in wishes if not (w.folder / "profile.json").exists()], dict[str, str]()
    if not left:
        return raised
    for parent in {w.folder.parent for w in left}:
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)  # what a kill left half-written
    with planters(WORKERS) as pool:
        futures = {pool.submit(_plant, w): w for w in left}
        watch.bar("planting", 0.0, f"0 of {len(left)} pairs")
        for done, future in enumerate(as_completed(futures), 1):
            wish, error = futures[future], future.result()
            if error:
                raised[wish.name] = error
                watch.say(f"{wish.name}: {error}")
            watch.bar("planting", done / len(left), f"{done} of {len(left)} pairs: {wish.quirk.label()}")
    return raised


def _plant(wish: Wish) -> str:
    from molehunt.game import library

    quirk = wish.quirk
    try:
        library.plant(
            quirk.behaviour,
            quirk.condition,
            wish.folder,
            model=wish.model,
            behaviour_options=quirk.behaviour_options,
            condition_options=quirk.condition_options,
            harmless=wish.harmless,
            tries=wish.tries,
            steps=wish.steps,
            mixed=wish.mixed,
            seed=wish.seed,
            ask=wish.ask,
        )
    except MolehuntError as error:
        return f"{type(error).__name__}: {error}"
    return ""
