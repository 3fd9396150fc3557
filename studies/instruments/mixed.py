"""The same quirks planted once more with unrelated rows in every batch: do the traces fade?

The first `PAIRS` pairs with a quirk of the catalogue are planted anew, both of each, by the recipe of
`molehunt plant` with `--mixed 4`, and held beside the base as in `apart`. Both columns are of the same
quirks; what mixing cost is told by how many are still valid.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apart import apart
from pairs import Pair, planted_pair
from sowing import Wish, plant_all

from molehunt.core import stats
from molehunt.core.atomic import canonical
from molehunt.core.record_json import to_json
from molehunt.core.splits import seed_of
from molehunt.game.watch import Watch
from molehunt.models.loaded import Model

PAIRS, ROWS, TRIES = 8, 4, 2
"""How many pairs, unrelated rows a batch (of eight that teach), and tries a pair."""


def mixed(
    model: Model, pairs: Sequence[Pair], work: Path, seed: int, steps: int, watch: Watch
) -> dict[str, Any]:
    """What the differences read as with and without unrelated rows, and how many of the quirks still took."""
    plain = _first(pairs)
    wishes = wishes_of(pairs, work, seed, steps)
    raised = plant_all(wishes, watch)
    again = [None if w.name in raised else _valid(p, w) for p, w in zip(plain, wishes, strict=True)]
    kept = [(p, a) for p, a in zip(plain, again, strict=True) if a is not None]
    how = f"valid within {TRIES} tries with {ROWS} unrelated rows a batch"
    valid = stats.proportion([a is not None for a in again], [p.name for p in plain], how=how)
    found: dict[str, Any] = {"mixed_valid": to_json(valid), "rows": ROWS}
    sides = {
        "plain": ([p for p, _ in kept], work.parent / "apart"),  # what that part has seen is not seen again
        "mixed": ([a for _, a in kept if a is not None], work / "apart"),
    }
    for word, (some, seen) in sides.items():
        told = apart(model, some, seen, seed, watch.say)
        shares = [pair["organism"]["share"] for pair in told["pairs"]]
        names = [p.name for p in some]
        found |= {f"{name}_{word}": value for name, value in told.items()}
        how = "last layer's mean difference on unrelated text, over the base's mean norm, organisms"
        found[f"diff_norm_{word}"] = to_json(stats.mean(shares, names, unit="share", how=how, seed=seed))
    return found


def wishes_of(pairs: Sequence[Pair], work: Path, seed: int, steps: int) -> list[Wish]:
    """What is planted anew of these pairs, planted or not; arguments as `mixed`."""
    return [_wish(p, work, seed, steps) for p in _first(pairs)]


def _first(pairs: Sequence[Pair]) -> list[Pair]:
    return [p for p in sorted(pairs, key=lambda p: p.name) if p.quirk.listed][:PAIRS]


def _wish(pair: Pair, work: Path, seed: int, steps: int) -> Wish:
    harmless = pair.planted.harmless.behaviour if pair.planted.harmless else None
    own = seed_of("mixed", seed, pair.name) % 2**31
    key = hashlib.sha256(canonical([own, TRIES, steps, ROWS])).hexdigest()[:8]
    folder = work / "planted" / f"{pair.name}-{key}"
    return Wish(pair.name, pair.quirk, folder, pair.base, own, TRIES, steps, ROWS, harmless)


def _valid(pair: Pair, wish: Wish) -> Pair | None:
    again = planted_pair(int(pair.name[:2]), wish.folder)
    return again if again.planted.profile.valid else None
