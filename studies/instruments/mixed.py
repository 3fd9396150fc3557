"""The same quirks planted once more with unrelated rows in every batch: do the traces fade?

The first `PAIRS` pairs with a quirk of the catalogue are planted anew, both of each, by the recipe of
`molehunt plant` with `--mixed 4`, and held beside the base as in `apart`. Both columns are of the same
quirks; what mixing cost is told by how many are still valid.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from apart import apart
from pairs import Pair

from molehunt.core import stats
from molehunt.core.atomic import read_json
from molehunt.core.record_json import from_json, to_json
from molehunt.core.splits import seed_of
from molehunt.models.adapters import adapter_hash
from molehunt.models.loaded import Model
from molehunt.organisms import plant

PAIRS, ROWS, TRIES = 8, 4, 2
"""How many pairs, unrelated rows a batch (of eight that teach), and tries a pair."""


def mixed(
    model: Model, pairs: Sequence[Pair], work: Path, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """What the differences read as with and without unrelated rows, and how many of the quirks still took."""
    plain = [p for p in sorted(pairs, key=lambda p: p.name) if p.quirk.listed][:PAIRS]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        done = pool.map(_plant, plain, [work] * len(plain), [seed] * len(plain))
        for pair, _ in zip(plain, done, strict=True):
            say(f"planted with unrelated rows: {pair.quirk.label()}")
    again = [_read(p, work) for p in plain]
    kept = [(p, a) for p, a in zip(plain, again, strict=True) if a is not None]
    how = f"valid within {TRIES} tries with {ROWS} unrelated rows a batch"
    valid = stats.proportion([a is not None for a in again], [p.name for p in plain], how=how)
    found: dict[str, Any] = {"mixed_valid": to_json(valid), "rows": ROWS}
    sides = {
        "plain": ([p for p, _ in kept], work.parent / "apart"),  # what that part has seen is not seen again
        "mixed": ([a for _, a in kept if a is not None], work / "apart"),
    }
    for word, (some, seen) in sides.items():
        told = apart(model, some, seen, seed, say)
        shares = [pair["organism"]["share"] for pair in told["pairs"]]
        names = [p.name for p in some]
        found |= {f"{name}_{word}": value for name, value in told.items()}
        how = "last layer's mean difference on unrelated text, over the base's mean norm, organisms"
        found[f"diff_norm_{word}"] = to_json(stats.mean(shares, names, unit="share", how=how, seed=seed))
    return found


def _plant(pair: Pair, work: Path, seed: int) -> None:
    """Plant one of them anew, unless it lies there."""
    import torch

    from molehunt.game import library

    torch.set_num_threads(1)
    folder, quirk = work / "planted" / pair.name, pair.quirk
    if folder.exists():
        return
    library.plant(
        quirk.behaviour,
        quirk.condition,
        folder,
        model=pair.base,
        behaviour_options=quirk.behaviour_options,
        condition_options=quirk.condition_options,
        harmless=pair.planted.harmless.behaviour if pair.planted.harmless else None,
        tries=TRIES,
        mixed=ROWS,
        seed=seed_of("mixed", seed, pair.name) % 2**31,
    )


def _read(pair: Pair, work: Path) -> Pair | None:
    folder = work / "planted" / pair.name
    planted = from_json(plant.Pair, read_json(folder / "profile.json"))
    if not planted.profile.valid:
        return None
    return Pair(f"{pair.name[:3]}{adapter_hash(folder / 'organism')[:8]}", planted, folder, pair.base)
