"""Sparse codes times a decoder, without a dense [rows, latents] detour, forward or backward.

A code names (row, latent, value) for its few active latents. With W the decoder, the output of a row is
Σ value·W[latent]. `torch.embedding_bag` computes that sum in one kernel. Backward, with g the gradient of
the output, two products run over active entries alone:

    d value        = g[row] · W[latent]                        a dot product
    d W[latent]   += value · g[row]                            a sparse matrix times g

and a linear encoder that is read only at active latents has the same two for its own weights:
dE[latent] += d pre · x[row]. The last is why `pick` exists: the dense pre-activations take no gradient.
"""

import warnings
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

SUM = 0
"""The number of a bag's mode."""


def decode(
    values: Float[Tensor, " n"],
    latents: Int[Tensor, " n"],
    rows: Int[Tensor, " n"],
    n_rows: int,
    weight: Float[Tensor, "latents d"],
) -> Float[Tensor, "rows d"]:
    """Σ value·weight[latent] by row; `rows` ascends. Gradients reach values and weight."""
    return _Decode.apply(values, latents, rows, n_rows, weight)  # type: ignore[return-value]


def pick(
    inputs: Float[Tensor, "rows d"],
    weight: Float[Tensor, "latents d"],
    bias: Float[Tensor, " latents"],
    latents: Int[Tensor, " n"],
    rows: Int[Tensor, " n"],
    found: Float[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """`found`, which is inputs[row]·weight[latent] + bias[latent] computed elsewhere, with gradients."""
    return _Pick.apply(inputs, weight, bias, latents, rows, found)  # type: ignore[return-value]


def dots(
    left: Float[Tensor, "rows d"],
    rows: Int[Tensor, " n"],
    right: Float[Tensor, "latents d"],
    latents: Int[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """left[row]·right[latent] for each entry, without gathering either side, and without gradients.

    A bag's sum is linear in its weights, so what autograd gives for them are these very products. Its
    kernel is called by name: on the way through autograd the bag's sum would be computed and thrown away.
    """
    if not len(rows):
        return left.new_zeros(0)
    products = torch.ops.aten._embedding_bag_per_sample_weights_backward
    return products(left.detach().contiguous(), right.detach(), latents, rows[:1], rows, SUM)


def by_latent(latents: Int[Tensor, " n"], n_latents: int) -> Int[Tensor, " n"]:
    """The order that sorts entries by latent, each latent's in the order that they had."""
    # A radix sort: half the bytes, half the time.
    narrow = torch.int16 if n_latents < 2**15 else torch.int32
    return latents.to(narrow).argsort(stable=True)


def sums_into(
    out: Float[Tensor, "bags d"],
    values: Float[Tensor, " n"],
    into: Int[Tensor, " n"],
    of: Int[Tensor, " n"],
    source: Float[Tensor, "_from d"],
) -> None:
    """Write Σ value·source[of] to the row `into` of `out`; `into` ascends. Without gradients."""
    if source.device.type != "cpu":
        out.zero_().index_add_(0, into, source[of] * values[:, None])
    elif _rows_compressed():
        starts = _starts(into, len(out)).int()
        matrix = torch.sparse_csr_tensor(starts, of.int(), values, (len(out), len(source)))
        torch.addmm(out, matrix, source, beta=0, out=out)
    else:
        out.copy_(_bags(values, of, into, len(out), source))


@cache
def _rows_compressed() -> bool:
    """Whether MKL multiplies sparse matrices by rows: it writes where it is told to, and faster than bags."""
    if not torch.backends.mkl.is_available():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says once in a process that such tensors are in beta
        torch.sparse_csr_tensor([0, 0], [], [], (1, 1))
    return True


def _starts(into: Int[Tensor, " n"], n_bags: int) -> Int[Tensor, " bags_and_1"]:
    """Where each bag begins and the last one ends; `into` ascends."""
    starts = torch.zeros(n_bags + 1, dtype=torch.long, device=into.device)
    torch.cumsum(torch.bincount(into, minlength=n_bags), 0, out=starts[1:])
    return starts


def _bags(
    values: Tensor, latents: Tensor, rows: Tensor, n_rows: int, weight: Tensor
) -> Float[Tensor, "rows d"]:
    """Σ value·weight[latent] by row, in one kernel; `rows` ascends."""
    return torch.nn.functional.embedding_bag(
        latents,
        weight.detach(),
        _starts(rows, n_rows),
        mode="sum",
        per_sample_weights=values,
        include_last_offset=True,
    )


def _scattered(
    values: Tensor, into: Tensor, from_rows: Tensor, source: Tensor, n_into: int
) -> Float[Tensor, "into d"]:
    """Σ value·source[row] by target: the product of a sparse matrix with `source`."""
    if source.device.type == "cpu":
        order = by_latent(into, n_into)
        return _bags(values[order], from_rows[order], into[order], n_into, source)
    return source.new_zeros(n_into, source.shape[1]).index_add_(0, into, source[from_rows] * values[:, None])


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, latents: Tensor, rows: Tensor, n_rows: int, weight: Tensor
    ) -> Tensor:
        ctx.save_for_backward(values, latents, rows, weight)
        return _bags(values.detach().to(weight.dtype), latents, rows, n_rows, weight.detach())

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:
        (gradient,) = outputs
        values, latents, rows, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_values = dots(gradient, rows, weight, latents) if ctx.needs_input_grad[0] else None
        to_weight = None
        if ctx.needs_input_grad[4]:
            to_weight = _scattered(values.to(weight.dtype), latents, rows, gradient, len(weight))
        return to_values, None, None, None, to_weight


class _Pick(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        latents: Tensor,
        rows: Tensor,
        found: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, latents, rows)
        return found.clone()

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:
        (gradient,) = outputs
        inputs, weight, latents, rows = ctx.saved_tensors
        to_inputs = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_inputs = _scattered(gradient, rows, latents, weight, len(inputs))
        if ctx.needs_input_grad[1]:
            to_weight = _scattered(gradient, latents, rows, inputs, len(weight))
        if ctx.needs_input_grad[2]:
            to_bias = gradient.new_zeros(len(weight)).index_add_(0, latents, gradient)
        return to_inputs, to_weight, to_bias, None, None, None
