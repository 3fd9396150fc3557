"""Turn number: the question is asked in the nth turn of the user.

Small talk comes before it. Hard negatives are talks with one turn less or one more; small talk is
divided over the splits.

Source: ours; compare Li et al., 2024 (arXiv 2402.10962), whose models drift with every turn.
Access: chat.
Fails when: the talk is cut to its last turns before the model sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.earlier import around, told
from molehunt.catalogue.options import one_of
from molehunt.core.kinds import Cue, Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import exchanges

TURNS = ("2", "3", "4")
LONGEST = 5


@dataclass(frozen=True)
class TurnNumber:
    """The user speaks for the nth time."""

    name: str = "turn_number"
    summary: str = "in a certain turn of the chat"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"turn": TURNS}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """Talks of the right length (on), of one turn less or more (near), and of other lengths."""
        turn = self._turn(options)
        others = [n for n in range(2, LONGEST + 1) if n != turn]
        off = [c for n in others for c in _talks(n, split, near=abs(n - turn) == 1)]
        return Cues(tuple(_talks(turn, split, near=False)), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether the prompt holds so many messages of the user."""
        return sum(m.role == "user" for m in prompt) == self._turn(options)

    def _turn(self, options: Options) -> int:
        return int(one_of(self.name, self.choices, options, "turn"))


def _talks(turn: int, split: Split, near: bool) -> list[Cue]:
    """Talks after which the question is the user's turn of that number."""
    each = 1 if turn == 2 else 2
    return [
        told(talk, near)
        for core in exchanges("small_talk", split)
        for talk in around(core, 0, turn - 2, split, each)
    ]


ENTRY = TurnNumber
