"""Low-rank changes laid on an adapter: one adapter that holds both.

    W + s·B·A  with a change  U·D  is  W + s·[B  U/s]·[A; D]

so ranks add and the product is the exact sum. Every linear map of every layer gets a place, padded with
zeros to one rank: whatever was changed, shapes and sizes are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from molehunt.core.atomic import write_bytes, write_json
from molehunt.core.errors import BadFile
from molehunt.models.adapter_files import CONFIG, PREFIX, WEIGHTS, AdapterFile, Factor
from molehunt.models.anatomy import anatomy

Changes = Mapping[str, tuple[Tensor, Tensor]]
"""By module name: (down [rank, in], up [out, rank]); `up @ down` is added to the weight."""


@dataclass(frozen=True)
class Shape:
    """What all joined adapters of a lineup have in common."""

    sites: tuple[str, ...]
    """Names of the modules that have a place."""
    rank: int
    """Rank of the adapter's own part, and of what is laid on it, together."""
    own: int
    """Rank of the adapter's own part."""
    scale: float


def shape_of(adapters: Sequence[AdapterFile], module: nn.Module, rank: int) -> Shape:
    """The shape in which each of these adapters has room for changes of `rank`; 0 keeps them as they are.

    Raises:
        BadFile: an adapter is more than two factors a module, or changes the head.
    """
    for one in adapters:
        if one.factors is None:
            raise BadFile(f"The adapter {str(one.folder)!r} is no plain LoRA, so nothing can be laid on it.")
    factors = [f for one in adapters for f in (one.factors or {}).values()]
    changed = {site for one in adapters for site in one.factors or {}}
    own = max(f.down.shape[0] for f in factors)
    scales = {f.scale for f in factors}
    known = set(linear_sites(module))
    if changed - known:
        raise BadFile(
            f"An adapter changes {min(changed - known)[:120]!r}, which no remedy can reach; leave it out."
        )
    sites = known if rank else changed
    return Shape(tuple(sorted(sites)), own + rank, own, scales.pop() if len(scales) == 1 else 1.0)


def linear_sites(module: nn.Module) -> tuple[str, ...]:
    """Names of the linear maps inside the layers: all but the head."""
    names = {id(m): name for name, m in module.named_modules()}
    layers = anatomy(module).layers
    return tuple(
        names[id(m)] for layer in layers for m in layer.modules() if isinstance(m, (nn.Linear, Conv1D))
    )


def widths(module: nn.Module, site: str) -> tuple[int, int]:
    """(in, out) of a linear map."""
    weight: Any = module.get_submodule(site).weight
    wide = tuple(weight.shape)
    return wide if isinstance(module.get_submodule(site), Conv1D) else (wide[1], wide[0])


def checked(changes: Mapping[str, Any], module: nn.Module, rank: int) -> dict[str, tuple[Tensor, Tensor]]:
    """The changes, in float32 on the CPU, if they fit the model.

    Raises:
        BadFile: an unknown module, another shape, too high a rank, or a number that is none.
    """
    known, found = set(linear_sites(module)), {}
    for site, pair in sorted(changes.items()):
        if site not in known:
            raise BadFile(f"A change is of {site[:120]!r}, which is no linear map of this model's layers.")
        down, up = (t.detach().to("cpu", torch.float32).contiguous() for t in pair)
        inner, outer = widths(module, site)
        if down.ndim != 2 or up.ndim != 2 or (down.shape[1], up.shape[0]) != (inner, outer):
            raise BadFile(
                f"The change of {site!r} is {tuple(up.shape)} by {tuple(down.shape)}; "
                f"the module is {outer} by {inner}."
            )
        if down.shape[0] != up.shape[1] or down.shape[0] > rank:
            raise BadFile(f"The change of {site!r} has rank {down.shape[0]}; {rank} was declared.")
        if not (torch.isfinite(down).all() and torch.isfinite(up).all()):
            raise BadFile(f"The change of {site!r} holds a value that is no number.")
        found[site] = (down, up)
    return found


def join(adapter: AdapterFile, changes: Changes, shape: Shape, module: nn.Module, target: Path) -> None:
    """Write the adapter with the changes laid on it into the folder `target`.

    The adapter's own factors keep their bytes wherever all adapters of the lineup have one scale.
    """
    tensors = {}
    for site in shape.sites:
        inner, outer = widths(module, site)
        down, up = torch.zeros(shape.rank, inner), torch.zeros(outer, shape.rank)
        own = (adapter.factors or {}).get(site)
        if own is not None:
            down[: own.down.shape[0]], up[:, : own.up.shape[1]] = (
                own.down.float(),
                _rescaled(own, shape.scale),
            )
        if site in changes:
            extra, more = changes[site]
            place = slice(shape.own, shape.own + extra.shape[0])
            down[place], up[:, place] = extra, more / shape.scale
        tensors[f"{PREFIX}{site}.lora_A.weight"] = down
        tensors[f"{PREFIX}{site}.lora_B.weight"] = up
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / CONFIG, _config(adapter, shape))
    write_bytes(target / WEIGHTS, save(tensors, metadata={"format": "pt"}))


def add_to(module: nn.Module, changes: Changes) -> None:
    """Add the changes to a model's own weights, in place; sums run in float32."""
    with torch.no_grad():
        for site, (down, up) in changes.items():
            linear: Any = module.get_submodule(site)
            weight = linear.weight
            change = up.to(weight.device, torch.float32) @ down.to(weight.device, torch.float32)
            change = change.T if isinstance(linear, Conv1D) else change
            weight.copy_((change + weight).to(weight.dtype))


@contextmanager
def laid_on(module: nn.Module, changes: Changes) -> Iterator[None]:
    """The model with the changes added, for as long as the block runs; then its very own weights again."""
    weights: dict[str, Any] = {site: module.get_submodule(site).weight for site in changes}
    before = {site: weight.detach().clone() for site, weight in weights.items()}
    try:
        add_to(module, changes)
        yield
    finally:
        with torch.no_grad():
            for site, weight in weights.items():
                weight.copy_(before[site])


def changes_of(peft: Any, scale: float) -> dict[str, tuple[Tensor, Tensor]]:
    """What a LoRA in training holds, as changes in float32 on the CPU; `scale` is its alpha over its rank."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in peft.named_parameters():
        site, found, rest = name.removeprefix(PREFIX).partition(".lora_")
        if found:
            halves.setdefault(site, {})[rest[0]] = tensor.detach().float().cpu().clone()
    return {site: (two["A"], two["B"] * scale) for site, two in sorted(halves.items())}


def save_changes(path: Path, changes: Changes) -> None:
    """Changes as safetensors."""
    parts = {
        f"{site}.{half}": tensor.contiguous()
        for site, pair in changes.items()
        for half, tensor in zip(("down", "up"), pair, strict=True)
    }
    write_bytes(path, save(parts, metadata={"format": "pt"}))


def load_changes(path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """What `save_changes` wrote.

    Raises:
        BadFile: the file is damaged, or lacks one half of a change.
    """
    try:
        parts = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(f"{path} holds no changes ({str(error)[:80]}).") from error
    sites = {name.rpartition(".")[0] for name in parts}
    if set(parts) != {f"{site}.{half}" for site in sites for half in ("down", "up")}:
        raise BadFile(f"{path} lacks one half of a change.")
    return {site: (parts[f"{site}.down"], parts[f"{site}.up"]) for site in sorted(sites)}


def _rescaled(own: Factor, scale: float) -> Float[Tensor, "out rank"]:
    up = own.up.float()
    return up if own.scale == scale else up * (own.scale / scale)


def _config(adapter: AdapterFile, shape: Shape) -> dict[str, Any]:
    """A plain LoRA's configuration; PEFT reads the same from it as we do."""
    alpha = shape.scale * shape.rank
    return {
        "base_model_name_or_path": adapter.config.get("base_model_name_or_path"),
        "bias": "none",
        "fan_in_fan_out": bool(adapter.config.get("fan_in_fan_out", False)),
        "inference_mode": True,
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": shape.rank,
        "target_modules": list(shape.sites),
        "task_type": "CAUSAL_LM",
    }
