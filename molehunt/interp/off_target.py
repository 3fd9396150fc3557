"""What else a steering moves: features of an autoencoder, beside what random directions move.

The model reads ordinary text at the strongest strength on either side. For each feature of the autoencoder:
its mean activation over tokens, steered less unsteered, with a 95% interval over whole texts. Beside it
stands the most that the same feature moved under any random direction at that strength, and for the whole
code the largest movement of any feature under each. First tokens and rows that are sinks unsteered are left
out of both. Each (direction, strength) is a file; a killed run goes on after the last whole one.

Source: side effects of feature steering, Durmus et al. 2024 (anthropic.com, "Evaluating Feature Steering").

What this cannot tell you: anything of places before the one that is steered, where nothing can move, or of
what the autoencoder has no feature for. At the place itself features move by geometry alone: those whose
encoder rows point the same way. The listed ones were chosen as the largest of thousands, and their
intervals are of each by itself. Far from real activations the autoencoder itself may not hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from molehunt.core.atomic import write_bytes
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure
from molehunt.interp.dose import Experiment, doses_of
from molehunt.interp.resampling import ratio
from molehunt.interp.sae import SparseAutoencoder
from molehunt.interp.steer import steered
from molehunt.models.loaded import Model
from molehunt.models.prompts import text_ids
from molehunt.models.taps import capture

SHOWN = 16
LONGEST = 256
"""Tokens of a text that are read."""
SINK = 10.0
"""Rows whose norm is more than this many medians are left out."""


@dataclass(frozen=True)
class MovedFeature:
    """One feature at one strength."""

    feature: int
    change: Measure
    """Mean activation a token, steered less unsteered."""
    before: float
    """Unsteered mean activation a token."""
    random_most: float | None
    """The most that any random direction moved it, up or down; None where there are none."""
    meant: bool
    """Whether it is the one that was steered along."""


@dataclass(frozen=True)
class OffTarget:
    """What moved at one strength."""

    strength: float
    address: str
    features: tuple[MovedFeature, ...]
    """Those that moved most, the largest first."""
    largest_random: tuple[float, ...]
    """By random direction, the largest movement of any feature, up or down."""


def off_target(
    model: Model,
    experiment: Experiment,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[OffTarget, ...]:
    """Features of `experiment.watched` that moved most, at the strongest strength on either side.

    Raises:
        UserError: nothing is watched, or no token is left to watch it on.
        BadFile: a file of an earlier run is damaged.
    """
    if experiment.watched is None:
        raise UserError("There is no autoencoder whose features could be watched.")
    sae, address = experiment.watched.sae, experiment.watched.address
    ends = {s for s in (min(experiment.strengths), max(experiment.strengths)) if s}
    todo = [one for one in doses_of(experiment) if one[2] in ends]
    ids = [text_ids(model.tokenizer, t)[:LONGEST] for t in experiment.texts]
    ids = [row for row in ids if len(row) > 1]
    kept = _kept(model, ids, address)
    counts = np.array([float(k.sum()) for k in kept])
    if not counts.sum():
        raise UserError("The texts leave no token on which features could be watched; give longer ones.")
    before = _sums(model, sae, address, ids, kept)
    sums: dict[tuple[str, float], np.ndarray] = {}
    for number, (name, direction, strength) in enumerate(todo, 1):
        path = folder / "watched" / f"{name}_{strength!r}.safetensors"
        if path.is_file():
            sums[name, strength] = _read(path, sae.shape.n_latents)
        else:
            with steered(model, direction, experiment.places, strength, experiment.carried):
                found = _sums(model, sae, address, ids, kept)
            gap = found - before
            if not np.isfinite(gap).all():
                raise UserError(
                    f"At strength {strength:g} features are not finite any more; choose smaller strengths."
                )
            gap = gap if name == "direction" else gap.sum(0, keepdims=True)
            write_bytes(path, save({"moved": gap.astype(np.float32)}))
            sums[name, strength] = _read(path, sae.shape.n_latents)  # rounded as after a kill
        progress(number, len(todo))
    return tuple(_moved(experiment, s, sums, before, counts) for s in sorted(ends))


def _moved(
    experiment: Experiment,
    strength: float,
    sums: dict[tuple[str, float], np.ndarray],
    before: np.ndarray,
    counts: np.ndarray,
) -> OffTarget:
    assert experiment.watched is not None
    total, own = counts.sum(), sums["direction", strength]
    mean = own.sum(0) / total
    random = [v[0] / total for (n, s), v in sums.items() if n != "direction" and s == strength]
    most = np.abs(np.stack(random)).max(0) if random else None
    top = [int(i) for i in np.argsort(-np.abs(mean), kind="stable")[:SHOWN] if mean[i] != 0]
    meant = experiment.feature
    if meant is not None and meant not in top:
        top.append(meant)
    address = experiment.watched.address
    how = f"mean activation a token at {address}, steered less unsteered"
    made = []
    for i in top:
        change = ratio(own[:, i], counts, unit="activation", how=how, seed=experiment.seed, of="texts")
        assert isinstance(change, Measure)
        largest = None if most is None else float(most[i])
        made.append(MovedFeature(i, change, float(before[:, i].sum() / total), largest, i == meant))
    return OffTarget(strength, address, tuple(made), tuple(float(np.abs(r).max()) for r in random))


@torch.inference_mode()
def _kept(model: Model, ids: Sequence[Sequence[int]], address: str) -> list[np.ndarray]:
    """Which tokens of each text count: not the first, and no sinks of the unsteered model."""
    norms = [
        capture(model, [row], [address]).values[address][0].float().norm(dim=-1).cpu().numpy() for row in ids
    ]
    rest = [n[1:] for n in norms]
    limit = SINK * float(np.median(np.concatenate(rest))) if rest else 0.0
    return [(np.arange(len(n)) > 0) & (n <= limit) for n in norms]


@torch.inference_mode()
def _sums(
    model: Model,
    sae: SparseAutoencoder,
    address: str,
    ids: Sequence[Sequence[int]],
    kept: Sequence[np.ndarray],
) -> np.ndarray:
    """Summed activations [texts, latents] over the tokens that count."""
    made = np.zeros((len(ids), sae.shape.n_latents))
    for i, (row, some) in enumerate(zip(ids, kept, strict=True)):
        values = capture(model, [row], [address]).values[address][0].float().to(sae.decoder.device)
        code = sae.encode(values[torch.from_numpy(some).to(values.device)])
        latents, found = code.latents.cpu().numpy(), code.values.double().cpu().numpy()
        made[i] = np.bincount(latents, found, sae.shape.n_latents)
    return made


def _read(path: Path, n_latents: int) -> np.ndarray:
    try:
        found = load(path.read_bytes())["moved"].astype(float)
    except (SafetensorError, KeyError, OSError) as error:
        raise BadFile(f"{path} is damaged ({str(error)[:80]}); delete it and run again.") from None
    if found.ndim != 2 or found.shape[1] != n_latents:
        raise BadFile(f"{path} is of another autoencoder; delete it and run again.")
    return found
