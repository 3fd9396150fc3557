"""What an autoencoder says of any text as the model reads it now: for searches by example and by difference.

The same rows as in a store: cut into contexts, first positions left out, and rows above the store's own
norm limit. Contexts of like length run together; neither that nor their order changes a number beyond
rounding.

What this cannot tell you: anything of rows that were left out, and of what the autoencoder did not learn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molehunt.core.errors import BadFile, UserError
from molehunt.interp.batches import alike
from molehunt.interp.corpora import documents
from molehunt.interp.sae import SparseAutoencoder
from molehunt.models.loaded import Model
from molehunt.models.prompts import text_ids
from molehunt.models.taps import capture


@dataclass(frozen=True, eq=False)
class Spots:
    """Where features fire in one document, by position."""

    position: np.ndarray
    """[m] in the document, rising."""
    feature: np.ndarray
    """[m]"""
    value: np.ndarray
    """[m] float32."""


def read_set(sources: Sequence[str], tokenizer: Any, column: str = "", seed: int = 0) -> list[list[int]]:
    """Token ids of every document of a set: sources as in `corpora`, but a .txt holds one document a line.

    Raises:
        UserError, BadFile: no such source, or nothing in it.
    """
    found: list[list[int]] = []
    for source in sources:
        if source.endswith(".txt"):
            try:
                lines = Path(source).read_text("utf-8").splitlines()
            except (OSError, UnicodeError) as error:
                raise BadFile(f"{source} cannot be read as text ({str(error)[:80]}).") from None
            found += [text_ids(tokenizer, line) for line in lines if line.strip()]
        else:
            found += documents(source, tokenizer, column, seed)
    if not found:
        raise UserError(f"There is no text in {', '.join(sources)[:200]}.")
    return found


def read_features(
    model: Model,
    sae: SparseAutoencoder,
    address: str,
    ids: Sequence[Sequence[int]],
    limit: float = float("inf"),
    context: int = 256,
    batch_tokens: int = 4096,
) -> Iterator[tuple[int, Spots]]:
    """Each document's number and what fires in it, in the documents' order.

    Args:
        ids: token ids of each document.
        limit: rows of a larger norm are sinks and left out.

    Raises:
        UserError: activations that are not finite.
    """
    parts = [(n, s, row[s : s + context]) for n, row in enumerate(ids) for s in range(0, len(row), context)]
    held: dict[int, list[Spots]] = {n: [] for n in range(len(ids))}
    for batch in alike([len(p[2]) for p in parts], batch_tokens, least=2):
        seen = capture(model, [parts[i][2] for i in batch], [address]).values[address]
        for row, i in enumerate(batch):
            number, start, some = parts[i]
            x = seen[row, 1 : len(some)].cpu().float()
            if not torch.isfinite(x).all():  # they would pass for sinks, and nothing for silent
                raise UserError(
                    f"The activations of {model.spec.id!r} at {address} hold numbers that are not finite; "
                    "try --dtype float32, or another copy of its weights."
                )
            held[number].append(_spots(sae, x, start + 1, limit))
    for number in range(len(ids)):
        spots = sorted(held.pop(number), key=lambda s: s.position[0] if len(s.position) else 0)
        none = np.zeros(0, dtype=np.int64)
        yield (
            number,
            Spots(
                np.concatenate([none, *(s.position for s in spots)]),
                np.concatenate([none, *(s.feature for s in spots)]),
                np.concatenate([none.astype(np.float32), *(s.value for s in spots)]),
            ),
        )


@torch.no_grad()
def _spots(sae: SparseAutoencoder, x: torch.Tensor, start: int, limit: float) -> Spots:
    quiet = x.norm(dim=-1) <= limit
    position = start + np.flatnonzero(quiet.numpy())
    code = sae.encode(x[quiet])
    return Spots(position[code.rows.numpy()], code.latents.numpy(), code.values.numpy())
