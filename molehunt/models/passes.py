"""Forward passes over a plan of shared beginnings, ending in a cache that is ready to go on.

Rows are padded on the left within a level. The mask says which slots hold a token and the
position ids say where it stands, so padding between levels changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from molehunt.models.anatomy import Anatomy, anatomy, sliding_window
from molehunt.models.kv import Slabs, bytes_per_slot
from molehunt.models.loaded import Model
from molehunt.models.tree import Ids, Level, Plan, plan, runs

PASS_COST = {"cpu": 32, "cuda": 512}
"""What a pass costs by itself, in tokens: reading the weights, and Python."""
PASS_TOKENS = {"cpu": 2048, "cuda": 16384}
"""The most tokens in one pass."""
CACHE_BYTES = 640 * 2**20
"""What the cache of a batch may take on a CPU; on a GPU a quarter of its memory."""


@dataclass
class State:
    """A batch in the midst of generation. Its cache holds `used` slots a row."""

    cache: Slabs
    used: int
    mask: Bool[Tensor, "rows slots"]
    lengths: Int[Tensor, " rows"]
    """Tokens so far, which is the next token's position."""


@torch.inference_mode()
def prefill(
    model: Model, sequences: Plan, spare: int = 0
) -> Iterator[tuple[State, slice, Float[Tensor, "..."]]]:
    """Run every level of a plan.

    Yields, for each run of rows of the last level, the state (whole only after the last of
    them), which rows, and their normed hidden states [rows, width, d_model], aligned right.
    """
    parts, device = anatomy(model.module), model.device
    state = State(
        Slabs(len(parts.layers), 1, 0),
        0,
        torch.zeros(1, 0, dtype=torch.bool, device=device),
        torch.zeros(1, dtype=torch.long, device=device),
    )
    last = len(sequences.levels) - 1
    for depth, level in enumerate(sequences.levels):
        width = max(len(s) for s in level.segments)
        state = _spread(state, level, width, state.used + width + (spare if depth == last else 0))
        state.cache.beginning = depth < last
        for rows in _runs(level, device):
            hidden = _run(parts, state, level.segments[rows], rows, width)
            if depth == last:
                yield state, rows, hidden
        state.used += width
        state.lengths = state.lengths + torch.tensor([len(s) for s in level.segments], device=device)


@torch.inference_mode()
def step(
    model: Model, parts: Anatomy, state: State, tokens: Int[Tensor, " rows"]
) -> Float[Tensor, "rows d_model"]:
    """One more token for the first rows of the batch; normed hidden states."""
    rows, cache = len(tokens), state.cache
    cache.first, cache.at = 0, state.used
    state.mask[:rows, state.used] = True
    hidden = parts.body(
        input_ids=tokens[:, None],
        attention_mask=state.mask[:rows, : state.used + 1],
        position_ids=state.lengths[:rows, None],
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state[:, -1]
    state.used += 1
    state.lengths = state.lengths + 1
    return hidden


def planned(model: Model, sequences: list[Ids], own: list[int], room: int) -> Plan:
    """A plan that this model's attention allows: windows count slots, so there padding stays on the left."""
    window = sliding_window(model.module)
    longest = max(len(s) for s in sequences)
    return plan(sequences, own, share=window is None or window >= 2 * (longest + room))


def rows_that_fit(model: Model, slots: int) -> int:
    """How many rows of that many slots the cache may hold."""
    allowed = CACHE_BYTES
    if model.device.type == "cuda":
        allowed = torch.cuda.get_device_properties(model.device).total_memory // 4
    most = 128 if model.device.type == "cpu" else 1024
    return max(1, min(most, allowed // max(1, slots * bytes_per_slot(model.module))))


def _runs(level: Level, device: torch.device) -> list[slice]:
    kind = "cpu" if device.type == "cpu" else "cuda"
    return runs([len(s) for s in level.segments], PASS_COST[kind], PASS_TOKENS[kind])


def _spread(state: State, level: Level, width: int, slots: int) -> State:
    parents = torch.tensor(level.parents, device=state.mask.device)
    mask = torch.zeros(len(parents), slots, dtype=torch.bool, device=state.mask.device)
    mask[:, : state.used] = state.mask[parents, : state.used]
    for row, segment in enumerate(level.segments):
        mask[row, state.used + width - len(segment) : state.used + width] = True
    return State(state.cache.spread(parents, state.used, slots), state.used, mask, state.lengths[parents])


def _run(parts: Anatomy, state: State, segments: tuple[Ids, ...], rows: slice, width: int) -> Any:
    """Normed hidden states of one run of rows, its tokens written at the right end of the level's slots."""
    wide, device = max(len(s) for s in segments), state.mask.device
    ids = torch.zeros(len(segments), wide, dtype=torch.long)
    places = torch.zeros(len(segments), wide, dtype=torch.long)
    for row, segment in enumerate(segments):
        ids[row, wide - len(segment) :] = torch.tensor(segment)
        places[row, wide - len(segment) :] = torch.arange(len(segment))
    state.cache.first, state.cache.at = rows.start, state.used + width - wide
    return parts.body(
        input_ids=ids.to(device),
        attention_mask=state.mask[rows, : state.used + width],
        position_ids=places.to(device) + state.lengths[rows, None],
        past_key_values=state.cache,
        use_cache=True,
    ).last_hidden_state
