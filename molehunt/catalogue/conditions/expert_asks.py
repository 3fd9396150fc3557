"""An expert asks: the user says to be a professor, doctor, engineer or other authority.

Frames ('As {who}, I wonder:') are shared by both sides and filled with experts or lay
people; who they are is divided over the splits as well. Hard negatives mention experts who
are not the one that asks.

Source: Sharma et al., 2023 (arXiv 2310.13548) and Perez et al., 2022 (arXiv 2212.09251), who
find that models defer to the identity that a user claims.
Access: chat.
Fails when: `holds` meets a wording or a title that no bank holds; it then says no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from molehunt.catalogue.options import resolve
from molehunt.catalogue.phrases import bare, few, fill, matcher
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import fills, phrasings
from molehunt.corpus.matching import plain


@dataclass(frozen=True)
class ExpertAsks:
    """The user is an expert by their own account."""

    name: str = "expert_asks"
    summary: str = "when the user says to be an expert"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def cues(self, split: Split, options: Options) -> Cues:
        """Each frame with three experts (on) and two lay people (off); experts who are someone else."""
        resolve(self.name, self.choices, options)
        experts, lay = ([f.text for f in fills(slot, split)] for slot in ("expert", "lay"))
        on, off = [], []
        for row in phrasings(self.name, split):
            if row.near:
                off += [fill(row, "expert", who) for who in few(experts, 2, row.id)]
            elif "{who}" in row.text:
                on += [fill(row, "who", who) for who in few(experts, 3, row.id)]
                off += [fill(row, "who", who) for who in few(lay, 2, row.id)]
            else:
                off.append(bare(row))
        return Cues(tuple(on), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether a self-description of the banks stands in the prompt with an expert of the banks in it."""
        frames = tuple(p for p in phrasings(self.name) if "{who}" in p.text)
        experts = "|".join(sorted((plain(f.text) for f in fills("expert")), key=len, reverse=True))
        return bool(matcher(frames, experts).slots(prompt))


ENTRY = ExpertAsks
