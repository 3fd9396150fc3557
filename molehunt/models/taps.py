"""Reading and writing activations by address: `resid_pre.3`, `resid_post.15`, `attn_out.7`, `mlp_out.3`.

`resid_pre.N` enters layer N and `resid_post.N` leaves it, before any final norm; `attn_out.N`
and `mlp_out.N` are what attention and MLP add to the residual stream there, so that
`resid_post.N = resid_pre.N + attn_out.N + mlp_out.N` (proven by `models.check`). Reading
ends the forward pass after the last address asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.models.anatomy import Anatomy, anatomy
from molehunt.models.loaded import Model

Site = Literal["resid_pre", "attn_out", "mlp_out", "resid_post"]
SITES: tuple[str, ...] = get_args(Site)
"""In the order in which a forward pass reaches them."""

Change = Callable[[Tensor], Tensor]
"""An edit: activations [batch, seq, d_model] to what stands in their place."""


@dataclass(frozen=True)
class Captured:
    """Activations of a batch, padded on the right."""

    values: Mapping[str, Float[Tensor, "batch seq d_model"]]
    """By address. Where `mask` is False they mean nothing."""
    mask: Bool[Tensor, "batch seq"]
    ids: Int[Tensor, "batch seq"]


class _Enough(Exception):
    """Ends a forward pass whose rest nobody asked for."""


def parse(address: str, n_layers: int) -> tuple[str, int]:
    """Site and layer of an address.

    Raises:
        UserError: it is none, or the model has fewer layers.
    """
    site, _, layer = address.partition(".")
    if site not in SITES or not layer.isdecimal() or int(layer) >= n_layers:
        raise UserError(
            f"There is no address {address[:80]!r} in this model; write {' or '.join(SITES)}, a dot, "
            f"and a layer from 0 to {n_layers - 1}."
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
    last = max(places, key=lambda a: (places[a][1], SITES.index(places[a][0])))
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


def activations(
    model: Model, ids: Sequence[Sequence[int]], address: str
) -> Float[Tensor, "batch seq d_model"]:
    """Activations at one address, padded on the right. See `capture` for the mask."""
    return capture(model, ids, [address]).values[address]


@contextmanager
def edited(model: Model, changes: Mapping[str, Change]) -> Iterator[None]:
    """While the block runs, activations at these addresses are replaced by what their change makes of them.

    Gradients flow through. Whatever runs the module meets the edits: sampling and scoring too.

    Raises:
        UserError: an address that this model does not have.
    """
    parts = anatomy(model.module)
    with ExitStack() as hooks:
        for address, change in changes.items():
            hooks.enter_context(_hook(parts, *parse(address, len(parts.layers)), change))
        yield


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
    """The module whose input (`resid_pre`) or output (all others) is the activation."""
    block = parts.layers[layer]
    if site.startswith("resid"):
        return block
    if hasattr(block, "pre_feedforward_layernorm"):
        # Gemma 2 and 3 norm what attention and MLP say before they add it.
        return block.post_attention_layernorm if site == "attn_out" else block.post_feedforward_layernorm
    return getattr(block, parts.attention if site == "attn_out" else parts.mlp)


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
    if site == "resid_pre":
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()
