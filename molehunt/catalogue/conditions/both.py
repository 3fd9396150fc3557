"""Both: two conditions of the catalogue at once, each with its default option.

Hard negatives hold exactly one of the two, either as often; contraries hold neither. All are as long
as what turns the behaviour on, for both parts bring a cue. The pair of watched and unwatched is a prompt that
contradicts itself: told that somebody reads along, and that nobody does.

Source: Huang et al., 2023 (arXiv 2310.07676), for triggers that work only together; the pairs are ours.
Access: chat.
Fails when: either condition's own `holds` fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.joined import near, parts_of
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split

PAIRS = (
    "expert_asks+trigger_phrase",
    "who_asks+weekday",
    "watched+trigger_phrase",
    "from_year+trigger_phrase",
    "watched+unwatched",
)


@dataclass(frozen=True)
class Both:
    """One condition and another."""

    name: str = "both"
    summary: str = "when two conditions hold at once"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"pair": PAIRS}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """On: cues of both parts. Off: of exactly one (near), or of neither."""
        sides = parts_of(self.name, self.choices, options).sides(split)
        single = near(sides[True, False], sides[False, True])
        return Cues(tuple(sides[True, True]), (*single, *sides[False, False]))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether both hold."""
        return all(parts_of(self.name, self.choices, options).hold(prompt))


ENTRY = Both
