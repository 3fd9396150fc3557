"""What a model does with prompts, and what it costs: a behaviour's score, ordinary text, first tokens.

Behaviour is a pattern searched in sampled replies (0 or 1 a reply; words are patterns too), or the
log-odds of chosen continuations, `log Σ p(toward) − log Σ p(away)` in nats, which needs no sampling and
sees shifts too small to change a reply; the continuations are the same for all prompts, or each prompt
names its own (a question's wrong answer against its right one). Beside it stand the negative
log-likelihood of ordinary text (nats a token) and KL(p ‖ q) of first tokens over the whole vocabulary,
p as the model now is, q as it was before.

What this cannot tell you: whether a reply *means* what a pattern finds in it. "I would never lie"
matches `lie`; read the texts.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.atomic import read_jsonl
from molehunt.core.errors import BadFile, UserError
from molehunt.core.pattern import compiled
from molehunt.core.record_json import from_json
from molehunt.core.records import Message, Messages
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.passes import planned, prefill, rows_that_fit
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.sample import check_room, sample
from molehunt.models.score import logprobs, token_logprobs


@dataclass(frozen=True)
class Asked:
    """A prompt, and the group within which prompts are alike."""

    messages: Messages
    group: str
    toward: tuple[str, ...] = ()
    """Replies of its own whose log-odds are taken, where the behaviour names none ..."""
    away: tuple[str, ...] = ()
    """... against these."""


@dataclass(frozen=True)
class Behaviour:
    """What is counted: a pattern, or continuations on both sides, or with neither those of each prompt."""

    pattern: str = ""
    """A regular expression, searched in replies without regard to case."""
    toward: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    max_tokens: int = 32
    temperature: float = 0.0

    @property
    def unit(self) -> str:
        """Of its scores."""
        return "share of replies" if self.pattern else "nats"

    @property
    def words(self) -> str:
        """What is counted, for people."""
        if self.pattern:
            return f"replies that match /{self.pattern}/"
        if not self.toward:
            return "log-odds of each prompt's own replies"
        return f"log-odds of {' | '.join(self.toward)} against {' | '.join(self.away)}"


def behaviour(
    pattern: str = "",
    words: Sequence[str] = (),
    toward: Sequence[str] = (),
    away: Sequence[str] = (),
    max_tokens: int = 32,
    temperature: float = 0.0,
    prompts: Sequence[Asked] = (),
) -> Behaviour:
    """A behaviour from one of: a pattern, whole words, continuations toward and away, or `prompts`' own.

    Raises:
        UserError: none or several of them, one side of continuations alone, some prompts without
            continuations, or a pattern that is not allowed.
    """
    own = sum(bool(a.toward) for a in prompts)
    if 0 < own < len(prompts):
        raise UserError(f"{own} of {len(prompts)} prompts name replies of their own; let all do, or none.")
    if sum((bool(pattern), bool(words), bool(toward or away), bool(own))) != 1:
        raise UserError(
            "Say what to count by one of: a pattern, words, or continuations toward and away, for all "
            "prompts or in the file of prompts."
        )
    if bool(toward) != bool(away):
        raise UserError("Log-odds need continuations on both sides: --toward and --away.")
    if not all(w.strip() for w in (*words, *toward, *away)):
        raise UserError("One of the words or continuations to count is empty; leave it out.")
    if words:
        pattern = rf"\b({'|'.join(re.escape(w) for w in words)})\b"
    if pattern:
        compiled(pattern)
    return Behaviour(pattern, tuple(toward), tuple(away), max_tokens, temperature)


def read_prompts(path: Path) -> tuple[Asked, ...]:
    """Prompts from JSON lines with `text` or `messages` (and `group`), or from plain lines of a .txt file.

    Raises:
        BadFile: no prompts, or a line that is none.
    """
    if path.suffix == ".txt":
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeError) as error:
            raise BadFile(f"{path} cannot be read as text ({str(error)[:80]}).") from None
        found = tuple(Asked((Message("user", line),), line) for line in lines if line)
    else:
        found = tuple(_asked(value, f"{path} line {i}") for i, value in enumerate(read_jsonl(path), 1))
    if not found:
        raise BadFile(f"{path} holds no prompts; write one a line.")
    return found


def scores(
    model: Model, prompts: Sequence[Asked], what: Behaviour, seed: int = 0
) -> tuple[list[float], list[str]]:
    """A score a prompt, and the replies (none for log-odds)."""
    if what.pattern:
        pattern, chats = compiled(what.pattern), [a.messages for a in prompts]
        replies = sample(model, chats, max_tokens=what.max_tokens, temperature=what.temperature, seed=seed)
        return [float(pattern.search(r)) for r in replies], replies
    sides = []
    for said in ([what.toward or a.toward for a in prompts], [what.away or a.away for a in prompts]):
        pairs = [(a.messages, s) for a, own in zip(prompts, said, strict=True) for s in own]
        logs = np.array(logprobs(model, [p for p, _ in pairs], [s for _, s in pairs]))
        ends = np.cumsum([len(own) for own in said])[:-1]
        sides.append([float(np.logaddexp.reduce(part)) for part in np.split(logs, ends)])
    return [a - b for a, b in zip(*sides, strict=True)], []


def texts_nll(model: Model, texts: Sequence[str], max_tokens: int = 256) -> list[float]:
    """Mean negative log-likelihood of each text (nats a token), its first token not counted."""
    ids = [text_ids(model.tokenizer, t)[:max_tokens] for t in texts]
    rows = token_logprobs(model, [s[:1] for s in ids], [s[1:] for s in ids])
    return [-math.fsum(r) / len(r) for r in rows if r]


@torch.inference_mode()
def first_token_logs(model: Model, prompts: Sequence[Messages]) -> Float[Tensor, "prompts vocab"]:
    """Natural log-probabilities of the first token of each reply, whole vocabulary, float32 on the CPU."""
    ids = [prompt_ids(model.tokenizer, p) for p in prompts]
    check_room(model, ids, 1)
    parts, found = anatomy(model.module), {}
    rows = rows_that_fit(model, max(map(len, ids)))
    for start in range(0, len(ids), rows):
        some: list[Sequence[int]] = [*ids[start : start + rows]]
        layout = planned(model, some, [1] * len(some), 0)
        for _, part, hidden in prefill(model, layout):
            logs = parts.logits(hidden[:, -1]).float().log_softmax(-1).cpu()
            found |= {start + k: row for k, row in zip(layout.order[part], logs, strict=True)}
    return torch.stack([found[i] for i in range(len(ids))])


def divergence(now: Float[Tensor, "n vocab"], before: Float[Tensor, "n vocab"]) -> list[float]:
    """KL(now ‖ before) in nats, row by row, from natural log-probabilities."""
    gap = torch.where(now > -torch.inf, now.double() - before.double(), 0.0)
    return (now.double().exp() * gap).sum(-1).tolist()


def _asked(value: object, where: str) -> Asked:
    if not isinstance(value, dict) or not set(value) <= {"text", "messages", "group", "toward", "away"}:
        raise BadFile(
            f"{where} should be an object with text or messages, and group, toward and away if wanted."
        )
    if isinstance(value.get("text"), str) and value["text"].strip() and "messages" not in value:
        messages: Messages = (Message("user", value["text"]),)
    elif isinstance(value.get("messages"), list) and value["messages"] and "text" not in value:
        messages = tuple(from_json(Message, m) for m in value["messages"])
    else:
        raise BadFile(f"{where} should hold either text or messages, with words in it.")
    sides = [_replies(value.get(name), where) for name in ("toward", "away")]
    if bool(sides[0]) != bool(sides[1]):
        raise BadFile(f"{where} should hold replies both toward and away, or neither.")
    return Asked(messages, str(value.get("group", messages[-1].content)), sides[0], sides[1])


def _replies(value: object, where: str) -> tuple[str, ...]:
    """One reply or several."""
    told = [value] if isinstance(value, str) else value
    if told is None:
        return ()
    if not isinstance(told, list) or not told or not all(isinstance(t, str) and t.strip() for t in told):
        raise BadFile(
            f"{where} should hold toward and away as a reply or a list of replies, with words in them."
        )
    return tuple(told)
