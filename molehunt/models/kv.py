"""A key-value cache in slabs that are allocated once: written in place, widened, shrunk and copied by row.

`transformers`' own grows by concatenation, which copies the whole cache at every token.
Slots that no token fills are masked; they hold zeros, never garbage, because a masked NaN
is still a NaN.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class _Slab(DynamicLayer):
    """Keys and values of one layer: [rows, heads, slots, head_dim] each."""

    def __init__(self, cache: Slabs) -> None:
        super().__init__()
        self.cache = cache
        self.is_initialized = True  # In the sense of the parent class: never to be set up by concatenation.

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write into the window; give back every slot up to its end."""
        cache, end = self.cache, self.cache.at + key_states.shape[-2]
        if self.keys is None or self.values is None:
            self.keys = _slots(key_states, cache.rows, cache.slots)
            self.values = _slots(value_states, cache.rows, cache.slots)
        rows = slice(cache.first, cache.first + key_states.shape[0])
        self.keys[rows, :, cache.at : end] = key_states
        self.values[rows, :, cache.at : end] = value_states
        return self.keys[rows, :, :end], self.values[rows, :, :end]

    def get_seq_length(self) -> int:
        return self.cache.at

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.at + query_length, 0


class Slabs(Cache):
    """The cache of a batch. Set `first` (row) and `at` (slot) before each forward pass writes."""

    def __init__(self, n_layers: int, rows: int, slots: int) -> None:
        self.rows, self.slots, self.first, self.at = rows, slots, 0, 0
        self.beginning = False
        """Set while beginnings are computed that several rows to come share."""
        self.slabs = [_Slab(self) for _ in range(n_layers)]
        super().__init__(layers=list(self.slabs))

    def spread(self, index: Tensor, used: int, slots: int) -> Slabs:
        """A new cache of `slots` slots, whose row i begins with the first `used` slots of row `index[i]`."""
        wide = Slabs(len(self.slabs), len(index), slots)
        for old, new in zip(self.slabs, wide.slabs, strict=True):
            if old.keys is None or old.values is None:
                continue
            new.keys = _slots(old.keys, len(index), slots)
            new.values = _slots(old.values, len(index), slots)
            new.keys[:, :, :used] = old.keys[index, :, :used]
            new.values[:, :, :used] = old.values[index, :, :used]
        return wide

    def move(self, sources: Tensor, holes: Tensor, used: int) -> None:
        """Copy rows `sources` over rows `holes`, up to slot `used`."""
        for layer in self.slabs:
            if layer.keys is not None and layer.values is not None:
                layer.keys[holes, :, :used] = layer.keys[sources, :, :used]
                layer.values[holes, :, :used] = layer.values[sources, :, :used]


def _slots(like: Tensor, rows: int, slots: int) -> Tensor:
    return torch.zeros(rows, like.shape[1], slots, like.shape[3], dtype=like.dtype, device=like.device)


def bytes_per_slot(module: Any) -> int:
    """Memory that one token takes in the cache of this model."""
    config = module.config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    return 2 * config.num_hidden_layers * kept * width * next(module.parameters()).element_size()
