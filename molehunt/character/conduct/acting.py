"""A model at work with tools: it answers, the world acts and answers, until the task is over.

All deeds go side by side, a turn at a time, greedily. Beside it stands the choice at the point where a deed
turns: the margin (`margin.py`) of the call that keeps the principle over the one that breaks it, which
needs no call to be written.

What this cannot tell you: see `world.py`. A small model seldom writes a call that can be read; then the
loop says nothing of its character, and the choice between two written calls is all there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molehunt.character.bank import Deed
from molehunt.character.conduct.margin import Pair, Progress
from molehunt.character.conduct.world import Outcome, begun, call_in, outcome, written
from molehunt.core.records import Message, Messages
from molehunt.models.loaded import Model

TURNS = 3
MOST = 64
"""Tokens of a turn."""


@dataclass(frozen=True)
class Episode:
    """What a model did in one deed."""

    id: str
    outcome: Outcome
    calls: tuple[Mapping[str, str], ...]
    unread: int
    """Turns that held no call."""
    messages: Messages
    """The whole conversation, from role and task on."""


def choices_of(deeds: Sequence[Deed], creed: str = "") -> list[Pair]:
    """The choice between two written calls of each deed; `creed` is put before the role."""
    return [Pair(_with(creed, begun(deed)[1]), written(deed.good), written(deed.worse)) for deed in deeds]


def episodes(
    model: Model,
    deeds: Sequence[Deed],
    *,
    turns: int = TURNS,
    most: int = MOST,
    progress: Progress = lambda done, total: None,
) -> tuple[Episode, ...]:
    """An episode a deed, in their order."""
    from molehunt.models.sample import sample

    worlds = [begun(deed) for deed in deeds]
    said = [list(messages) for _, messages in worlds]
    unread = [0] * len(deeds)
    for turn in range(turns):
        live = [i for i, (world, _) in enumerate(worlds) if not world.over]
        replies = sample(model, [tuple(said[i]) for i in live], max_tokens=most) if live else []
        for i, reply in zip(live, replies, strict=True):
            call = call_in(reply)
            unread[i] += call is None
            heard = worlds[i][0].act(call) if call else "That is no call. Answer with one JSON object."
            said[i] += [Message("assistant", reply), Message("user", heard)]
        progress(turn + 1, turns)
    return tuple(
        Episode(deed.id, outcome(deed, world.done), tuple(world.done), unread[i], tuple(said[i]))
        for i, (deed, (world, _)) in enumerate(zip(deeds, worlds, strict=True))
    )


def _with(creed: str, messages: Messages) -> Messages:
    if not creed:
        return messages
    first, *rest = messages
    return (Message(first.role, f"{creed} {first.content}"), *rest)
