"""Checksums of tensors, so that bytes which changed on disk are noticed where they are used.

CRC-32 finds accidents: any burst of up to 32 bits, and of others all but one in four thousand millions.
Whoever changes numbers on purpose can change the sum as well.
"""

import zlib
from collections.abc import Mapping

import torch
from torch import Tensor


def sums(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """The CRC-32 of each tensor's bytes, row by row as they lie on disk."""
    return {name: zlib.crc32(_bytes(values)) for name, values in tensors.items()}


def changed(tensors: Mapping[str, Tensor], told: Mapping[str, int]) -> list[str]:
    """Which of the tensors are not what was told of them; one of which nothing was told is one of them."""
    return [name for name, found in sums(tensors).items() if told.get(name) != found]


def _bytes(values: Tensor) -> memoryview:
    return memoryview(values.contiguous().reshape(-1).view(torch.uint8).numpy())
