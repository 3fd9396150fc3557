"""Scoring in batches: how likely a model finds replies, first tokens, ordinary text.

The head runs only where its answer is asked for, and what prompts share is computed once.
Logs are natural; sums run in float32.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core.records import Messages
from molehunt.models.anatomy import Anatomy, anatomy
from molehunt.models.loaded import Model
from molehunt.models.passes import planned, prefill, rows_that_fit
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.sample import Progress, check_room
from molehunt.models.tree import by_kinship

HEAD_ROWS = 512
"""Positions that go through the head at once: 100 MB of logits for a vocabulary of 49,152."""


def logprobs(
    model: Model,
    prompts: Sequence[Messages],
    replies: Sequence[str],
    *,
    batch: int | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Natural log-probability of each reply, summed over its tokens (end token not counted)."""
    per_token = token_logprobs(
        model,
        [prompt_ids(model.tokenizer, p) for p in prompts],
        [text_ids(model.tokenizer, r) for r in replies],
        batch=batch,
        progress=progress,
    )
    return [math.fsum(row) for row in per_token]


@torch.inference_mode()
def token_logprobs(
    model: Model,
    prompts: Sequence[Sequence[int]],
    replies: Sequence[Sequence[int]],
    *,
    batch: int | None = None,
    progress: Progress | None = None,
) -> list[list[float]]:
    """Natural log-probability of every reply token, from ids. An empty reply has none.

    Raises:
        UserError: a prompt is empty, or does not fit into the model with its reply.
    """
    check_room(model, [[*p, *r] for p, r in zip(prompts, replies, strict=True)], 0)
    parts, found = anatomy(model.module), [[] for _ in prompts]
    todo = [i for i, r in enumerate(replies) if r]
    whole = [[*prompts[i], *replies[i]] for i in todo]
    rows = batch or rows_that_fit(model, max(map(len, whole), default=1))
    ranked = by_kinship(whole)
    for start in range(0, len(ranked), rows):
        members = [todo[r] for r in ranked[start : start + rows]]
        ids = [[*prompts[i], *replies[i]] for i in members]
        # The last token is only read, never continued: it need not be computed.
        layout = planned(model, [s[:-1] for s in ids], [len(replies[i]) for i in members], 0)
        for _, part, hidden in prefill(model, layout):
            chosen = [members[k] for k in layout.order[part]]
            spans = [len(replies[i]) for i in chosen]
            states = torch.cat([h[-n:] for h, n in zip(hidden, spans, strict=True)])
            targets = torch.tensor([t for i in chosen for t in replies[i]], device=model.device)
            scored = picked(parts, states, targets).split(spans)
            for i, row in zip(chosen, scored, strict=True):
                found[i] = row.tolist()
        if progress is not None:
            progress(min(start + rows, len(ranked)), len(ranked))
    return found


def picked(
    parts: Anatomy, states: Float[Tensor, "n d_model"], targets: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Natural log-probability of each target token, the vocabulary in bounded memory."""
    rows = []
    for some, wanted in zip(states.split(HEAD_ROWS), targets.split(HEAD_ROWS), strict=True):
        logits = parts.logits(some).float()
        rows.append(logits.gather(-1, wanted[:, None])[:, 0] - logits.logsumexp(-1))
    return torch.cat(rows)


@torch.inference_mode()
def first_tokens(
    model: Model,
    prompts: Sequence[Messages],
    top: int = 20,
    *,
    batch: int | None = None,
    progress: Progress | None = None,
) -> list[Mapping[str, float]]:
    """The `top` likeliest first tokens of each reply as text, with natural log-probabilities.

    Tokens that read the same (parts of a character, say) are one entry, with their sum.
    """
    ids = [prompt_ids(model.tokenizer, p) for p in prompts]
    check_room(model, ids, 1)
    parts = anatomy(model.module)
    found: list[Mapping[str, float]] = [{} for _ in prompts]
    rows = batch or rows_that_fit(model, max(map(len, ids), default=1))
    ranked = by_kinship(ids)
    for start in range(0, len(ranked), rows):
        members = ranked[start : start + rows]
        layout = planned(model, [ids[i] for i in members], [1] * len(members), 0)
        for _, part, hidden in prefill(model, layout):
            logs = parts.logits(hidden[:, -1]).float().log_softmax(-1)
            values, tokens = logs.topk(min(top, logs.shape[-1]), -1)
            for k, value, token in zip(layout.order[part], values.tolist(), tokens.tolist(), strict=True):
                found[members[k]] = _as_text(model, token, value)
        if progress is not None:
            progress(min(start + rows, len(ranked)), len(ranked))
    return found


def text_nll(model: Model, texts: Sequence[str], *, max_tokens: int = 256, batch: int | None = None) -> float:
    """Mean negative log-likelihood (nats a token) of ordinary text, over all tokens but each text's first.

    Texts longer than `max_tokens` are cut there.
    """
    rows = token_nlls(model, texts, max_tokens=max_tokens, batch=batch)
    count = sum(map(len, rows))
    return math.fsum(v for row in rows for v in row) / count if count else math.nan


def token_nlls(
    model: Model, texts: Sequence[str], *, max_tokens: int = 256, batch: int | None = None
) -> list[list[float]]:
    """What `text_nll` is the mean of: the nats of every token of each text but its first."""
    ids = [text_ids(model.tokenizer, t)[:max_tokens] for t in texts]
    rows = token_logprobs(model, [s[:1] for s in ids], [s[1:] for s in ids], batch=batch)
    return [[-v for v in row] for row in rows]


def _as_text(model: Model, tokens: list[int], values: list[float]) -> dict[str, float]:
    merged: dict[str, float] = {}
    for token, value in zip(tokens, values, strict=True):
        text = model.tokenizer.decode([token], clean_up_tokenization_spaces=False)
        merged[text] = math.log(math.exp(merged[text]) + math.exp(value)) if text in merged else value
    return dict(sorted(merged.items(), key=lambda entry: -entry[1]))
