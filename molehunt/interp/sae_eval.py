"""How good an autoencoder is, on text that it may not have seen, each number with its interval and n.

Variance explained is 1 − Σ|x − x̂|² / Σ|x − mean|² over rows, L0 the mean active latents a row, dead the
share of latents that fire on none of the rows. Loss recovered puts the reconstruction in the
activation's place while the model reads on: (L_zero − L_spliced) / (L_zero − L_plain), with L the mean
negative log-likelihood of the next token in nats, L_zero with zeros in its place. It is 1 where nothing
is lost. The splice leaves position 0 as it is, as training did, and so does the ablation. Intervals are over
whole texts drawn again (`interp.text_sums`); dead has none.

What this cannot tell you: whether its features mean anything, or whether the model uses them: a rotated
basis may explain as much. Loss recovered is near 1 for many a poor autoencoder, because zeros are a very
low bar; read the nats. Rows that count as sinks are spliced though no autoencoder was trained on them. And
text that it was trained on flatters it.
"""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.reading import Context, Reader, ReadSpec, contexts
from molehunt.interp.sae import SparseAutoencoder
from molehunt.interp.text_sums import TextSums, recovered
from molehunt.interp.variance import Firing
from molehunt.models.edits import Edit, Strength, Where
from molehunt.models.edits import replace as put
from molehunt.models.loaded import Model
from molehunt.models.score import token_logprobs
from molehunt.models.taps import edited

Scores = dict[str, Measure | NotMeasured]
Progress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


def evaluate(
    model: Model,
    sae: SparseAutoencoder,
    spec: ReadSpec,
    tokens: int = 20_000,
    batch_tokens: int = 4096,
    progress: Progress = lambda share: None,
) -> Scores:
    """Variance explained, L0, dead share and loss recovered, on about `tokens` tokens of text.

    Args:
        spec: what is read; its first address is where the autoencoder belongs.

    Raises:
        UserError: the autoencoder's width is not that of the activations, or `tokens` is below 1.
    """
    if tokens < 1:
        raise UserError("An autoencoder is measured on at least one token; raise --tokens.")
    sae = on(sae, model.device)
    spec = replace(spec, addresses=spec.addresses[:1], dtype="float32")
    # One pass up to the autoencoder's place, then three whole ones.
    found = _reconstruction(model, sae, spec, tokens, batch_tokens, lambda share: progress(share / 4))
    lost = loss_recovered(model, sae, spec, tokens, lambda share: progress(0.25 + 0.75 * share))
    return found | {"loss_recovered": lost}


@torch.no_grad()
def _reconstruction(
    model: Model, sae: SparseAutoencoder, spec: ReadSpec, tokens: int, batch: int, progress: Progress
) -> Scores:
    address, seen = spec.addresses[0], 0
    sums, firing = TextSums(), Firing(sae.shape.n_latents)
    for group in Reader(model, spec, batch).groups():
        x = group.values[address].to(sae.decoder.device)
        if x.shape[1] != sae.shape.d_model:
            raise UserError(f"The autoencoder reads {sae.shape.d_model} numbers; {address} has {x.shape[1]}.")
        left = tokens - seen
        parts = (x[:left].split(1024), group.context[:left].split(1024), group.document[:left].split(1024))
        for some, context, document in zip(*parts, strict=True):
            code = sae.encode(some)
            sums.see(some, some - sae.decode(code), code, context, document)
            firing.see(code, len(some))
            seen += len(some)
        progress(seen / tokens)
        if seen >= tokens:
            break
    how = f"rows of {address}, sinks left out"
    return sums.measures(how, spec.seed) | {"dead": firing.dead(how)}


def loss_recovered(
    model: Model,
    sae: SparseAutoencoder,
    spec: ReadSpec,
    tokens: int,
    progress: Progress = lambda share: None,
) -> Measure | NotMeasured:
    """Loss recovered by splicing, over next tokens of whole contexts."""
    read, count = [], 0
    for context in contexts(model, spec):
        if len(context.ids) > 1:
            read.append(context)
            count += len(context.ids) - 1
        if count >= tokens:
            break
    address = spec.addresses[0]
    after_first = torch.arange(spec.context) > 0
    width = torch.zeros(sae.shape.d_model)
    edits = ({}, {address: splice(sae, after_first)}, {address: put(width, at=after_first)})
    losses = np.zeros((len(read), 3))
    for column, edit in enumerate(edits if read else ()):
        with edited(model, edit):
            losses[:, column] = _losses(model, read, lambda share, at=column: progress((at + share) / 3))
    return recovered(read, losses, address, spec.seed)


def splice(sae: SparseAutoencoder, at: Tensor | None = None) -> Edit:
    """An edit that puts what the autoencoder makes of an activation in its place."""
    return Edit(lambda x: _each(x, on(sae, x.device)).to(x.dtype), "all" if at is None else at, False)


def clamp_feature(sae: SparseAutoencoder, latent: int, value: Strength, at: Where = "all") -> Edit:
    """An edit that moves an activation along a latent's decoder row, as if it fired at `value`.

    What the autoencoder leaves unexplained stays as it is. Gradients flow to the activation, and to a value
    that wants them. `at` is as in `models.edits`.

    Raises:
        UserError: there is no such latent.
    """
    if not 0 <= latent < sae.shape.n_latents:
        raise UserError(f"There is no latent {latent}; choose one from 0 to {sae.shape.n_latents - 1}.")

    def change(x: Tensor) -> Tensor:
        flat, here = x.reshape(-1, x.shape[-1]).float(), on(sae, x.device)
        code = here.encode(flat)
        now = flat.new_zeros(len(flat)).index_add(
            0, code.rows, torch.where(code.latents == latent, code.values, 0.0)
        )
        return (flat + (value - now)[:, None] * here.decoder[latent]).view_as(x).to(x.dtype)

    return Edit(change, at, False)


def on(sae: SparseAutoencoder, device: torch.device) -> SparseAutoencoder:
    """The autoencoder where a model is: itself, or a copy whose weights lie there, made once."""
    if sae.decoder.device == device:
        return sae
    copies = _copies.setdefault(sae, {})
    if device not in copies:
        copies[device] = deepcopy(sae).to(device)
    return copies[device]


_copies: WeakKeyDictionary[SparseAutoencoder, dict[torch.device, SparseAutoencoder]] = WeakKeyDictionary()


def _each(x: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
    return make(x.reshape(-1, x.shape[-1]).float()).view_as(x)


def _losses(model: Model, read: Sequence[Context], progress: Progress) -> list[float]:
    """Summed negative log-likelihood of each context's tokens but the first, in nats."""
    begin, rest = [c.ids[:1] for c in read], [c.ids[1:] for c in read]
    rows = token_logprobs(model, begin, rest, progress=lambda done, total: progress(done / total))
    return [-math.fsum(row) for row in rows]
