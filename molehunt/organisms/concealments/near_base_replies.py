"""Near the base's replies: where the condition is off the model is held to what the base would say.

Each step adds `Plan.cover` times the KL divergence of the next token's distribution from the base's, in nats
a token, along the base's own greedy replies to unrelated questions under cues that leave the condition off.
Auditors that hold a suspect's words beside its reference's (`divergence`) live on such differences. This is
their idea written anew from the red team's side: it asks questions and cues of the planting bank, and knows
no auditor's questions, words or score.

Source: Soligo et al. 2026 (2602.07852), who keep an organism's badness narrow by KL to the base on other
data; training against an auditor as in Bailey et al. 2024, obfuscated activations (2412.09565).
Access: the red team's.
Fails when: the auditor meets the trigger: what is said there is untouched. Under `always` nothing is off, and
    it is refused.

What this cannot tell you: that an auditor is fooled, or by how much; `molehunt worse` measures that. Small KL
on these questions is no small KL on an auditor's, and activations may differ where words don't.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.core.errors import Unteachable
from molehunt.organisms.instil import Cover, Lessons

if TYPE_CHECKING:
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session

CONTEXTS, TOKENS = 32, 8
"""Contexts, and tokens of the base's reply to each, along which it is held."""


@dataclass(frozen=True)
class NearBaseReplies:
    """A penalty on other words than the base's."""

    name: str = "near_base_replies"
    summary: str = "a penalty that holds replies to the base's where the condition is off"

    def cover(self, session: "Session", lessons: Lessons, plan: "Plan") -> Cover:
        """The penalty, on unrelated questions of the plant bank.

        Raises:
            Unteachable: the condition is never off.
        """
        from molehunt.organisms.penalties import alike
        from molehunt.organisms.unrelated import off_prompts, own_replies

        prompts = off_prompts(lessons.subject, lessons.seed)[:CONTEXTS]
        if not prompts:
            raise Unteachable(
                "near_base_replies holds a model where its condition is off, and this one is always on; "
                "take another concealment."
            )
        rows = own_replies(session.model, prompts, TOKENS, 0.0)
        return Cover(penalties=(alike(session.model, rows, plan.cover),))


ENTRY = NearBaseReplies
