"""Which pre-activations are chosen: the k largest of each row, or the rows·k largest of a batch.

Exact both times, and no number is sorted. A row's numbers lie in columns of `DEEP`. The k-th largest of the
columns' own largest bounds the k-th largest number from below, and just k columns reach it: what is chosen
lies in them. Their DEEP·k numbers are held against their own k-th largest. For a batch all rows are one.

Both bounds are selections without indices, which numpy does in vector registers where the processor has
them; elsewhere than on a CPU, and where two numbers tie for the last place, `torch.topk` decides.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

DEEP = 8
"""Numbers a column, where the largest of a row are looked for in columns first."""
SPAN = 4
"""How many times k candidates a row offers to a whole batch's choice at first; more are drawn where that
might not do."""

Entries = tuple[Int[Tensor, " n"], Int[Tensor, " n"], Float[Tensor, " n"]]
"""Rows, ascending, latents and values of what was chosen."""


def largest_of_each(pre: Float[Tensor, "rows width"], k: int) -> Entries:
    """The positive ones among the k largest of each row."""
    quick = _quick(pre, k, len(pre))
    if quick is not None:
        return quick
    values, latents = largest(pre, min(k, pre.shape[1]))
    return _kept(values > 0, latents, values)


def largest_of_all(pre: Float[Tensor, "rows width"], k: int) -> Entries:
    """The positive ones among the rows·k largest of the batch."""
    quick = _quick(pre, k, 1)
    if quick is not None:
        return quick
    rows, width = pre.shape
    span = min(width, SPAN * k)
    # Each row offers its SPAN·k largest, which is exact unless a row has all of them chosen.
    while True:
        values, latents = largest(pre, span)
        flat = values.flatten()
        chosen = torch.zeros_like(flat, dtype=torch.bool)
        chosen[flat.topk(min(rows * k, flat.numel()), sorted=False).indices] = True
        chosen = chosen.view_as(values)
        if span == width or not chosen.all(-1).any():
            return _kept(chosen & (values > 0), latents, values)
        span = min(width, 2 * span)


def above(pre: Float[Tensor, "rows width"], least: Float[Tensor, " width"]) -> Entries:
    """What lies above its latent's own bound."""
    chosen = pre > least
    if chosen.device.type != "cpu" or not chosen.is_contiguous():
        rows, latents = chosen.nonzero(as_tuple=True)
        return rows, latents, pre[rows, latents]
    found = torch.from_numpy(np.flatnonzero(chosen.numpy()))  # a fifth of the time that two indices take
    rows = found.div(pre.shape[1], rounding_mode="floor")
    return rows, found - rows * pre.shape[1], pre.flatten()[found]


def largest(
    pre: Float[Tensor, "rows width"], k: int
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """The k largest numbers of each row and where they stand, in no order, by `torch.topk`; in columns first
    where that leaves a quarter to choose from."""
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


def least_of_largest(values: Float[Tensor, "groups n"], k: int) -> Float[Tensor, "groups 1"]:
    """The k-th largest of each group; what reaches it is the k largest, ties apart."""
    if not _for_numpy(values):
        return values.topk(k, dim=-1, sorted=False).values.amin(-1, keepdim=True)
    at = values.shape[1] - k
    return torch.from_numpy(np.partition(values.numpy(), at, axis=-1)[:, at : at + 1].copy())


def _quick(pre: Tensor, k: int, groups: int) -> Entries | None:
    """What is chosen where every group has n = rows·k / groups to give; None where this way does not do."""
    rows, width = pre.shape
    if not _for_numpy(pre) or not pre.is_contiguous() or k >= width or not rows:
        return None
    n = rows * k // groups
    deep = DEEP if width % DEEP == 0 and 2 * DEEP * k <= width else 1
    columns = width // deep
    best = pre if deep == 1 else pre.view(rows, deep, columns).amax(1)
    found = _places(best.view(groups, -1), n)
    if found is None:
        return None
    at_rows = found.div(columns, rounding_mode="floor")
    first = found + at_rows * (width - columns)  # a column's first number, in `pre` laid out flat
    if deep == 1:
        values = pre.view(-1).index_select(0, first)
    else:
        steps = torch.arange(0, width, columns)
        some = pre.view(-1).index_select(0, (first[:, None] + steps).view(-1))
        found = _places(some.view(groups, -1), n)
        if found is None:
            return None
        values, column = some.index_select(0, found), found.div(deep, rounding_mode="floor")
        at_rows = at_rows.index_select(0, column)
        first = first.index_select(0, column) + (found - column * deep) * columns
    latents = first - at_rows * width
    if bool(values.min() > 0):
        return at_rows, latents, values
    keep = values > 0
    return at_rows[keep], latents[keep], values[keep]


def _places(values: Float[Tensor, "groups width"], n: int) -> Int[Tensor, " chosen"] | None:
    """Where the n largest of each group stand in `values` laid out flat, ascending; None if some tie."""
    reach = values >= least_of_largest(values, n)
    found = torch.from_numpy(np.flatnonzero(reach.numpy()))
    return found if len(found) == n * len(values) else None


def _for_numpy(values: Tensor) -> bool:
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


def _kept(chosen: Bool[Tensor, "rows span"], latents: Int[Tensor, "rows span"], values: Tensor) -> Entries:
    rows, columns = chosen.nonzero(as_tuple=True)
    return rows, latents[rows, columns], values[rows, columns]
