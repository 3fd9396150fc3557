"""What can be done to an activation while a model runs: add, project out, clamp, replace.

With x the activation and u a unit direction, an edit writes

    add(v, s)          x + s·v
    project_out(v, s)  x − s·(x·u)·u
    clamp(v, c, s)     x + s·(c − x·u)·u
    replace(r, s)      x + s·(r − x), and r itself where s is 1

at the positions that `at` names: everywhere, at the last token of each row, or where a mask over token
positions is true. A strength of 0 gives back the very same tensor. Gradients flow to the activation, and
to direction, value and strength where those are tensors that want them. Positions are those of whole
sequences, also where a cache means that a pass sees only new ones, and where beginnings are shared.

    with edited(model, {"resid_post.15": add(direction, 4.0, at="last")}):
        sample(model, prompts)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from molehunt.core.errors import UserError

Where = Literal["all", "last"] | Tensor
"""Everywhere; each row's last token (of a prompt, and then each new one); or a mask, [seq] over the positions
of every sequence (False beyond its end), or [batch, seq] row by row where a pass runs the batch as it is."""
Strength = float | Tensor


@dataclass(frozen=True)
class Pass:
    """Which tokens one forward pass of a model sees."""

    positions: Int[Tensor, "rows new"]
    """Where each token stands in its sequence."""
    real: Bool[Tensor, "rows new"]
    """False where there is only padding."""
    ends: bool = True
    """False while beginnings are computed that several sequences share: no sequence ends in them."""
    ordered: bool = True
    """False where rows need not stand in the caller's order."""


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of activations at chosen positions. Made by `add`, `project_out`, `clamp`, `replace`."""

    change: Callable[[Tensor], Tensor]
    """Activations [rows, new, width] to what stands in their place, wherever the edit applies."""
    at: Where
    nothing: bool
    """Whether it is known to change nothing."""

    def __call__(self, value: Tensor, here: Pass | None = None) -> Tensor:
        """The edited activations.

        Raises:
            UserError: a mask that does not fit the pass, or a pass of which nothing is known.
        """
        if self.nothing:
            return value
        if isinstance(self.at, str) and self.at == "all":
            return self.change(value)
        if here is None:
            raise UserError("An edit at chosen positions works only inside `taps.edited`.")
        return torch.where(_chosen(self.at, here)[..., None], self.change(value), value)


def add(direction: Tensor, strength: Strength = 1.0, at: Where = "all") -> Edit:
    """Add `strength` times a direction [width]."""
    return _edit(direction, strength, at, lambda x, v: x + (strength * v).to(x.dtype))


def project_out(direction: Tensor, strength: Strength = 1.0, at: Where = "all") -> Edit:
    """Take away what points along a direction [width]; a strength of 2 mirrors it."""

    def change(x: Tensor, v: Tensor) -> Tensor:
        unit = _unit(v)
        return x - (strength * (x.to(unit.dtype) @ unit)[..., None] * unit).to(x.dtype)

    return _edit(direction, strength, at, change)


def clamp(direction: Tensor, value: Strength, strength: Strength = 1.0, at: Where = "all") -> Edit:
    """Set the coordinate along the unit direction [width] to `value`, in the activation's own units."""

    def change(x: Tensor, v: Tensor) -> Tensor:
        unit = _unit(v)
        return x + (strength * (value - x.to(unit.dtype) @ unit)[..., None] * unit).to(x.dtype)

    return _edit(direction, strength, at, change)


def replace(values: Tensor, strength: Strength = 1.0, at: Where = "all") -> Edit:
    """Put `values` ([width], or whatever broadcasts to a pass) in the activation's place."""

    def change(x: Tensor, v: Tensor) -> Tensor:
        if not isinstance(strength, Tensor) and strength == 1:
            return v.to(x.dtype).expand_as(x)
        return x + (strength * (v - x)).to(x.dtype)

    if not torch.isfinite(values.detach()).all():
        raise UserError("The values to put in an activation's place hold numbers that are not finite.")
    return Edit(lambda x: change(x, _like(values, x)), at, _is_zero(strength))


def _edit(
    direction: Tensor, strength: Strength, at: Where, change: Callable[[Tensor, Tensor], Tensor]
) -> Edit:
    if direction.ndim != 1 or not torch.isfinite(direction.detach()).all() or not direction.detach().any():
        raise UserError("A direction must be one vector of finite numbers that are not all zero.")
    return Edit(lambda x: change(x, _like(direction, x)), at, _is_zero(strength))


def _like(values: Tensor, x: Tensor) -> Tensor:
    if values.shape[-1] != x.shape[-1]:
        raise UserError(
            f"A direction of {values.shape[-1]} numbers does not fit an activation of {x.shape[-1]} numbers."
        )
    return values.to(x.device)


def _unit(direction: Tensor) -> Tensor:
    wide = direction.float() if direction.dtype != torch.float64 else direction
    return wide / wide.norm()


def _is_zero(strength: Strength) -> bool:
    return not isinstance(strength, Tensor) and strength == 0


def _chosen(at: Where, here: Pass) -> Bool[Tensor, "rows new"]:
    rows, new = here.positions.shape
    if not isinstance(at, Tensor):
        if not here.ends:
            return torch.zeros_like(here.real)
        columns = torch.arange(new, device=here.real.device)
        return columns == (columns * here.real).amax(-1, keepdim=True)
    mask = at.to(here.positions.device, torch.bool)
    if mask.ndim == 1:
        mask = mask.expand(rows, -1)
    elif mask.ndim != 2 or len(mask) != rows or not here.ordered:
        raise UserError(
            f"A mask of shape {tuple(at.shape)} cannot be laid on a pass of {rows} rows, whose order may "
            "have changed; give a mask over positions, [seq], or run the batch in one plain pass."
        )
    inside = here.positions < mask.shape[1]
    picked = mask.gather(1, here.positions.clamp(0, mask.shape[1] - 1))
    return picked & inside & here.real
