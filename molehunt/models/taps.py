"""Reading and writing activations by address: `resid_post.15`, `mlp_out.3`, `head_out.7`, `final_norm`.

`resid_pre.N` enters layer N and `resid_post.N` leaves it, before any final norm; `attn_out.N`
and `mlp_out.N` are what attention and MLP add to the residual stream there, so that
`resid_post.N = resid_pre.N + attn_out.N + mlp_out.N` (proven by `models.check`).

`head_out.N` is what the heads of layer N hand to attention's output projection: [batch, seq,
heads × head_dim], head h at `h·head_dim : (h+1)·head_dim`. `head_contribution` takes one head's
part through its slice of the projection, and these sum to `attn_out.N` less the projection's
bias, which belongs to no head (Gemma 2 and 3 norm the sum before it is added). `embed` is what the
table of token embeddings gives (GPT-2 adds positions to it, some Gemmas scale it, before layer
0), `final_norm` what the head reads. Reading ends the forward pass after the last address asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from molehunt.core.errors import ModelUnfit, UserError
from molehunt.models.anatomy import Anatomy, anatomy
from molehunt.models.edits import Edit, Pass
from molehunt.models.kv import Slabs
from molehunt.models.loaded import Model

Site = Literal["resid_pre", "head_out", "attn_out", "mlp_out", "resid_post"]
SITES: tuple[str, ...] = get_args(Site)
"""Those of each layer, in the order in which a forward pass reaches them."""
ENDS: tuple[str, ...] = ("embed", "final_norm")
"""Addresses without a layer, before the first and after the last."""
PROJECTIONS = ("o_proj", "dense", "c_proj", "out_proj")
"""What families call attention's output projection."""

Change = Callable[[Tensor], Tensor]
"""Activations [batch, seq, width] to what stands in their place. `models.edits` makes the usual ones."""


@dataclass(frozen=True)
class Captured:
    """Activations of a batch, padded on the right."""

    values: Mapping[str, Float[Tensor, "batch seq _width"]]
    """By address. Where `mask` is False they mean nothing. As wide as d_model, but for `head_out`."""
    mask: Bool[Tensor, "batch seq"]
    ids: Int[Tensor, "batch seq"]


class _Enough(Exception):
    """Ends a forward pass whose rest nobody asked for."""


def parse(address: str, n_layers: int) -> tuple[str, int]:
    """Site and layer of an address; `embed` stands in layer -1 and `final_norm` in layer `n_layers`.

    Raises:
        UserError: it is none, or the model has fewer layers.
    """
    if address in ENDS:
        return address, n_layers if address == "final_norm" else -1
    site, _, layer = address.partition(".")
    if site not in SITES or not layer.isdecimal() or int(layer) >= n_layers:
        raise UserError(
            f"There is no address {address[:80]!r} in this model; write {' or '.join(SITES)}, a dot, "
            f"and a layer from 0 to {n_layers - 1}; or {' or '.join(ENDS)}."
        )
    return site, int(layer)


@torch.no_grad()
def capture(model: Model, ids: Sequence[Sequence[int]], addresses: Sequence[str]) -> Captured:
    """Activations at every address for a batch of token sequences.

    Raises:
        UserError: an address that this model does not have, or no sequence.
    """
    if not ids or not all(ids):
        raise UserError("There is nothing to read: give at least one sequence of at least one token.")
    parts = anatomy(model.module)
    places = {a: parse(a, len(parts.layers)) for a in addresses}
    if not places:
        raise UserError("There is nothing to read: name at least one address.")
    last = max(places, key=lambda a: (places[a][1], (*SITES, *ENDS).index(places[a][0])))
    found: dict[str, Tensor] = {}

    def keep(address: str) -> Callable[[Tensor], None]:
        def see(value: Tensor) -> None:
            found[address] = value.detach()
            if address == last:
                raise _Enough

        return see

    tokens, mask = pad_right(ids, model.device)
    with ExitStack() as hooks:
        for address, (site, layer) in places.items():
            hooks.enter_context(_hook(parts, site, layer, keep(address)))
        with suppress(_Enough):
            parts.body(input_ids=tokens, attention_mask=mask, use_cache=False)
    return Captured({a: found[a] for a in addresses}, mask, tokens)


def activations(model: Model, ids: Sequence[Sequence[int]], address: str) -> Float[Tensor, "batch seq width"]:
    """Activations at one address, padded on the right. See `capture` for the mask."""
    return capture(model, ids, [address]).values[address]


@contextmanager
def edited(model: Model, changes: Mapping[str, Change]) -> Iterator[None]:
    """While the block runs, activations at these addresses are replaced by what their change makes of them.

    A change is one of `models.edits`, or any function of activations. Gradients flow through.
    Whatever runs the module meets the edits: sampling and scoring too.

    Raises:
        UserError: an address that this model does not have.
    """
    parts = anatomy(model.module)
    places = {a: parse(a, len(parts.layers)) for a in changes}
    with ExitStack() as hooks:
        here = hooks.enter_context(_passes(parts))
        for address, change in changes.items():
            hooks.enter_context(_hook(parts, *places[address], _bound(change, here)))
        yield


def head_contribution(
    model: Model, heads: Float[Tensor, "... width"], layer: int, head: int
) -> Float[Tensor, "... d_model"]:
    """What one head writes into the residual stream, from activations at `head_out.LAYER`.

    Raises:
        UserError: there is no such layer or head.
    """
    parts = anatomy(model.module)
    parse(f"head_out.{layer}", len(parts.layers))
    count = model.module.config.get_text_config().num_attention_heads
    if not 0 <= head < count:
        raise UserError(f"There is no head {head} in this model; choose one from 0 to {count - 1}.")
    width = heads.shape[-1] // count
    part = slice(head * width, (head + 1) * width)
    projection = output_projection(parts, layer)
    # GPT-2's Conv1D holds its weight the other way round: [in, out].
    weight = projection.weight if isinstance(projection, Conv1D) else projection.weight.T
    return heads[..., part] @ weight[part]


def unembed(model: Model, residual: Float[Tensor, "... d_model"]) -> Float[Tensor, "... vocab"]:
    """The logits that a residual stream stands for: through the final norm and the head."""
    parts = anatomy(model.module)
    return parts.logits(parts.norm(residual))


def pad_right(
    ids: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, "batch seq"], Bool[Tensor, "batch seq"]]:
    """Token sequences as one tensor, and where it holds a token."""
    wide = max(map(len, ids))
    tokens = torch.zeros(len(ids), wide, dtype=torch.long)
    mask = torch.zeros(len(ids), wide, dtype=torch.bool)
    for row, sequence in enumerate(ids):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = True
    return tokens.to(device), mask.to(device)


def _module(parts: Anatomy, site: str, layer: int) -> Any:
    """The module whose input (`resid_pre`, `head_out`) or output (all others) is the activation."""
    if site in ENDS:
        return parts.norm if site == "final_norm" else parts.body.get_input_embeddings()
    block = parts.layers[layer]
    if site == "head_out":
        return output_projection(parts, layer)
    if site.startswith("resid"):
        return block
    if hasattr(block, "pre_feedforward_layernorm"):
        # Gemma 2 and 3 norm what attention and MLP say before they add it.
        return block.post_attention_layernorm if site == "attn_out" else block.post_feedforward_layernorm
    return getattr(block, parts.attention if site == "attn_out" else parts.mlp)


def output_projection(parts: Anatomy, layer: int) -> Any:
    """The linear map at the end of a layer's attention, whose input is `head_out`."""
    attention = getattr(parts.layers[layer], parts.attention)
    for name in PROJECTIONS:
        if hasattr(attention, name):
            return getattr(attention, name)
    raise ModelUnfit(f"Layer {layer} has no output projection of attention that is known here.")


@dataclass
class _Here:
    """The forward pass that is running."""

    now: Pass | None = None


@contextmanager
def _passes(parts: Anatomy) -> Iterator[_Here]:
    """Take note of which tokens each pass of the body sees."""
    here = _Here()

    def note(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if ids is None:
            ids = kwargs["inputs_embeds"][..., 0]
        cache, places = kwargs.get("past_key_values"), kwargs.get("position_ids")
        if places is None:
            past = cache.get_seq_length() if cache is not None else 0
            places = torch.arange(ids.shape[1], device=ids.device) + past
        mask = kwargs.get("attention_mask")
        if isinstance(mask, Tensor) and mask.ndim == 2:
            real = mask[:, -ids.shape[1] :].bool()
        else:
            real = torch.ones(ids.shape, dtype=torch.bool, device=ids.device)
        ours = isinstance(cache, Slabs)
        here.now = Pass(places.expand(ids.shape), real, not (ours and cache.beginning), not ours)

    handle = parts.body.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield here
    finally:
        handle.remove()


def _bound(change: Change, here: _Here) -> Change:
    return (lambda value: change(value, here.now)) if isinstance(change, Edit) else change


@contextmanager
def _hook(parts: Anatomy, site: str, layer: int, change: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """Call `change` with the activation on each pass; what it returns, if anything, takes its place."""

    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            new = change(args[0])
            return None if new is None else ((new, *args[1:]), kwargs)
        new = change(kwargs["hidden_states"])
        return None if new is None else (args, {**kwargs, "hidden_states": new})

    def after(module: Any, args: tuple[Any, ...], output: Any) -> Any:
        bare = isinstance(output, Tensor)
        new = change(output if bare else output[0])
        return None if new is None else new if bare else (new, *output[1:])

    module = _module(parts, site, layer)
    if site in ("resid_pre", "head_out"):
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()
