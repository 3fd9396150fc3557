"""Adds a direction to the residual stream while a model reads and speaks.

`x ← x + strength · m · v` at every token and at each address given, where v has length 1 and m is the
median norm of the residual stream there over ordinary text (first tokens, whose norms are a
sink's, left out). So a strength of 1 pushes as far as the stream is long, and strengths compare
across layers and models.
Where a share is to be taken away in place of adding (`interp.taking`), strength is that share.
At strength 0 nothing is hooked: what the model computes is bit for bit what it computes unsteered.

What this cannot tell you: what the model does by itself. Steering shows what a direction *can* cause at
a strength that may never occur; far out, anything causes anything, so read the side effects beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from molehunt.interp.direction import Direction
from molehunt.interp.taking import Carried, taking
from molehunt.models.edits import Edit, add
from molehunt.models.loaded import Model
from molehunt.models.prompts import text_ids
from molehunt.models.taps import capture, edited
from molehunt.models.text import ordinary_text

TEXTS, LONGEST = 32, 128


def median_norms(
    model: Model, addresses: Sequence[str], texts: Sequence[str] | None = None
) -> dict[str, float]:
    """Median norm at each address; where attention or MLP writes, that of the stream at the layer's end."""
    texts = ordinary_text(TEXTS) if texts is None else texts
    streams = {a: _stream(a) for a in addresses}
    norms: dict[str, list[np.ndarray]] = {s: [] for s in streams.values()}
    for text in texts:
        seen = capture(model, [text_ids(model.tokenizer, text)[:LONGEST]], list(norms))
        for stream in norms:
            norms[stream].append(seen.values[stream][0, 1:].float().norm(dim=-1).cpu().numpy())
    return {a: float(np.median(np.concatenate(norms[s]))) for a, s in streams.items()}


def adding(vector: np.ndarray, amount: float) -> Edit:
    """An edit that adds `amount` times a vector [width] at every token; for 0, one that does nothing."""
    return add(torch.from_numpy(np.asarray(vector, dtype=np.float32)), amount)


@dataclass(frozen=True)
class Place:
    """Where a direction is added, and the unit of strength there."""

    address: str
    norm: float
    """Median residual norm."""


@contextmanager
def steered(
    model: Model,
    direction: Direction,
    places: Sequence[Place],
    strength: float,
    carried: Carried | None = None,
) -> Iterator[None]:
    """While the block runs, whatever the model computes is computed with the direction added.

    With `carried`, that share of it is taken away along the direction instead.

    Raises:
        UserError: an address that this model does not have, or one of another width.
    """
    changes: dict[str, Edit] = {}
    for place in places if strength else ():
        if carried is None:
            changes[place.address] = adding(direction.vector, strength * place.norm)
        else:
            changes[place.address] = taking(carried, direction.vector, strength)
    with edited(model, changes):
        yield


def _stream(address: str) -> str:
    site, _, layer = address.partition(".")
    return f"resid_post.{layer}" if site in ("attn_out", "mlp_out") else address
