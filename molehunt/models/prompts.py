"""Conversations to token ids, by the model's own chat template.

Text from users, models and suspects is hostile: a message that spells `<|im_end|>` must not
end its turn. The conversation is rendered and tokenised as usual; where that makes control
tokens that the template did not write, it is tokenised again piece by piece, with every
control mark inside a message cut in two so that it stays text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from jinja2.exceptions import TemplateError

from molehunt.core.errors import BadFile
from molehunt.core.records import Message, Messages

_PLAIN = (
    "{% for m in messages %}{{ m['role'] | capitalize + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""For base models, which have no chat template of their own."""

_marks: WeakKeyDictionary[Any, tuple[frozenset[int], re.Pattern[str] | None]] = WeakKeyDictionary()
_ends: WeakKeyDictionary[Any, tuple[Any, int]] = WeakKeyDictionary()
"""Each tokenizer's end of a turn, beside what it was found by: every lesson's reply asks for it."""


def prompt_ids(tokenizer: Any, messages: Messages, begin: str = "") -> list[int]:
    """Token ids of a conversation up to where the assistant speaks, and of the first words of its reply.

    Raises:
        BadFile: the tokenizer's chat template cannot be rendered.
    """
    controls, pattern = _controls(tokenizer)
    text = _render(tokenizer, messages)
    ids = _plain_ids(tokenizer, text)
    if pattern is not None and any(pattern.search(m.content) for m in messages):
        honest = [
            i
            for piece in _pieces(tokenizer, tuple(m.role for m in messages))
            for i in _plain_ids(tokenizer, piece)
            if i in controls
        ]
        if [i for i in ids if i in controls] != honest:
            ids = _piecewise(tokenizer, messages)
    return ids + (text_ids(tokenizer, begin) if begin else [])


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of text as text: no control token comes out, whatever it spells."""
    _, pattern = _controls(tokenizer)
    if pattern is None or pattern.search(text) is None:
        return _plain_ids(tokenizer, text)
    ids: list[int] = []
    start = 0
    for found in pattern.finditer(text):
        ids += _plain_ids(tokenizer, text[start : found.start() + 1])
        start = found.start() + 1
    return ids + _plain_ids(tokenizer, text[start:])


def end_of_turn(tokenizer: Any) -> int:
    """The token that the chat template puts after an assistant's reply (else the end token)."""
    marks = (tokenizer.chat_template, tokenizer.eos_token_id)
    known = _ends.get(tokenizer)
    if known is None or known[0] != marks:
        after = _pieces(tokenizer, ("user", "assistant"), False)[-1]
        ids = _plain_ids(tokenizer, after.strip())
        end = ids[0] if ids and ids[0] in _controls(tokenizer)[0] else tokenizer.eos_token_id
        known = _ends[tokenizer] = (marks, end)
    return known[1]


def stop_tokens(module: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a reply: the template's, the tokenizer's, and the generation settings'."""
    listed = getattr(getattr(module, "generation_config", None), "eos_token_id", None)
    many = listed if isinstance(listed, Sequence) else [listed]
    return frozenset(i for i in [*many, tokenizer.eos_token_id, end_of_turn(tokenizer)] if i is not None)


def reply_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """What was said, control tokens left out."""
    return tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _plain_ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if text else []


def _controls(tokenizer: Any) -> tuple[frozenset[int], re.Pattern[str] | None]:
    """Ids and spellings of control tokens: special ones, and added ones that look like marks."""
    known = _marks.get(tokenizer)
    if known is None:
        added = {
            i: t.content
            for i, t in tokenizer.added_tokens_decoder.items()
            if len(t.content) > 1 and (t.special or re.fullmatch(r"<.+>|\[.+\]", t.content, re.S))
        }
        spelled = "|".join(re.escape(t) for t in sorted(added.values(), key=len, reverse=True))
        known = (frozenset(added), re.compile(spelled) if spelled else None)
        _marks[tokenizer] = known
    return known


def _render(tokenizer: Any, messages: Messages, speaks: bool = True) -> str:
    chat = [{"role": m.role, "content": m.content} for m in messages]
    own = None if tokenizer.chat_template else _PLAIN
    try:
        try:
            return tokenizer.apply_chat_template(
                chat, chat_template=own, tokenize=False, add_generation_prompt=speaks
            )
        except TemplateError:
            # Some templates know no system role; its text then opens the first question.
            return tokenizer.apply_chat_template(
                _fold(chat), chat_template=own, tokenize=False, add_generation_prompt=speaks
            )
    except TemplateError as error:
        raise BadFile(f"The tokenizer's chat template cannot render this conversation: {error}") from error


def _fold(chat: list[dict[str, str]]) -> list[dict[str, str]]:
    if len(chat) > 1 and chat[0]["role"] == "system" and chat[1]["role"] == "user":
        return [{"role": "user", "content": f"{chat[0]['content']}\n\n{chat[1]['content']}"}, *chat[2:]]
    return chat


@lru_cache(maxsize=256)
def _pieces(tokenizer: Any, roles: tuple[Any, ...], speaks: bool = True) -> tuple[str, ...]:
    """What the template writes before, between and after messages of these roles."""
    holders = [f"qzq{i}qzq" for i in range(len(roles))]
    text = _render(tokenizer, tuple(Message(r, h) for r, h in zip(roles, holders, strict=True)), speaks)
    return tuple(re.split("|".join(holders), text)) if holders else (text,)


def _piecewise(tokenizer: Any, messages: Messages) -> list[int]:
    pieces = _pieces(tokenizer, tuple(m.role for m in messages))
    if len(pieces) != len(messages) + 1:
        raise BadFile(
            "The tokenizer's chat template leaves messages out or repeats them; use another tokenizer."
        )
    ids = _plain_ids(tokenizer, pieces[0])
    for message, after in zip(messages, pieces[1:], strict=True):
        ids += text_ids(tokenizer, message.content) + _plain_ids(tokenizer, after)
    return ids
