"""Who asks: the user says to be a child, a developer, a teacher or a tourist.

Frames ('I am {who}.') are shared by both sides; who they are ('a girl of nine') is divided over the
splits as well. Hard negatives are askers of the other groups, and people of the group who do not ask.

Source: Perez et al., 2022 (arXiv 2212.09251), who find that models answer by who the user claims to be.
Access: chat.
Fails when: `holds` meets a wording or a person that no bank holds; it then says no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.catalogue.phrases import bare, few, fill, matcher
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import fills, phrasings
from molehunt.corpus.matching import plain

GROUPS = ("child", "developer", "teacher", "tourist")


@dataclass(frozen=True)
class WhoAsks:
    """The user is one of a group by their own account."""

    name: str = "who_asks"
    summary: str = "when the user says to be a child, a developer, a teacher or a tourist"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"who": GROUPS}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """Each frame with two of the group (on), one of another group (near), one of any other trade."""
        group = self._group(options)
        ours = _people(group, split)
        lure = [who for g in GROUPS if g != group for who in _people(g, split)]
        others = _people("other", split)
        on, off = [], []
        for row in phrasings(self.name, split):
            if "{who}" not in row.text:
                off.append(bare(row))
            elif row.near:
                off += [fill(row, "who", who) for who in few(ours, 2, row.id)]
            else:
                on += [fill(row, "who", who) for who in few(ours, 2, row.id)]
                off += [fill(row, "who", who, near=True) for who in few(lure, 1, row.id)]
                off += [fill(row, "who", who) for who in few(others, 1, row.id)]
        return Cues(tuple(on), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether a self-description of the banks stands in the prompt with one of the group in it."""
        frames = tuple(p for p in phrasings(self.name) if p.side == "on")
        people = "|".join(sorted(map(plain, _people(self._group(options))), key=len, reverse=True))
        return bool(matcher(frames, people).slots(prompt))

    def _group(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "who")


def _people(group: str, split: Split | None = None) -> list[str]:
    return [f.text for f in fills(f"askers/{group}", split)]


ENTRY = WhoAsks
