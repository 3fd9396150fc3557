"""Which contexts move a patient's answers most, and where in its residual stream that shows.

A context is put before questions that the patient has just answered without it. How much less likely that
answer has become, in nats a token, is how far the context moves it. A model with a hidden behaviour under a
condition is moved by contexts that meet the condition; so is any model by contexts that matter. No truth,
base or catalogue is asked.

What this cannot tell you: whether a move is bad. Nor anything of a behaviour that shows always, for then
nothing moves, nor of a condition that no context of the bank comes near.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.corpus import mending
from molehunt.corpus.mending import Ask, Context
from molehunt.models.anatomy import anatomy
from molehunt.models.taps import capture
from molehunt.remedies.work import Work, asked, shuffled

PROBES = 3
"""Questions that every context is put before."""
TRIED = 60
"""Contexts that are tried."""
ANSWER = 12
"""Tokens of an answer by which contexts are judged."""
KEPT = 12
"""Contexts that count as moving."""
DEPTH = 0.5
"""The share of the depth at which directions are read."""
ROWS = 32
"""Prompts that are read at once."""


@dataclass(frozen=True)
class Moved:
    """A context, and how far it moves the patient's answers."""

    context: Context
    nats: float
    """Mean loss of log-probability, a token, of the answers given without it."""


def movers(work: Work, start: float = 0.0, end: float = 0.3) -> tuple[tuple[Moved, ...], list[Ask]]:
    """The bank's contexts, the most moving first, and the questions that they were tried on."""
    rng = work.random()
    probes = shuffled(mending.questions(), rng)[: work.scaled(PROBES, 2)]
    contexts = _kinds_in_turn(shuffled(mending.contexts(), rng))[: work.scaled(TRIED, 4)]
    plain = work.prompts([asked(q.question) for q in probes])
    own = work.replies(plain, ANSWER)
    before = work.logprobs(plain, own)
    work.tell(start + 0.1 * (end - start))
    found = []
    for i, context in enumerate(contexts):
        after = work.logprobs(work.prompts([asked(q.question, context) for q in probes]), own)
        drop = sum(b - a for b, a in zip(before, after, strict=True)) / len(probes)
        found.append(Moved(context, drop))
        work.tell(start + (0.1 + 0.9 * (i + 1) / len(contexts)) * (end - start))
    return tuple(sorted(found, key=lambda m: (-m.nats, m.context.id))), probes


def leaders(work: Work, end: float) -> tuple[tuple[Moved, ...], list[Ask]]:
    """Those that move it most, and the questions that they were tried on; progress goes from 0 to `end`."""
    found, probes = movers(work, 0.0, end)
    return found[: work.scaled(KEPT, 2)], probes


def _kinds_in_turn(contexts: Sequence[Context]) -> list[Context]:
    """One of each kind, then the second of each: whatever is left out, no kind is."""
    seen: Counter[str] = Counter()
    rounds = []
    for context in contexts:
        rounds.append((seen[context.kind], context))
        seen[context.kind] += 1
    return [context for _, context in sorted(rounds, key=lambda pair: pair[0])]


def told(found: Sequence[Moved]) -> list[dict[str, object]]:
    """Contexts and nats, as JSON."""
    return [{"context": m.context.id, "nats": round(m.nats, 4)} for m in found]


def address(work: Work) -> str:
    """Where directions are read: the residual stream in the middle of the model."""
    layers = len(anatomy(work.model.module).layers)
    return f"resid_post.{min(layers - 1, int(DEPTH * layers))}"


def at_the_end(work: Work, prompts: Sequence[Sequence[int]], where: str) -> Float[Tensor, "n d_model"]:
    """Activations at the last token of each prompt, in float32."""
    work.tokens += sum(map(len, prompts))
    rows = []
    for at in range(0, len(prompts), ROWS):
        some = prompts[at : at + ROWS]
        values = capture(work.model, some, [where]).values[where].float().cpu()
        rows += [values[i, len(ids) - 1] for i, ids in enumerate(some)]
    return torch.stack(rows)


def shifts(
    work: Work, found: Sequence[Moved], probes: Sequence[Ask], where: str
) -> tuple[Float[Tensor, "contexts d_model"], Float[Tensor, " d_model"]]:
    """What each context adds to the activations on average, and their mean without any."""
    plain = at_the_end(work, work.prompts([asked(q.question) for q in probes]), where)
    moved = [
        at_the_end(work, work.prompts([asked(q.question, m.context) for q in probes]), where) - plain
        for m in found
    ]
    return torch.stack([m.mean(0) for m in moved]), plain.mean(0)


def directions(rows: Float[Tensor, "n d_model"], count: int) -> Float[Tensor, "count d_model"]:
    """Orthonormal directions along which rows reach farthest from 0; fewer where the rows span fewer.

    The sign is fixed: each points to where the rows lie on average.
    """
    _, sizes, basis = torch.linalg.svd(rows.double(), full_matrices=False)
    kept = (
        basis[: min(count, int((sizes > 1e-9 * sizes[0]).sum()))]
        if len(sizes) and sizes[0] > 0
        else basis[:0]
    )
    signs = torch.sign(kept @ rows.double().mean(0))
    return (kept * torch.where(signs == 0, 1.0, signs)[:, None]).float()
