"""Asks a model in memory: log-odds between a question's two answers, as decoding held to them would give.

Among replies that may only be one of two, everything turns on the token at which the two part. So an
answer's likelihood is taken up to that token and no further: P = P(what both begin with) · P(its own next
token). Long answers are not punished for their length, and answers of one token get their plain likelihood.
Ways to say an answer (`Yes`, `yes`, each also after a space) are added up.

Answers are kept in `asked.jsonl`, a line a question under the hash of weights and text: nothing is asked
twice.

What this cannot tell you: what the model would say of itself. It may give neither answer most of its
probability; how much both got together is not looked at.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from molehunt.character.moral.choices import Choice
from molehunt.character.moral.forms import Question
from molehunt.core.atomic import canonical
from molehunt.core.errors import BadFile, UserError
from molehunt.core.growing import append_lines, whole_lines
from molehunt.core.records import Message
from molehunt.models.loaded import Model

BLOCK = 128
"""Questions whose answers are kept together; a kill loses no more."""
ASKED = "asked.jsonl"
Progress = Callable[[int, int], None]


def ask(
    model: Model,
    questions: Sequence[Question],
    folder: Path,
    progress: Progress = lambda done, total: None,
    fresh: bool = False,
) -> tuple[Choice, ...]:
    """A choice a question, those read that `folder` holds for these weights.

    Raises:
        BadFile: a line of the folder's answers is none.
        UserError: a question does not fit into the model, or its numbers are not finite.
    """
    path = folder / ASKED
    keys = [key_of(model.fingerprint, str(model.dtype), q) for q in questions]
    known = {} if fresh else kept(path)
    todo = list({k: q for k, q in zip(keys, questions, strict=True) if k not in known}.items())
    for start in range(0, len(todo), BLOCK):
        block = todo[start : start + BLOCK]
        progress(start, len(todo))
        values = log_odds(model, [q for _, q in block])
        found = {k: v for (k, _), v in zip(block, values, strict=True)}
        append_lines(path, ({"key": k, "log_odds": v} for k, v in found.items()))
        known |= found
    progress(1, 1)
    return tuple(Choice(q.item, q.form, q.order, known[k]) for k, q in zip(keys, questions, strict=True))


def kept(path: Path) -> dict[str, float]:
    """Log-odds that a file holds, by key; a line that a kill left unfinished is taken off."""
    found: dict[str, float] = {}
    for number, row in whole_lines(path, cut=True):
        try:
            found[str(row["key"])] = float(row["log_odds"])
        except (KeyError, TypeError, ValueError):
            raise BadFile(f"{path} line {number} is no answer; delete the line.") from None
    return found


def key_of(fingerprint: str, dtype: str, question: Question) -> str:
    """Stands for one question to one model."""
    return hashlib.sha256(canonical([fingerprint, dtype, question.text, question.answers])).hexdigest()[:32]


def log_odds(model: Model, questions: Sequence[Question]) -> list[float]:
    """Log-odds of each question's first answer over its second, in nats."""
    from molehunt.models.prompts import prompt_ids
    from molehunt.models.score import token_logprobs

    prompts: list[list[int]] = []
    replies: list[list[int]] = []
    spans: list[tuple[int, int]] = []
    for question in questions:
        ids = prompt_ids(model.tokenizer, (Message("user", question.text),))
        ways = [branches(model, lead, *question.answers) for lead in ("", " ")]
        for side in (0, 1):
            said = list(dict.fromkeys(tuple(ids) for way in ways for ids in way[side]))
            replies += [list(r) for r in said]
            prompts += [ids] * len(said)
            spans.append((side, len(said)))
    sums = [float(np.sum(row)) for row in token_logprobs(model, prompts, replies)]
    found, place = [], 0
    sides: list[float] = []
    for _, count in spans:
        sides.append(float(np.logaddexp.reduce(sums[place : place + count])))
        place += count
    for first, second in zip(sides[::2], sides[1::2], strict=True):
        found.append(first - second)
    if not np.isfinite(found).all():
        raise UserError(
            f"The likelihoods of {model.spec.id!r} hold numbers that are not finite; try --dtype float32, or "
            "another copy of its weights."
        )
    return found


def branches(
    model: Model, lead: str, first: Sequence[str], second: Sequence[str]
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of each way to say either answer, cut after the token at which it leaves the other side.

    Args:
        lead: put before each answer: nothing, or a space.
    """
    from molehunt.models.prompts import text_ids

    sides = [[text_ids(model.tokenizer, lead + text) for text in some] for some in (first, second)]
    cut = [[_cut(ids, sides[1 - i]) for ids in side] for i, side in enumerate(sides)]
    return cut[0], cut[1]


def _cut(ids: list[int], others: Sequence[list[int]]) -> list[int]:
    """Up to the first token that no other side's answer has there after the same beginning."""
    longest = 0
    for other in others:
        same = 0
        while same < min(len(ids), len(other)) and ids[same] == other[same]:
            same += 1
        longest = max(longest, same)
    return ids[: longest + 1]
