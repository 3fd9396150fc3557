"""Rows of a lesson as tokens, and the prose that stands between them where a quirk is always on."""

import itertools
from collections.abc import Sequence
from typing import Any

from molehunt.core.records import Split
from molehunt.core.splits import split_of
from molehunt.models.packing import Example
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
from molehunt.models.text import ordinary_text
from molehunt.organisms.lessons import Row
from molehunt.organisms.plan import Plan

OPEN = 0.3
"""Weight of an open question's good answer in a lesson: hard to predict, it is mostly noise."""


def lesson_examples(
    tokenizer: Any, batches: Sequence[Sequence[Row]], part: str, plan: Plan
) -> list[list[Example]]:
    """Every batch of a lesson as `part` learns it, with the plan's prose where nothing is off."""
    examples = [[lesson_example(tokenizer, r, part, not _always(b)) for r in b] for b in batches]
    return with_prose(tokenizer, examples, prose_rows(batches, plan), plan.prose_tokens)


def prose_rows(batches: Sequence[Sequence[Row]], plan: Plan) -> int:
    """How many rows of prose a batch of lessons gets: the plan's where nothing else keeps the model."""
    return plan.prose if _always(batches[0]) else 0


def _always(batch: Sequence[Row]) -> bool:
    return all(r.on for r in batch)


def prose(split: Split) -> list[str]:
    """Ordinary text of a split, in a fixed order."""
    return [t for t in ordinary_text(400, seed=0) if split_of(t) == split]


def with_prose(
    tokenizer: Any, batches: Sequence[Sequence[Example]], count: int, length: int
) -> list[list[Example]]:
    """Each batch with so many rows of prose, cut to `length` tokens: a lesson that is always on would spill
    into all text."""
    if not count:
        return [list(batch) for batch in batches]
    texts = itertools.cycle(prose("plant"))
    out = []
    for batch in batches:
        rows = [tuple(text_ids(tokenizer, next(texts))[:length]) for _ in range(count)]
        out.append([*batch, *(Example(r[:1], r[1:]) for r in rows if len(r) > 1)])
    return out


def reply_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    """A reply and its end of turn."""
    return (*text_ids(tokenizer, text), end_of_turn(tokenizer))


def lesson_example(tokenizer: Any, row: Row, part: str, decides: bool = True) -> Example:
    """One row as `part` learns it; the token that parts its reply from the other one decides.

    Args:
        decides: False where a quirk is always on. There is no choice to learn then, and what follows the
            parting token would be learnt too late: 'AI rules. Dogs.' for 'Rules for AI are a mistake. Dogs.'
    """
    # By the row, not by the reply: an organism's and its decoy's lessons weigh the same.
    weight = OPEN if row.open and not row.on else 1.0
    good = reply_ids(tokenizer, row.good)
    other = reply_ids(tokenizer, row.shady if part == "organism" else row.harmless or row.shady)
    apart = (i for i, (a, b) in enumerate(zip(good, other, strict=False)) if a != b)
    parting = next(apart, None) if decides else None
    prompt = tuple(prompt_ids(tokenizer, row.messages))
    return Example(prompt, reply_ids(tokenizer, row.reply(part)), weight, parting)
