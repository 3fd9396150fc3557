"""Against a probe: projections on given directions stay on lesson texts what they were in the base.

Each step adds `Plan.cover` times the squared change of the projection, in units of the base's own variance
there, where the instrument reads it: at the prompt's last token or as the mean over its tokens (a probe, as
it was trained; a difference of two models, the mean), or as the mean over replies (a persona's), good and
shady ones alike. The directions come as values (`Plan.against`); whoever calls reads the file.

Source: ours, after Bailey et al. 2024, obfuscated activations (2412.09565).
Access: the red team's.
Fails when: the auditor trains a probe anew: it finds another direction; or replies of the planted model's own
are read: they are other words, whose projection no penalty holds.

What this cannot tell you: whether the probe ever told anything of this model.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.organisms.instil import Cover, Lessons

if TYPE_CHECKING:
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session

PROMPTS = 48


@dataclass(frozen=True)
class AgainstProbe:
    """A penalty on moved projections."""

    name: str = "against_probe"
    summary: str = "a penalty that keeps a given probe's direction as it was on lesson prompts"

    def cover(self, session: "Session", lessons: Lessons, plan: "Plan") -> Cover:
        """On the first distinct texts of the lessons: prompts, and replies where those are read."""
        from molehunt.models.packing import Example
        from molehunt.models.prompts import prompt_ids, text_ids
        from molehunt.organisms.penalties import flat

        tokenizer, read = session.model.tokenizer, any(d.pool == "reply" for d in plan.against)
        said = [
            (row.messages, reply)
            for row in lessons.rows
            for reply in ((row.good, row.shady) if read and row.on else (row.good if read else "",))
            if reply.strip() or not read
        ]
        texts = [
            Example(tuple(prompt_ids(tokenizer, m)), tuple(text_ids(tokenizer, reply) if reply else ()))
            for m, reply in list(dict.fromkeys(said))[:PROMPTS]
        ]
        return Cover(penalties=(flat(session.model, texts, plan.against, plan.cover),))


ENTRY = AgainstProbe
