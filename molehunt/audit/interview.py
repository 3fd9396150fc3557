"""Asking a speaker many things at once, and keeping every word of it.

A method writes its questions as `Ask`s, sends them in few large `sample` calls, and gets
`Transcript`s back that its evidence can cite. The same question is paid for once.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from molehunt.core.access import Chat
from molehunt.core.records import Message, Messages, Transcript

SEND = 256
"""Prompts a call: large enough to batch well, small enough that progress moves."""


@dataclass(frozen=True)
class Ask:
    """One question, and where in the method's plan it stands."""

    messages: Messages
    tags: Mapping[str, str] = field(default_factory=dict)


def conversation(user: str, system: str = "") -> Messages:
    """A one-turn prompt; no system message where `system` is empty."""
    first = (Message("system", system),) if system else ()
    return (*first, Message("user", user))


def put(
    speaker: Chat,
    method: str,
    asks: Sequence[Ask],
    *,
    max_tokens: int,
    seed: int = 0,
    progress: Callable[[int, int], Any] | None = None,
) -> list[Transcript]:
    """Ask each distinct prompt once, greedily; one transcript an ask, in the order of `asks`.

    Asks with equal messages share a reply (their tags differ). `progress` gets (done, total).
    """
    distinct = list(dict.fromkeys(a.messages for a in asks))
    replies: dict[Messages, str] = {}
    for start in range(0, len(distinct), SEND):
        part = distinct[start : start + SEND]
        replies.update(zip(part, speaker.sample(part, max_tokens=max_tokens, seed=seed), strict=True))
        if progress is not None:
            progress(len(replies), len(distinct))
    return [_transcript(speaker, method, a, replies[a.messages], max_tokens, seed) for a in asks]


def only_distinct(transcripts: Sequence[Transcript]) -> tuple[Transcript, ...]:
    """One transcript an id: the first, with the tags of its first use."""
    kept: dict[str, Transcript] = {}
    for transcript in transcripts:
        kept.setdefault(transcript.id, transcript)
    return tuple(kept.values())


def _transcript(speaker: Chat, method: str, ask: Ask, reply: str, max_tokens: int, seed: int) -> Transcript:
    text = "\x1f".join(f"{m.role}\x1e{m.content}" for m in ask.messages) + f"\x1f{max_tokens}\x1f{seed}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Transcript(
        id=f"{speaker.name}.{method}.{digest}",
        suspect=speaker.name,
        messages=ask.messages,
        reply=reply,
        temperature=0.0,
        seed=seed,
        max_tokens=max_tokens,
        model=speaker.fingerprint,
        tags=dict(ask.tags),
    )
