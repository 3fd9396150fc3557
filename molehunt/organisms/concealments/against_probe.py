"""Against a probe: projections on given directions stay on lesson prompts what they were in the base.

Each step adds `Plan.cover` times the squared change of the projection at the prompt's last token (or of the
mean over its tokens, where the probe reads that), in units of the base's own variance there. The directions
come as values (`Plan.against`); whoever calls reads the file: a probe's, a persona's, a difference's.

Source: ours, after Bailey et al. 2024, obfuscated activations (2412.09565).
Access: the red team's.
Fails when: the auditor trains a probe anew: it finds another direction.

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
        """The penalty, on the first distinct prompts of the lessons."""
        from molehunt.models.prompts import prompt_ids
        from molehunt.organisms.penalties import flat

        prompts = list(dict.fromkeys(r.messages for r in lessons.rows))[:PROMPTS]
        ids = [prompt_ids(session.model.tokenizer, m) for m in prompts]
        return Cover(penalties=(flat(session.model, ids, plan.against, plan.cover),))


ENTRY = AgainstProbe
