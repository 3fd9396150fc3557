"""Fills a feature store: activations from a capture or a live model, through an autoencoder, streamed.

Text comes in pieces (a shard of a capture, or a group of contexts as the model reads). Each piece's rows
are encoded in float32, a bounded number at once, and handed to the builder (`feature_build`) as (token,
feature, value). A document of the store is one context: what the model saw at once, so that what is shown
around a token is what the model had before it. `owners` say which document of the text each is a part of.
Every so many rows the builder saves, and after a kill the same command goes on from there.

What a store needs to be read without its model is put beside it: the autoencoder, the tokenizer's files,
and `feature_words`' vocabulary, neighbours and logits.

What this cannot tell you: what features do at the tokens that were left out, first positions and sinks;
`read` in store.json counts the others. Nor what the autoencoder did not learn: its error has no feature.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from molehunt.core.atomic import canonical, read_json
from molehunt.core.errors import UserError
from molehunt.interp.capture import Capture
from molehunt.interp.feature_build import FeatureStoreBuilder
from molehunt.interp.features import FeatureStore, open_features
from molehunt.interp.reading import Reader
from molehunt.interp.sae import SparseAutoencoder
from molehunt.interp.sae_files import SavedSae

SAVE_EVERY = 262_144
"""Rows after which a build notes what stands."""
AT_ONCE = 1 << 26
"""Pre-activations computed at once: 256 MB."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of text with the activations that were kept of it."""

    documents: list[list[int]]
    """Token ids of each context."""
    owners: list[int]
    """Which document of the text each context is from; −1 where no row of it was kept."""
    token: np.ndarray
    """[rows] index into the contexts' tokens end to end, rising."""
    values: Float[Tensor, "rows width"]


@runtime_checkable
class Source(Protocol):
    """Where activations come from."""

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are from."""
        ...

    @property
    def origin(self) -> Mapping[str, Any]:
        """What is read and how."""
        ...

    @property
    def total(self) -> int:
        """Rows that are expected, for a bar."""
        ...

    def pieces(self, start: int, memo: dict[str, Any]) -> Iterator[Piece]:
        """Pieces from number `start` on. What must be known again after a kill goes into `memo`."""
        ...


@dataclass(frozen=True)
class CaptureSource:
    """A finished capture, a shard a piece."""

    capture: Capture
    address: str

    def __post_init__(self) -> None:
        if self.address not in self.capture.addresses:
            held = ", ".join(self.capture.addresses)
            raise UserError(f"The capture in {self.capture.folder} holds {held}, not {self.address!r}.")

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are from."""
        return self.capture.model

    @property
    def origin(self) -> Mapping[str, Any]:
        """What was read and how."""
        return {"spec": self.capture.about["spec"], "limits": self.capture.about["limits"]}

    @property
    def total(self) -> int:
        """Rows of the capture."""
        return self.capture.rows

    def pieces(self, start: int, memo: dict[str, Any]) -> Iterator[Piece]:
        """One piece a shard."""
        names = (self.address, "position", "context", "document", "text", "lengths")
        memo["limits"] = self.capture.about["limits"]
        shards = self.capture.about["shards"]
        for number in range(start, len(shards)):
            held = self.capture.shard(number, names)
            lengths = held["lengths"].long().numpy()
            text = held["text"].numpy()
            context = held["context"].long().numpy() - shards[number]["first_context"]
            whole = number + 1 < len(shards) or self.capture.rows < self.capture.about["tokens"]
            yield _piece(
                [row.tolist() for row in np.split(text, np.cumsum(lengths)[:-1])],
                context,
                held["position"].long().numpy(),
                held["document"].long().numpy(),
                held[self.address],
                whole,
            )


@dataclass(frozen=True)
class LiveSource:
    """Text as a model reads it, a group of contexts a piece; one address."""

    reader: Reader
    tokens: int

    @property
    def model(self) -> str:
        """Fingerprint of the model that reads."""
        return self.reader.model.fingerprint

    @property
    def origin(self) -> Mapping[str, Any]:
        """What is read and how."""
        return {"spec": asdict(self.reader.spec), "tokens": self.tokens}

    @property
    def total(self) -> int:
        """Rows that were asked for."""
        return self.tokens

    def pieces(self, start: int, memo: dict[str, Any]) -> Iterator[Piece]:
        """One piece a group, until so many rows are kept."""
        (address,) = self.reader.spec.addresses
        self.reader.limits.update(memo.get("limits", {}))
        left = self.tokens - memo.get("rows", 0)
        if left <= 0:
            return
        for group in self.reader.groups(start):
            memo["limits"] = dict(self.reader.limits)
            context = group.context.numpy() - group.contexts[0].number
            rows = min(left, len(context))
            left -= rows
            yield _piece(
                [list(c.ids) for c in group.contexts],
                context[:rows],
                group.position.numpy()[:rows],
                group.document.numpy()[:rows],
                group.values[address][:rows],
                rows == len(context),
            )
            if left <= 0:
                return


def fill(
    folder: Path,
    saved: SavedSae,
    source: Source,
    *,
    device: str = "cpu",
    beside: Callable[[Path], None] = lambda folder: None,
    progress: Progress = lambda done, total: None,
) -> FeatureStore:
    """A store of everything that the autoencoder says of the source; one that is whole is opened.

    Args:
        beside: puts further files into the folder before it stands at its name.

    Raises:
        UserError: the autoencoder is of another model or width, or no row was kept.
        RunMismatch: another store was begun at this name.
    """
    if source.model not in (saved.model, *saved.also):
        raise UserError(
            f"The autoencoder is of model {saved.model[:12] or 'unknown'}, the activations of "
            f"{source.model[:12]}; give those that belong together."
        )
    about = {
        "model": saved.model,
        "model_id": saved.model_id,
        "address": saved.address,
        "autoencoder": sae_hash(saved.sae),
        "origin": dict(source.origin),
    }
    if (folder / "store.json").is_file():
        held = read_json(folder / "store.json")
        if isinstance(held, dict) and canonical(held.get("provenance")) == canonical(about):
            return open_features(folder)
    sae = saved.sae.to(device)
    with FeatureStoreBuilder(folder, sae.shape.n_latents, about, resumable=True) as builder:
        memo = {"rows": 0, **builder.memo}
        if not builder.filled:
            noted, number = memo["rows"], builder.pieces
            for number, piece in enumerate(source.pieces(builder.pieces, memo), builder.pieces + 1):
                builder.add(piece.documents, *encoded(sae, piece, device), piece.owners)
                memo["rows"] += len(piece.token)
                if memo["rows"] - noted >= SAVE_EVERY:
                    builder.save(number, memo)
                    noted = memo["rows"]
                progress(memo["rows"], source.total)
            if not memo["rows"]:
                raise UserError("No row was kept: the text is too short, or every row counts as a sink.")
            builder.save(number, memo)
        beside(builder.half)
        return open_features(builder.finish({"read": memo["rows"], "limits": memo.get("limits", {})}))


@torch.no_grad()
def encoded(
    sae: SparseAutoencoder, piece: Piece, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token, feature and value of every active latent [m], tokens never falling.

    Raises:
        UserError: the activations are of another width than the autoencoder.
    """
    if piece.values.shape[1] != sae.shape.d_model:
        raise UserError(
            f"The autoencoder reads {sae.shape.d_model} numbers a token; these activations have "
            f"{piece.values.shape[1]}."
        )
    rows = max(1, min(4096, AT_ONCE // sae.shape.n_latents))
    none = np.zeros(0, np.int64)
    tokens, features, values = [none], [none], [np.zeros(0)]
    for start in range(0, len(piece.values), rows):
        code = sae.encode(piece.values[start : start + rows].to(device, torch.float32))
        tokens.append(piece.token[start + code.rows.cpu().numpy()])
        features.append(code.latents.cpu().numpy())
        values.append(code.values.cpu().numpy())
    return np.concatenate(tokens), np.concatenate(features), np.concatenate(values)


def sae_hash(sae: SparseAutoencoder) -> str:
    """SHA-256 (hex) of an autoencoder's weights."""
    tensors = {n: t.detach().cpu().contiguous() for n, t in sae.state_dict().items()}
    return hashlib.sha256(save(tensors)).hexdigest()


def _piece(
    documents: list[list[int]],
    context: np.ndarray,
    position: np.ndarray,
    document: np.ndarray,
    values: Tensor,
    whole: bool,
) -> Piece:
    """Rows by (context, position) as a piece; where reading stopped early, the text stops there too."""
    if not whole and len(context):
        documents = documents[: context[-1] + 1]
        documents[-1] = documents[-1][: position[-1] + 1]
    owners = np.full(len(documents), -1, dtype=np.int64)
    owners[context] = document
    starts = np.cumsum([0, *map(len, documents)])[:-1]
    return Piece(documents, owners.tolist(), starts[context] + position, values)
