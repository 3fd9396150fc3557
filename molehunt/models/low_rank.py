"""The low-rank term of a LoRA layer in four matrix products, laid out so that each of them is fast on a CPU.

    h = x Aᵀ            y ← y + s h Bᵀ             (added in place: no product of its own, no scaled copy)
    u = s g B           ∂x = u A     ∂A = uᵀ x     ∂B = (s hᵀ g)ᵀ

Written plainly, `g B` and `gᵀ h` have eight columns and run at a tenth of the machine's rate; the same
numbers come from their transposes at full width. Sums run in the adapter's own type (fp32); equal to
PEFT's layer up to rounding (`tests/test_packing.py` holds one against the other). Gradients of
gradients are not offered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class _AddLowRank(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(a.dtype)
        inner = rows @ a.t()
        flat = y.view(-1, y.shape[-1])
        if flat.dtype == a.dtype:
            flat.addmm_(inner, b.t(), alpha=scale)
        else:
            flat += (inner @ b.t() * scale).to(flat.dtype)
        ctx.save_for_backward(rows, inner, a, b)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        rows, inner, a, b = ctx.saved_tensors
        g = grad.reshape(-1, grad.shape[-1]).to(a.dtype)
        back = (b.t().contiguous() @ g.t()) * ctx.scale  # [rank, rows]
        to_a = back @ rows
        to_b = (inner.t().contiguous() @ g).t() * ctx.scale
        to_x = (back.t() @ a).to(ctx.dtype).view(ctx.shape) if ctx.needs_input_grad[1] else None
        return grad, to_x, to_a, to_b, None


def add_low_rank(
    y: Float[Tensor, "*batch d_out"],
    x: Float[Tensor, "*batch d_in"],
    a: Float[Tensor, "rank d_in"],
    b: Float[Tensor, "d_out rank"],
    scale: float,
) -> Float[Tensor, "*batch d_out"]:
    """`y + scale · (x aᵀ) bᵀ`, written into `y`, which must be fresh and contiguous."""
    return _AddLowRank.apply(y, x, a, b, scale)  # pyright: ignore[reportReturnType]


@contextmanager
def fast_low_rank(module: nn.Module) -> Iterator[None]:
    """While the block runs, plain LoRA layers of PEFT in this module add their term this way.

    A layer with dropout, variants, or several adapters at once keeps its own way.
    """
    from peft.tuners.lora import Linear

    changed = [m for m in module.modules() if isinstance(m, Linear) and _plain(m)]
    for layer in changed:
        layer.forward = _forward_of(layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in changed:
            del layer.forward


def _plain(layer: Any) -> bool:
    if len(layer.active_adapters) != 1 or layer.merged or layer.disable_adapters:
        return False
    (name,) = layer.active_adapters
    return (
        isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
    )


def _forward_of(layer: Any) -> Any:
    (name,) = layer.active_adapters
    a, b, scale = layer.lora_A[name], layer.lora_B[name], layer.scaling[name]
    return partial(_forward, layer.base_layer, a, b, scale)


def _forward(base: Any, a: Any, b: Any, scale: float, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return add_low_rank(base(x, *args, **kwargs), x, a.weight, b.weight, scale)
