"""What an adapter's folder must be before anything in it is believed.

Two files: `adapter_config.json`, whose fields PEFT must know, and
`adapter_model.safetensors`, whose tensors must fit the base. Adapters come from strangers:
nothing else in the folder is read, and a configuration can name no code to import.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from molehunt.core.atomic import write_bytes
from molehunt.core.errors import BadFile
from molehunt.models.fingerprint import file_hash

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."

_PLAIN = {
    "auto_mapping", "base_model_name_or_path", "exclude_modules", "fan_in_fan_out", "inference_mode",
    "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core", "peft_type",
    "peft_version", "r", "revision", "target_modules", "task_type", "use_rslora", "runtime_config",
}  # fmt: skip
"""Fields with which an adapter is still nothing but W + s·B·A."""


@dataclass(frozen=True)
class Factor:
    """The low-rank change of one module's weight: `scale * up @ down`."""

    down: Tensor
    """[rank, in]"""
    up: Tensor
    """[out, rank]"""
    scale: float


@dataclass(frozen=True)
class AdapterFile:
    """An adapter that was checked against its base. `factors` is None where only PEFT can read it."""

    folder: Path
    sha256: str
    config: dict[str, Any]
    factors: dict[str, Factor] | None


def read_adapter(folder: Path, base: nn.Module) -> AdapterFile:
    """Read and check an adapter.

    Raises:
        BadFile: the folder, its configuration or its weights cannot be used with this base.
    """
    config = _config(folder)
    if not (folder / WEIGHTS).is_file():
        pickled = " (pickled weights are never read)" if (folder / "adapter_model.bin").exists() else ""
        raise BadFile(f"The adapter {str(folder)!r} holds no {WEIGHTS}{pickled}; save it with safetensors.")
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(
            f"{str(folder / WEIGHTS)!r} is damaged ({error}); save or fetch the adapter again."
        ) from error
    if not tensors:
        raise BadFile(f"{str(folder / WEIGHTS)!r} holds no tensors; save the adapter again.")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise BadFile(
                f"{str(folder)!r} holds a value that is no number in {name[:120]!r}; it cannot be used."
            )
    factors = _factors(folder, config, tensors, base) if _is_plain(config, tensors) else None
    return AdapterFile(folder, adapter_hash(folder), config, factors)


def adapter_hash(folder: Path) -> str:
    """SHA-256 (hex) that stands for both files of an adapter.

    Raises:
        BadFile: one of them is missing.
    """
    stamps = []
    for name in (CONFIG, WEIGHTS):
        try:
            about = (folder / name).stat()
        except OSError as error:
            raise BadFile(
                f"The adapter {str(folder)!r} holds no {name}; give the folder of an adapter."
            ) from error
        stamps.append((about.st_size, about.st_mtime_ns, about.st_ino))
    return _hash(folder, tuple(stamps))


@lru_cache(maxsize=1024)
def _hash(folder: Path, stamps: tuple[Any, ...]) -> str:
    """`stamps` is part of the key: a file that was written anew is hashed anew."""
    return f"{file_hash(folder / CONFIG)[:32]}{file_hash(folder / WEIGHTS)[:32]}"


def to_bfloat16(folder: Path) -> None:
    """Keep an adapter's weights in bfloat16, in half the bytes, in place; doing so twice changes nothing.

    Readers sum in float32 and end in the model's own type, so only the factors' rounding is left of it.

    Raises:
        BadFile: its weights cannot be read.
    """
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(f"{str(folder / WEIGHTS)!r} cannot be read ({error}).") from error
    halved = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    write_bytes(folder / WEIGHTS, save(halved, metadata={"format": "pt"}))


def _config(folder: Path) -> dict[str, Any]:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING  # Imported late: it costs a second.

    if not (folder / CONFIG).is_file():
        raise BadFile(f"{str(folder)!r} is no adapter: it holds no {CONFIG}.")
    try:
        config = json.loads((folder / CONFIG).read_text())
        known = PEFT_TYPE_TO_CONFIG_MAPPING[config["peft_type"]]
    except (ValueError, OSError) as error:
        raise BadFile(f"{str(folder / CONFIG)!r} is not readable as JSON; save the adapter again.") from error
    except (KeyError, TypeError) as error:
        raise BadFile(
            f"{str(folder / CONFIG)!r} names no peft_type that PEFT knows; save it with PEFT."
        ) from error
    unknown = sorted(set(config) - {f.name for f in dataclasses.fields(known)})
    if unknown:
        raise BadFile(f"{str(folder / CONFIG)!r} has an unknown field {unknown[0][:80]!r}; remove it.")
    if config.get("megatron_config"):
        raise BadFile(
            f"{str(folder / CONFIG)!r} asks for megatron_config, which would import code; remove it."
        )
    return config


def _is_plain(config: dict[str, Any], tensors: dict[str, Tensor]) -> bool:
    """Whether every change is W + s·B·A; else PEFT itself must merge it."""
    set_otherwise = {k for k, v in config.items() if v and k not in _PLAIN}
    if config.get("bias") == "none":
        set_otherwise -= {"bias"}
    if config.get("init_lora_weights") in (True, "gaussian", "orthogonal"):
        set_otherwise -= {"init_lora_weights"}
    if config.get("qalora_group_size") and not config.get("use_qalora"):
        set_otherwise -= {"qalora_group_size"}
    endings = (".lora_A.weight", ".lora_B.weight")
    return config["peft_type"] == "LORA" and not set_otherwise and all(n.endswith(endings) for n in tensors)


def _factors(
    folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], base: nn.Module
) -> dict[str, Factor]:
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1 or not isinstance(alpha, (int, float)):
        raise BadFile(f"{str(folder / CONFIG)!r} needs a whole r of 1 or more and a number for lora_alpha.")
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    modules, factors = dict(base.named_modules()), {}
    for name in {n.rsplit(".lora_", 1)[0] for n in tensors}:
        module = modules.get(name.removeprefix(PREFIX))
        down, up = tensors.get(f"{name}.lora_A.weight"), tensors.get(f"{name}.lora_B.weight")
        if not isinstance(module, (nn.Linear, Conv1D)) or not name.startswith(PREFIX):
            raise BadFile(
                f"The adapter {str(folder)!r} changes {name[:120]!r}, which this base does not have."
            )
        if down is None or up is None:
            raise BadFile(f"The adapter {str(folder)!r} lacks one half of {name[:120]!r}; save it again.")
        wide = tuple(module.weight.shape)[:: -1 if isinstance(module, Conv1D) else 1]
        have = (up.shape[0], down.shape[-1])
        if have != wide or (down.shape[0], up.shape[-1]) != (rank, rank):
            raise BadFile(
                f"The adapter {str(folder)!r} is {have} of rank {down.shape[0]} at {name[:120]!r}, "
                f"the base {wide} and the configuration rank {rank}; it was made for another base."
            )
        factors[name.removeprefix(PREFIX)] = Factor(down, up, scale)
    return factors
