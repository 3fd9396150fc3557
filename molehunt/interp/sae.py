"""Sparse autoencoders: TopK (Gao et al. 2024) and BatchTopK (Bussmann et al. 2024).

An activation x [d] is written as b_dec + Σ f_i·W_dec[i] over few latents i, with

    pre = W_enc (x − b_dec) + b_enc          f = relu(pre) where chosen, else 0

TopK chooses the k largest of each row. BatchTopK chooses the rows·k largest of a whole batch in
training, so that rows may take more or fewer; at inference it takes those above `threshold`, which is
learnt as a running mean of the smallest value chosen. One row's code then depends on that row alone.
Codes are sparse throughout: `encode` gives entries, `decode` sums decoder rows (`interp.sparse`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molehunt.core.errors import UserError
from molehunt.interp.sparse import decode, pick

Kind = Literal["topk", "batchtopk"]
KINDS: tuple[str, ...] = get_args(Kind)
DEEP = 8
"""Numbers a column, where the largest of a row are looked for in columns first."""
SPAN = 4
"""How many times k candidates a row offers to BatchTopK at first; more are drawn where that might not do."""


@dataclass(frozen=True)
class Shape:
    """What an autoencoder is made of, without its weights."""

    d_model: int
    n_latents: int
    k: int
    """Active latents of a row; of the average row in BatchTopK."""
    kind: str = "batchtopk"
    """`topk` or `batchtopk`; files may say anything, so it is looked at here."""
    models: int = 1
    """Models whose activations lie side by side in a row: 2 in a crosscoder, d_model / 2 numbers each."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            UserError: a size that is too small, or k above the number of latents.
        """
        if self.kind not in KINDS:
            raise UserError(f"There is no autoencoder {self.kind!r}; choose {' or '.join(KINDS)}.")
        if self.d_model < 1 or not 1 <= self.k <= self.n_latents:
            raise UserError(
                f"An autoencoder of {self.n_latents} latents with k = {self.k} cannot be built; k must lie "
                "between 1 and the number of latents."
            )
        if self.models < 1 or self.d_model % self.models:
            raise UserError(f"Rows of {self.d_model} numbers cannot be shared out to {self.models} models.")


@dataclass(frozen=True)
class Code:
    """Active latents of many rows, one entry each, sorted by row."""

    values: Float[Tensor, " n"]
    latents: Int[Tensor, " n"]
    rows: Int[Tensor, " n"]
    n_rows: int

    def dense(self, n_latents: int) -> Float[Tensor, "rows latents"]:
        """As a matrix, for small ones."""
        made = self.values.new_zeros(self.n_rows, n_latents)
        return made.index_put((self.rows, self.latents), self.values)


class SparseAutoencoder(nn.Module):
    """Weights of one autoencoder. `encoder` and `decoder` are [latents, d]; decoder rows have norm 1 (a
    crosscoder's do where both models' activations are equally long)."""

    threshold: Tensor

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        draw = torch.Generator().manual_seed(seed)
        # Every model begins with the same directions: what parts them later is learnt, not drawn.
        directions = torch.randn(shape.n_latents, shape.d_model // shape.models, generator=draw)
        directions = directions.repeat(1, shape.models)
        directions /= directions.norm(dim=-1, keepdim=True)
        self.encoder = nn.Parameter(directions.clone())
        self.decoder = nn.Parameter(directions)
        self.encoder_bias = nn.Parameter(torch.zeros(shape.n_latents))
        self.decoder_bias = nn.Parameter(torch.zeros(shape.d_model))
        self.register_buffer("threshold", torch.zeros(shape.n_latents))

    def pre(self, x: Float[Tensor, "rows d"]) -> Float[Tensor, "rows latents"]:
        """Pre-activations of every latent, without gradients; bfloat16 where autocast says so."""
        with torch.no_grad():
            return nn.functional.linear(x - self.decoder_bias, self.encoder, self.encoder_bias)

    def encode(self, x: Float[Tensor, "rows d"]) -> Code:
        """The code of each row by itself, as at inference. Gradients flow through the chosen entries."""
        pre = self.pre(x)
        if self.shape.kind == "topk":
            return self.read(x, pre, *_largest_of_each(pre, self.shape.k))
        rows, latents = ((pre > self.threshold) & (pre > 0)).nonzero(as_tuple=True)
        return self.read(x, pre, rows, latents)

    def encode_batch(self, x: Float[Tensor, "rows d"], pre: Float[Tensor, "rows latents"]) -> Code:
        """The code of a batch as in training, from its pre-activations."""
        choose = _largest_of_each if self.shape.kind == "topk" else _largest_of_all
        return self.read(x, pre, *choose(pre, self.shape.k))

    def decode(self, code: Code) -> Float[Tensor, "rows d"]:
        """What a code says the activations were."""
        return decode(code.values, code.latents, code.rows, code.n_rows, self.decoder) + self.decoder_bias

    def forward(self, x: Float[Tensor, "rows d"]) -> Float[Tensor, "rows d"]:
        """Reconstruct each row by itself."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def unit_norm(self) -> None:
        """Give every decoder row norm 1. Rows of zeros stay."""
        self.decoder /= self.decoder.norm(dim=-1, keepdim=True).clamp_min(1e-12)

    @torch.no_grad()
    def rescaled(self, scales: Sequence[float]) -> None:
        """Turn an autoencoder of each model's `scale`·x into one of x.

        relu is homogeneous: a common scale divides biases and thresholds. What is left between two models
        goes into their columns; a crosscoder's decoder rows have norm 1 before that, and not after, for a
        latent's size must not change beside the others', or other latents would be the largest of a row.
        """
        scale, width = math.prod(scales) ** (1 / len(scales)), self.shape.d_model // self.shape.models
        for part in (self.encoder_bias, self.decoder_bias, self.threshold):
            part /= scale
        if len(set(scales)) > 1:
            own = torch.tensor(scales, device=self.decoder.device).repeat_interleave(width) / scale
            self.encoder *= own
            self.decoder /= own
            self.decoder_bias /= own

    def read(self, x: Tensor, pre: Tensor, rows: Tensor, latents: Tensor) -> Code:
        """The code of these (row, latent) entries, rows ascending, with gradients."""
        found = pre[rows, latents].to(x.dtype)
        centred = x - self.decoder_bias
        values = pick(centred, self.encoder, self.encoder_bias, latents, rows, found)
        return Code(values, latents, rows, len(x))


def largest(
    pre: Float[Tensor, "rows width"], k: int
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """The k largest numbers of each row and where they stand, in no order.

    Exact, in two passes where that leaves a quarter to choose from: a row's numbers lie in columns of `DEEP`,
    its k largest in the k columns whose own largest are largest. At 576 → 4,608 and k = 32 a step of training
    takes 67 ms so in place of 78 on two cores (one timing each); with k = 128 it would take longer.
    """
    rows, width = pre.shape
    columns = width // DEEP
    if width % DEEP or columns + DEEP * k > width // 4:
        values, places = pre.topk(k, dim=-1, sorted=False)
        return values, places
    deep = pre.reshape(rows, DEEP, columns)
    best = deep.amax(1).topk(k, dim=-1, sorted=False).indices
    some = deep.gather(2, best[:, None].expand(-1, DEEP, -1)).flatten(1)
    values, at = some.topk(k, dim=-1, sorted=False)
    return values, at // k * columns + best.gather(1, at % k)


def _largest_of_each(pre: Tensor, k: int) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    """Rows and latents of the k largest positive pre-activations of each row."""
    values, latents = largest(pre, min(k, pre.shape[1]))
    return _kept(values > 0, latents)


def _largest_of_all(pre: Tensor, k: int) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    """Rows and latents of the rows·k largest positive pre-activations of the batch.

    Each row first offers its SPAN·k largest, which is exact unless a row has all of them chosen.
    """
    rows, width = pre.shape
    span = min(width, SPAN * k)
    while True:
        values, latents = largest(pre, span)
        flat = values.flatten()
        chosen = torch.zeros_like(flat, dtype=torch.bool)
        chosen[flat.topk(min(rows * k, flat.numel()), sorted=False).indices] = True
        chosen = chosen.view_as(values)
        if span == width or not chosen.all(-1).any():
            return _kept(chosen & (values > 0), latents)
        span = min(width, 2 * span)


def _kept(
    chosen: Bool[Tensor, "rows span"], latents: Int[Tensor, "rows span"]
) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    rows, columns = chosen.nonzero(as_tuple=True)
    return rows, latents[rows, columns]
