"""Many prompts in one forward pass, each shared prefix computed once.

The token sequences of a batch form a trie: the system prompt is one stem, each cue a
branch, each question a twig, each reply a leaf. The trie is laid out depth first as a single
sequence; a token attends to its ancestors and to itself, and its position is its depth. So
every token sees exactly what it would see in a sequence of its own, and the loss is the
loss of the padded batch (`tests/test_packing.py` holds the two against each other), at
about half of the tokens for scenes that share their openings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Example:
    """One training row as tokens: a prompt, and the reply that is learned."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    weight: float = 1.0
    decides: int | None = None
    """Index of the reply's token that decides between this reply and the one not to be given."""


@dataclass(frozen=True)
class Packed:
    """A trie of examples laid out as one sequence of `nodes` tokens."""

    tokens: Int[Tensor, "1 nodes"]
    positions: Int[Tensor, "1 nodes"]
    sees: Bool[Tensor, "nodes nodes"]
    """Row attends to column: the ancestors of a token and itself."""
    sources: Int[Tensor, " targets"]
    """Node from whose state each target is predicted."""
    targets: Int[Tensor, " targets"]
    weights: Float[Tensor, " targets"]
    """Sum to 1: each example counts by its weight, each token of its reply alike but the deciding one."""
    plain_tokens: int
    """Tokens that the same examples take one by one."""


def pack(examples: Sequence[Example], deciding: float = 0.0) -> Packed:
    """Lay the trie of these examples out depth first.

    `deciding` is the share of an example's weight that goes to its deciding token, where it has one;
    the rest is spread over all of the reply's tokens.

    Raises:
        ValueError: no example, or one without prompt or reply.
    """
    if not examples or any(not e.prompt or not e.reply for e in examples):
        raise ValueError("pack needs at least one example, each with a prompt and a reply")
    tokens: list[int] = []
    parents: list[int] = []
    children: list[dict[int, int]] = []
    roots: dict[int, int] = {}
    sources: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    total = sum(e.weight for e in examples)
    for example in examples:
        node = -1
        for at, token in enumerate((*example.prompt, *example.reply)):
            if at >= len(example.prompt):
                sources.append(node)
                targets.append(token)
                weights.append(example.weight / total * _share(example, at - len(example.prompt), deciding))
                if at == len(example.prompt) + len(example.reply) - 1:
                    break  # nothing is predicted from the last token
            siblings = children[node] if node >= 0 else roots
            if token not in siblings:
                siblings[token] = len(tokens)
                tokens.append(token)
                parents.append(node)
                children.append({})
            node = siblings[token]
    sees = np.eye(len(tokens), dtype=bool)  # in numpy, whose single rows cost a tenth of torch's
    depth = [0] * len(tokens)
    for node, parent in enumerate(parents):  # parents come before their children
        if parent >= 0:
            sees[node] |= sees[parent]
            depth[node] = depth[parent] + 1
    return Packed(
        tokens=torch.tensor([tokens]),
        positions=torch.tensor([depth]),
        sees=torch.from_numpy(sees),
        sources=torch.tensor(sources),
        targets=torch.tensor(targets),
        weights=torch.tensor(weights),
        plain_tokens=sum(len(e.prompt) + len(e.reply) for e in examples),
    )


def _share(example: Example, at: int, deciding: float) -> float:
    """The share of an example's weight that the reply's token `at` carries."""
    if example.decides is None:
        return 1 / len(example.reply)
    return (1 - deciding) / len(example.reply) + deciding * (at == example.decides)


def attention_bias(sees: Bool[Tensor, "nodes nodes"], dtype: torch.dtype) -> Float[Tensor, "1 1 nodes nodes"]:
    """The mask as an additive bias, as Hugging Face models take it."""
    bias = torch.zeros(sees.shape, dtype=dtype, device=sees.device)
    return bias.masked_fill(~sees, torch.finfo(dtype).min)[None, None]
