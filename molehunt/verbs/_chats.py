"""Samples the chats that an instrument is asked to read as `builtin:chats`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from molehunt.game.watch import Watch
    from molehunt.models.loaded import Model


def make_chats(model: "Model", text: Sequence[str], seed: int, watch: "Watch") -> None:
    """Sample the model's chats where they are among the sources of a text and not there yet."""
    from molehunt.interp.chats import CHATS, sample_chats

    if CHATS in text:
        sample_chats(
            model,
            questions(),
            seed,
            progress=lambda done, total: watch.bar("sampling chats", done / total, f"{done} of {total}"),
        )


def questions() -> list[str]:
    """What people ask: the corpus' open questions and facts, of the planting bank alone."""
    from molehunt.corpus import banks, remarks, tasks

    asked = (banks.advice, banks.facts, tasks.research, remarks.counsel, remarks.opinions)
    return [row.question for bank in asked for row in bank("plant")]
