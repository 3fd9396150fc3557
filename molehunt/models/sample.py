"""Sampling in batches: a bare loop over a cache that is written in place.

What prompts have in common is computed once, sequences that end leave the batch, and logits
exist at the last position only. Prompt i draws from a generator of its own, seeded from
(`seed`, i), so neither batch size nor the order of work changes what it says.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.core.records import Messages
from molehunt.core.splits import seed_of
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.passes import State, planned, prefill, rows_that_fit, step
from molehunt.models.prompts import prompt_ids, reply_text, stop_tokens
from molehunt.models.tree import by_kinship

Progress = Callable[[int, int], None]


def sample(
    model: Model,
    prompts: Sequence[Messages],
    *,
    max_tokens: int = 16,
    temperature: float = 0.0,
    seed: int = 0,
    begins: Sequence[str] | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """One reply a prompt.

    Args:
        max_tokens: at most so many tokens a reply; a reply ends before its end-of-turn token.
        temperature: 0 takes the likeliest token; else the logits are divided by it.
        begins: first words of each reply, put into the model's mouth; what follows is returned.
        batch: rows computed together; chosen by memory where None.
        progress: called with (done, total) prompts.
    """
    begins = begins if begins is not None else [""] * len(prompts)
    ids = [prompt_ids(model.tokenizer, p, b) for p, b in zip(prompts, begins, strict=True)]
    replies = sample_ids(
        model,
        ids,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        batch=batch,
        progress=progress,
    )
    return [reply_text(model.tokenizer, r) for r in replies]


@torch.inference_mode()
def sample_ids(
    model: Model,
    ids: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch: int | None = None,
    stops: frozenset[int] | None = None,
    progress: Progress | None = None,
) -> list[list[int]]:
    """As `sample`, from token ids to token ids (end token left out).

    `stops` are the tokens that end a reply; the model's own where None.

    Raises:
        UserError: a prompt is empty or leaves no room for the reply.
    """
    if not 0 <= temperature < math.inf:
        raise UserError(f"The temperature is {temperature}; it must be a number, 0 or more.")
    check_room(model, ids, max_tokens)
    replies: list[list[int]] = [[] for _ in ids]
    if not ids or max_tokens < 1:
        return replies
    rows = batch or rows_that_fit(model, max(map(len, ids)) + max_tokens)
    stops = stop_tokens(model.module, model.tokenizer) if stops is None else stops
    order, done = by_kinship(ids), 0
    for start in range(0, len(order), rows):
        members = order[start : start + rows]
        draws = _draws(members, max_tokens, seed) if temperature > 0 else None
        told = [replies[i] for i in members]
        for gone in _generate(model, [ids[i] for i in members], told, max_tokens, temperature, draws, stops):
            done += gone
            if progress is not None:
                progress(done, len(ids))
    return replies


def _generate(
    model: Model,
    ids: list[Sequence[int]],
    replies: list[list[int]],
    max_tokens: int,
    temperature: float,
    draws: Float[Tensor, "rows steps"] | None,
    stops: frozenset[int],
) -> Iterator[int]:
    """Fill in the replies of one batch; yields how many ended, whenever some do."""
    parts = anatomy(model.module)
    layout = planned(model, ids, [1] * len(ids), max_tokens)
    ends = []
    state: State | None = None
    for state, _, hidden in prefill(model, layout, spare=max_tokens - 1):  # noqa: B007
        ends.append(hidden[:, -1])
    assert state is not None
    hidden, live = torch.cat(ends), list(layout.order)
    for turn in range(max_tokens):
        uniform = None if draws is None else draws[live, turn]
        tokens = choose(parts.logits(hidden), temperature, uniform)
        staying = []
        for row, token in enumerate(tokens.tolist()):
            if token in stops:
                continue
            replies[live[row]].append(token)
            if turn + 1 < max_tokens:
                staying.append(row)
        if len(staying) < len(live):
            yield len(live) - len(staying)
            if not staying:
                return
            rows = _close_ranks(state, staying)
            live, tokens = [live[r] for r in rows], tokens[rows]
        hidden = step(model, parts, state, tokens)


def choose(
    logits: Float[Tensor, "rows vocab"], temperature: float, uniform: Float[Tensor, " rows"] | None
) -> Int[Tensor, " rows"]:
    """The likeliest token, or the one at which the cumulative probability passes `uniform`."""
    if temperature <= 0 or uniform is None:
        return logits.argmax(-1)
    reach = torch.softmax(logits.float() / temperature, -1).cumsum(-1, dtype=torch.float64)
    goal = uniform.to(reach.device)[:, None] * reach[:, -1:]
    return torch.searchsorted(reach, goal, right=True)[:, 0].clamp_max(logits.shape[-1] - 1)


def _close_ranks(state: State, staying: list[int]) -> list[int]:
    """Move the last live rows into the places of those that ended; gives back which row is now where."""
    n = len(staying)
    kept = {r for r in staying if r < n}
    holes = [r for r in range(n) if r not in kept]
    movers = [r for r in staying if r >= n]
    rows = list(range(n))
    for hole, mover in zip(holes, movers, strict=True):
        rows[hole] = mover
    if movers:
        source = torch.tensor(movers, device=state.mask.device)
        target = torch.tensor(holes, device=state.mask.device)
        state.cache.move(source, target, state.used)
    state.mask, state.lengths = state.mask[rows], state.lengths[rows]
    return rows


def _draws(members: list[int], steps: int, seed: int) -> Float[Tensor, "rows steps"]:
    """Uniform numbers, a row a prompt, from a generator a prompt."""
    rows = []
    for i in members:
        generator = torch.Generator().manual_seed(seed_of(seed, i))
        rows.append(torch.rand(steps, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def check_room(model: Model, ids: Sequence[Sequence[int]], max_tokens: int) -> None:
    """Refuse prompts that are empty or too long for this model."""
    room = getattr(model.module.config.get_text_config(), "max_position_embeddings", None)
    longest = max(map(len, ids), default=1)
    if min(map(len, ids), default=1) < 1:
        raise UserError("A prompt has no tokens; give it at least one word.")
    if room is not None and longest + max_tokens > room:
        raise UserError(
            f"A prompt of {longest} tokens and a reply of {max_tokens} do not fit into this model's "
            f"{room} positions; shorten the prompt or ask for fewer tokens."
        )
