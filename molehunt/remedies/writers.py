"""The two linear maps of each layer that write into the residual stream, and changes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from molehunt.core.errors import ModelUnfit
from molehunt.models.anatomy import anatomy
from molehunt.models.taps import output_projection

LAST = ("down_proj", "dense_4h_to_h", "c_proj", "fc2")
"""What families call the last map of an MLP."""


@dataclass(frozen=True)
class Writer:
    """A linear map into the residual stream."""

    site: str
    layer: int
    mlp: bool
    """Whether it ends an MLP; else an attention."""
    weight: Float[Tensor, "d_model inner"]
    """In float32, whichever way round the module holds it."""
    module: Any


def writers(module: nn.Module) -> Iterator[Writer]:
    """Attention's and MLP's last maps, layer by layer.

    Raises:
        ModelUnfit: an MLP that ends in none of the maps known here.
    """
    parts, names = anatomy(module), {id(m): n for n, m in module.named_modules()}
    for i, layer in enumerate(parts.layers):
        block = getattr(layer, parts.mlp)
        last = next((getattr(block, n) for n in LAST if hasattr(block, n)), None)
        if last is None:
            raise ModelUnfit(f"The MLP of layer {i} ends in no map that is known here.")
        for linear, mlp in ((output_projection(parts, i), False), (last, True)):
            weight = linear.weight.detach().float().cpu()
            yield Writer(
                names[id(linear)], i, mlp, weight.T if isinstance(linear, Conv1D) else weight, linear
            )


def without(writer: Writer, basis: Float[Tensor, "k d_model"]) -> tuple[Tensor, Tensor]:
    """The change after which the map writes nothing along orthonormal directions: −Bᵀ(B W), of rank k."""
    return basis @ writer.weight, -basis.T.contiguous()


def silenced(writer: Writer, neurons: Tensor) -> tuple[Tensor, Tensor]:
    """The change after which inputs of these numbers are not heard: −W e eᵀ for each, exactly."""
    down = torch.zeros(len(neurons), writer.weight.shape[1])
    down[torch.arange(len(neurons)), neurons] = 1.0
    return down, -writer.weight[:, neurons].contiguous()
