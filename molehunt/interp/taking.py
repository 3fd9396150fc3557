"""Takes away what lies along a direction, token by token: what does the model do without it?

`x ← x − share · a(x) · v`, where v has length 1 and a(x) says how much there is to take: how far x points
along the direction (x·u), or what a feature of an autoencoder writes (its activation times the length of
its decoder row). A random direction loses as much at the same tokens: a(x) stays that of the direction
which is asked about, and only v is another. At share 1 all of it is gone, at 0 the activation is untouched.

Source: directional ablation, Arditi et al. 2024 (2406.11717); a feature set to 0 with the autoencoder's
error kept, Templeton et al. 2024 (transformer-circuits.pub, "Scaling Monosemanticity").

What this cannot tell you: that the model does not need it. Later layers may write the same again, and other
features may carry it too. x·u holds the mean activation as well: taking that away is a loss of its own.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.interp.feature_fill import sae_hash
from molehunt.interp.sae import SparseAutoencoder
from molehunt.models.edits import Edit


@dataclass(frozen=True, eq=False)
class Carried:
    """How much there is to take away at each token."""

    name: str
    """In words, for people."""
    key: str
    """SHA-256 of all that decides it."""
    of: Callable[[Float[Tensor, "rows width"]], Float[Tensor, " rows"]]
    """Activations in float32 to their amounts, in the activation's own units."""


def along(vector: np.ndarray) -> Carried:
    """How far an activation points along a vector [width] of length 1."""
    kept = torch.from_numpy(np.asarray(vector, dtype=np.float32))
    key = hashlib.sha256(kept.numpy().tobytes()).hexdigest()
    return Carried("all that points along it", key, lambda x: x @ kept.to(x.device))


def written_by(sae: SparseAutoencoder, feature: int) -> Carried:
    """What one feature writes: its activation times the length of its decoder row.

    Raises:
        UserError: there is no such feature.
    """
    check_feature(sae, feature)
    length = sae.decoder[feature].detach().norm()

    def of(x: Tensor) -> Tensor:
        code = sae.encode(x.to(sae.decoder.device))
        own = torch.where(code.latents == feature, code.values, 0.0)
        return (x.new_zeros(len(x)).to(own).index_add(0, code.rows, own) * length).to(x.device)

    return Carried(f"what feature {feature} writes", f"{sae_hash(sae)} {feature}", torch.no_grad()(of))


def taking(carried: Carried, vector: np.ndarray, share: float) -> Edit:
    """An edit that takes a share of what is carried away along a vector [width] of length 1.

    Raises:
        UserError: an activation of another width, when it is applied.
    """
    kept = torch.from_numpy(np.asarray(vector, dtype=np.float32))

    def change(x: Tensor) -> Tensor:
        if x.shape[-1] != len(kept):
            raise UserError(
                f"A direction of {len(kept)} numbers does not fit an activation of {x.shape[-1]} numbers."
            )
        flat = x.reshape(-1, x.shape[-1]).float()
        lost = share * carried.of(flat)[:, None] * kept.to(x.device)
        return (flat - lost).view_as(x).to(x.dtype)

    return Edit(change, "all", share == 0)


def check_feature(sae: SparseAutoencoder, feature: int) -> None:
    """Refuse a feature that an autoencoder does not have.

    Raises:
        UserError: so it is; names those that there are.
    """
    if not 0 <= feature < sae.shape.n_latents:
        raise UserError(
            f"The autoencoder has no feature {feature}; choose one from 0 to {sae.shape.n_latents - 1}."
        )
