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
from jaxtyping import Float, Int
from torch import Tensor, nn

from molehunt.core.errors import UserError
from molehunt.interp.sparse import decode, pick
from molehunt.interp.topk import Entries, above, largest_of_all, largest_of_each

Kind = Literal["topk", "batchtopk"]
KINDS: tuple[str, ...] = get_args(Kind)


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
            return self._read(x, *largest_of_each(pre, self.shape.k))
        return self._read(x, *above(pre, self.threshold.clamp_min(0)))

    def encode_batch(self, x: Float[Tensor, "rows d"], pre: Float[Tensor, "rows latents"]) -> Code:
        """The code of a batch as in training, from its pre-activations."""
        return self._read(x, *self.choose(pre))

    def choose(self, pre: Float[Tensor, "rows latents"]) -> Entries:
        """Rows, latents and values of a batch's code as in training, without gradients."""
        choose = largest_of_each if self.shape.kind == "topk" else largest_of_all
        return choose(pre, self.shape.k)

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

    def _read(self, x: Tensor, rows: Tensor, latents: Tensor, found: Tensor) -> Code:
        """The code of these entries, rows ascending, with gradients."""
        centred = x - self.decoder_bias
        found = found.to(x.dtype)
        values = pick(centred, self.encoder, self.encoder_bias, latents, rows, found)
        return Code(values, latents, rows, len(x))
