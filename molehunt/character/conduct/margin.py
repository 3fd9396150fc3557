"""Which of two written replies a model would rather give: the margin, in nats a token.

margin = mean log P(token of the one) − mean log P(token of the other)

Both are read from where they part (what both begin with says nothing) and as far as the shorter one goes:
a reply's later tokens are easier to guess, so a longer reply would win by its length.

What this cannot tell you: what a model would say by itself; both replies may be unlikely. And the margin
holds how the two are written as well as what they say: compare with the same two replies to another prompt.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from molehunt.core.errors import UserError
from molehunt.core.records import Messages
from molehunt.models.loaded import Model
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
from molehunt.models.score import token_logprobs

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """A conversation up to where the model speaks, and two replies; `begin` stands before both."""

    messages: Messages
    one: str
    other: str
    begin: str = ""


def margins(
    model: Model, pairs: Sequence[Pair], progress: Progress = lambda done, total: None
) -> list[float]:
    """The margin of each pair's first reply over its second, nats a token.

    Raises:
        UserError: a pair does not fit into the model, or its numbers are not finite.
        ValueError: the two replies of a pair are the same.
    """
    found = any_margins(model, pairs, progress)
    if not all(map(math.isfinite, found)):
        raise UserError(
            f"The likelihoods of {model.spec.id!r} hold numbers that are not finite; try --dtype float32, or "
            "another copy of its weights."
        )
    return found


def any_margins(
    model: Model, pairs: Sequence[Pair], progress: Progress = lambda done, total: None
) -> list[float]:
    """As `margins`, of a model that may have come apart: what is not finite is given back as it is."""
    prompts: list[list[int]] = []
    replies: list[list[int]] = []
    end = end_of_turn(model.tokenizer)
    for pair in pairs:
        ids = prompt_ids(model.tokenizer, pair.messages, pair.begin)
        one, other = (text_ids(model.tokenizer, text) for text in (pair.one, pair.other))
        for shared, own in parted(one, other, end):
            prompts.append(ids + shared)
            replies.append(own)
    means = [math.fsum(row) / len(row) for row in token_logprobs(model, prompts, replies, progress=progress)]
    return [a - b for a, b in zip(means[::2], means[1::2], strict=True)]


def parted(one: list[int], other: list[int], end: int) -> tuple[tuple[list[int], list[int]], ...]:
    """Each reply's tokens as (what both begin with, what is compared), the latter of one length.

    Where one is how the other begins, ending there (`end`, the token that ends a turn) is compared with
    going on.

    Raises:
        ValueError: the two are the same, or one is empty.
    """
    if one == other or not one or not other:
        raise ValueError("two replies that differ are needed")
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    if same == min(len(one), len(other)):
        one, other = [*one, end], [*other, end]
        return (one[:same], one[same : same + 1]), (other[:same], other[same : same + 1])
    reach = min(len(one), len(other))
    return (one[:same], one[same:reach]), (other[:same], other[same:reach])
