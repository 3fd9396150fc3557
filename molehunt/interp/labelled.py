"""Texts or conversations with two labels, from a JSON-lines file, split into training, validation and tests.

A line holds `text` or `messages`, a `label` (0 or 1, or true or false), and if wanted `split` and
`group`. Splits called `train`, `validate` and `test` are what they say; any other name is a *shifted*
test set. Without a split the group's hash decides (a half, a quarter, a quarter), so that rows of one
group stay together. A group, or one and the same text, on two sides of training, validation and test is
refused: it would let a probe remember instead of read.

What this cannot tell you: whether the labels are right, or whether two groups are the same thing
under two names.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.atomic import canonical, read_jsonl
from molehunt.core.errors import BadFile
from molehunt.core.records import Message, Messages
from molehunt.core.splits import split_of

TRAIN, VALIDATE, TEST = "train", "validate", "test"
OWN = {"plant": TRAIN, "validate": VALIDATE, "audit": TEST}
FIELDS = ("text", "messages", "label", "split", "group")
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Example:
    """One labelled text or conversation."""

    text: str
    """What a filter of words reads: the text itself, or all that the conversation's turns say."""
    messages: Messages
    """Empty where the example is plain text."""
    label: bool
    split: str
    group: str
    """Rows of one group are resampled together and stay on one side of the split."""


def read_examples(path: Path) -> tuple[Example, ...]:
    """Every line of a JSON-lines file.

    Raises:
        BadFile: a line that is no labelled example (its number is named), or a group or text that
            stands on two sides.
    """
    rows = tuple(_example(value, f"{path} line {i}") for i, value in enumerate(read_jsonl(path), 1))
    if not rows:
        raise BadFile(f"{path} holds no examples; give one JSON object a line.")
    for kind, of in (("group", lambda e: e.group), ("text", lambda e: e.text)):
        _apart({(of(e), e.split) for e in rows if e.split in (TRAIN, VALIDATE, TEST)}, kind, path)
    return rows


def examples_hash(examples: Sequence[Example]) -> str:
    """SHA-256 (hex) of the examples in their order."""
    return hashlib.sha256(canonical(list(examples))).hexdigest()


def _example(value: Any, where: str) -> Example:
    if not isinstance(value, Mapping):
        raise BadFile(f"{where} is no JSON object; write text (or messages) and label.")
    if unknown := sorted(set(value) - set(FIELDS)):
        raise BadFile(f"{where} has an unknown field {unknown[0][:80]!r}; known: {', '.join(FIELDS)}.")
    label = value.get("label")
    if label not in (0, 1) or isinstance(label, float):
        raise BadFile(f"{where} has no label that is 0 or 1 (or false or true).")
    if ("text" in value) == ("messages" in value):
        raise BadFile(f"{where} should hold either text or messages.")
    messages = _messages(value["messages"], where) if "messages" in value else ()
    text = "\n".join(m.content for m in messages) if messages else value["text"]
    if not isinstance(text, str) or not text.strip():
        raise BadFile(f"{where} has no words in it.")
    group, split = value.get("group", text), value.get("split")
    if isinstance(group, int) and not isinstance(group, bool):
        group = str(group)
    if not isinstance(group, str) or not (split is None or (isinstance(split, str) and split)):
        raise BadFile(f"{where} has a split or group that is no text.")
    return Example(text, messages, bool(label), split or OWN[split_of(group)], group)


def _messages(value: Any, where: str) -> Messages:
    turns: list[Any] = value if isinstance(value, list) else [None]
    for turn in turns:
        good = isinstance(turn, dict) and set(turn) == {"role", "content"} and turn["role"] in ROLES
        if not good or not isinstance(turn["content"], str):
            raise BadFile(f"{where}: each message should hold a role ({', '.join(ROLES)}) and content.")
    if not turns:
        raise BadFile(f"{where} has no messages.")
    return tuple(Message(t["role"], t["content"]) for t in turns)


def _apart(sides: set[tuple[str, str]], kind: str, path: Path) -> None:
    seen: dict[str, str] = {}
    for name, split in sorted(sides):
        if seen.setdefault(name, split) != split:
            raise BadFile(
                f"{path}: the {kind} {name[:60]!r} stands in {seen[name]} and in {split}; "
                "keep it on one side, or give such rows one group and no split."
            )
