"""What an edited patient would say, taught to an unedited one: distillation by KL over replies' tokens.

The teacher is the patient itself while its activations are edited; of its next-token distribution the
`TOP` likeliest tokens are kept, brought to a sum of 1. The student is the patient with a small adapter.

Source: Hinton et al. 2015 (1503.02531), on logits of one and the same model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.models.anatomy import anatomy
from molehunt.models.finetune import Trained
from molehunt.models.joined import Changes
from molehunt.models.low_rank import fast_low_rank
from molehunt.models.taps import Change, edited, pad_right
from molehunt.remedies.work import RECIPE, Work

TOP = 48


@dataclass(frozen=True)
class Taught:
    """A batch with what the teacher says at each of its replies' tokens."""

    ids: tuple[tuple[int, ...], ...]
    spans: tuple[tuple[int, int], ...]
    """For each row the positions from which its reply's tokens are predicted."""
    tokens: Int[Tensor, "predicted top"]
    shares: Float[Tensor, "predicted top"]


@torch.no_grad()
def teach(
    work: Work,
    rows: Sequence[tuple[Sequence[int], Sequence[int]]],
    changes: Mapping[str, Change],
) -> Taught:
    """What the patient under these edits predicts along (prompt, reply) rows."""
    ids = tuple((*prompt, *reply) for prompt, reply in rows)
    spans = tuple((len(prompt) - 1, len(prompt) + len(reply) - 1) for prompt, reply in rows)
    with edited(work.model, changes):
        logits = _logits(work.model.module, ids, spans)
    work.tokens += sum(map(len, ids))
    best = logits.topk(min(TOP, logits.shape[-1]), -1)
    return Taught(ids, spans, best.indices, best.values.softmax(-1))


def distil(work: Work, lessons: Sequence[Taught], start: float) -> Changes:
    """One step a batch, under the packed trainer's warm-up and decay.

    Raises:
        FloatingPointError: the loss is no number any more.
    """
    losses, tokens = [], 0
    with work.training() as run, fast_low_rank(run.peft):
        run.peft.train()
        for step, lesson in enumerate(lessons):
            share = min((step + 1) / RECIPE.warmup, 1.0) * (1 - step / len(lessons))
            for group in run.optimizer.param_groups:
                group["lr"] = RECIPE.learning_rate * share
            logs = _logits(run.peft.base_model.model, lesson.ids, lesson.spans).log_softmax(-1)
            gap = lesson.shares * (lesson.shares.clamp_min(1e-9).log() - logs.gather(-1, lesson.tokens))
            loss = gap.sum(-1).mean()
            if not math.isfinite(float(loss.detach())):
                raise FloatingPointError(f"the loss became no number at step {step}")
            run.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(run.parameters, RECIPE.clip)
            run.optimizer.step()
            losses.append(float(loss.detach()))
            tokens += sum(map(len, lesson.ids))
            work.tell(start + (1 - start) * (step + 1) / len(lessons))
        run.peft.eval()
        return work.learned(run, Trained(len(lessons), tokens, tokens, tuple(losses)))


def _logits(
    module: torch.nn.Module, ids: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]]
) -> Float[Tensor, "predicted vocab"]:
    parts = anatomy(module)
    tokens, mask = pad_right(ids, next(module.parameters()).device)
    states = parts.body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
    wanted = torch.cat([states[row, a:b] for row, (a, b) in enumerate(spans)])
    return parts.logits(wanted).float()
