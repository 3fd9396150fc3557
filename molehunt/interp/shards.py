"""One shard of a capture: its file, what it says of itself, and whether it is still what was written.

Each tensor's CRC-32 stands in the file's metadata. It finds accidents: any burst of up to 32 bits, and of
others all but one in four thousand millions. Whoever changes numbers on purpose can change the sum as well.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from molehunt.core.atomic import write_bytes

MARKS = ("token", "position", "context", "document")
SUMS = "sums"
DAMAGED = (OSError, SafetensorError, KeyError, ValueError, TypeError)
"""What comes of a file that does not open, or does not say what a shard says of itself."""


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return folder / f"shard-{number:05d}.safetensors"


def save_shard(folder: Path, number: int, tensors: dict[str, Tensor], said: Mapping[str, Any]) -> None:
    """Write a shard whole, with what it says of itself and the sum of each tensor."""
    metadata = {"molehunt": json.dumps({**said, SUMS: _sums(tensors)})}
    write_bytes(shard_path(folder, number), save(tensors, metadata))


def read_shard(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Tensor], dict[str, int]]:
    """The named tensors, and the sums that were told of all. Errors: `DAMAGED`."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in names}, _said(file.metadata())[SUMS]


def standing(
    folder: Path, number: int, about: Mapping[str, Any], whole: bool = False
) -> dict[str, Any] | None:
    """What a shard says of itself; None where there is none, or one that does not open.

    With `whole`, all of it is read, and None is given too where it is not what was written.
    """
    try:
        with safe_open(shard_path(folder, number), framework="pt") as file:
            said = _said(file.metadata())
            told, names = said.pop(SUMS), {*about["spec"]["addresses"], *MARKS, "text", "lengths"}
            if not names <= set(file.keys()):
                return None
            if whole and any(changed({name: file.get_tensor(name)}, told) for name in names):
                return None
            return said
    except DAMAGED:
        return None


def changed(tensors: Mapping[str, Tensor], told: Mapping[str, int]) -> list[str]:
    """Which of the tensors are not what was told of them; one of which nothing was told is one of them."""
    return [name for name, found in _sums(tensors).items() if told.get(name) != found]


def _sums(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """The CRC-32 of each tensor's bytes, row by row as they lie on disk."""
    return {name: zlib.crc32(_bytes(values)) for name, values in tensors.items()}


def _bytes(values: Tensor) -> memoryview:
    return values.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _said(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What a shard says of itself, the sums of its tensors among it. Errors among `DAMAGED`."""
    told = json.loads((metadata or {})["molehunt"])
    return {**told, "rows": int(told["rows"]), "groups": int(told["groups"]), SUMS: dict(told[SUMS])}
