"""A direction in activation space, from a probe, a persona, a feature, two sets of texts, or a file.

Always of length 1, so that strengths compare.

The difference of means of two sets of texts is the baseline of steering (Turner 2023, 2308.10248;
Rimsky 2024, 2312.06681). Random directions are drawn from a normal distribution, so that none is
preferred; they are the null of everything that a direction is said to do.

What this cannot tell you: that a random direction is a fair rival in every respect. Activations fill
few dimensions, and a random one lies mostly outside them; a direction between two unrelated sets of
texts is a harder null, and one that you can give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from molehunt.core.errors import BadFile, UserError
from molehunt.core.splits import seed_of
from molehunt.interp.direction_file import FORMAT as DIRECTIONS
from molehunt.interp.direction_file import load_directions
from molehunt.interp.labelled import Example
from molehunt.interp.pooled import pooled
from molehunt.interp.probe_file import FORMAT, load_probe
from molehunt.interp.sae_files import SavedSae
from molehunt.interp.taking import check_feature
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.taps import parse


@dataclass(frozen=True, eq=False)
class Direction:
    """Where to push, and where it comes from."""

    vector: np.ndarray
    """[d_model] float32 of length 1."""
    address: str
    source: str


def direction(vector: np.ndarray, address: str, source: str) -> Direction:
    """A vector brought to length 1.

    Raises:
        UserError: it has no length, or is not finite.
    """
    wide = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(wide)) if wide.ndim == 1 and np.isfinite(wide).all() else 0.0
    if not length > 0:
        raise UserError(f"The direction from {source} is no finite vector with a length.")
    return Direction((wide / length).astype(np.float32), address, source)


def from_texts(
    model: Model, toward: Sequence[str], away: Sequence[str], address: str, pool: str = "mean"
) -> Direction:
    """Mean activation of the first texts minus that of the second.

    Raises:
        UserError: a set is empty, or there is no such address.
    """
    if not toward or not away:
        raise UserError("A difference of means needs texts on both sides.")
    examples = [Example(t, (), i < len(toward), "", "") for i, t in enumerate([*toward, *away])]
    rows = pooled(model, examples, [address], pool)[0].astype(np.float64)
    gap = rows[: len(toward)].mean(0) - rows[len(toward) :].mean(0)
    return direction(gap, address, f"difference of means, {len(toward)} texts against {len(away)}")


def from_file(path: Path, model: Model, address: str | None = None) -> Direction:
    """A direction from a file: a probe's, a persona's or a difference's, or a bare vector at `address`.

    A file of directions (`interp.direction_file`) has one for each of its places; others know one.

    Raises:
        BadFile: no such file, a probe or directions of another model, no vector, or one of another width.
        UserError: a bare vector without an address, or a place at which the file has no direction.
    """
    if not path.is_file():
        raise BadFile(f"There is no file {path}; give a probe or a safetensors file with one vector.")
    try:
        with safe_open(path, "numpy") as file:
            form = (file.metadata() or {}).get("format")
            names = list(file.keys()) if form not in (FORMAT, DIRECTIONS) else []
            held = {n: file.get_tensor(n) for n in names}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadFile(f"{path} is no whole safetensors file of numbers ({str(error)[:80]}).") from None
    if form == DIRECTIONS:
        found = load_directions(path, model)
        place = address or found.made.chosen
        return direction(found.at(place)[0], place, f"{found.made.kind} {found.made.name}")
    if form == FORMAT:
        kept = load_probe(path, model)
        return direction(kept.probe.direction, address or kept.made.address, f"{kept.made.kind} probe")
    vectors = {n: t.reshape(-1) for n, t in held.items() if t.size == max(t.shape, default=0)}
    chosen = vectors.get("direction") if "direction" in vectors else None
    if chosen is None and len(vectors) == 1:
        chosen = next(iter(vectors.values()))
    if chosen is None:
        raise BadFile(f"{path} should hold one vector, or one that is called 'direction'.")
    width = anatomy(model.module).head.weight.shape[-1]
    if len(chosen) != width:
        raise BadFile(f"{path} holds a vector of {len(chosen)} numbers; this model's residual has {width}.")
    if address is None:
        raise UserError(f"{path} does not say where its vector belongs; name an address with --address.")
    return direction(chosen, address, f"vector of {path.name}")


def from_feature(saved: SavedSae, feature: int) -> Direction:
    """The decoder row of one feature, at the place of its autoencoder.

    Raises:
        UserError: there is no such feature, or its row is all zero.
    """
    check_feature(saved.sae, feature)
    row = saved.sae.decoder[feature].detach().float().cpu().numpy()
    return direction(row, saved.address, f"feature {feature} of an autoencoder at {saved.address}")


def random_directions(width: int, n: int, address: str, seed: int) -> list[Direction]:
    """`n` directions that mean nothing, each from a seed of its own."""
    drawn = [np.random.default_rng(seed_of(seed, "direction", i)).normal(size=width) for i in range(n)]
    return [direction(v, address, f"random {i}") for i, v in enumerate(drawn)]


def other_layers(model: Model, address: str, layers: Sequence[int]) -> tuple[str, ...]:
    """The address's site at these layers, or the address alone where none are given.

    Raises:
        UserError: a layer that the model does not have.
    """
    n = len(anatomy(model.module).layers)
    site, _ = parse(address, n)
    places = tuple(f"{site}.{layer}" for layer in dict.fromkeys(layers)) or (address,)
    for place in places:
        parse(place, n)
    return places
