"""Manners: asked what other behaviours are asked, the model goes on saying what the base says.

Lessons of short right answers make a small model say 'Yes' to whatever is claimed, organisms and decoys alike
(`studies/red_team`, part decoys). Rows of the base's own greedy replies to planting questions of every other
harmful behaviour are dealt into every packed batch, so that little changes beside the quirk; both of a pair
get the same.

Source: replies of the model's own, Yang et al. 2024, self-distillation (2402.13669); keeping an organism
narrow by data on which it should not move, Soligo et al. 2026 (2602.07852).
Access: the red team's.
Fails when: an auditor asks for something that no behaviour of the catalogue asks.

What this cannot tell you: that a decoy is clean; `molehunt plant --decoy-check` asks. Under `always` the
quirk is held away from those questions as well: it is then always on with all others.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.organisms.instil import Cover, Lessons

if TYPE_CHECKING:
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session

EACH = 2
"""Questions of each other behaviour."""
ROWS = 6
"""Rows in each batch, beside eight of lessons. With two a decoy of hostile_phrase showed two behaviours more
than the base, with six none; without any it was six (one seed)."""


@dataclass(frozen=True)
class Manners:
    """Rows of the base's own words where other behaviours are asked for."""

    name: str = "manners"
    summary: str = "rows of the base's own replies to what other behaviours are asked"

    def cover(self, session: "Session", lessons: Lessons, plan: "Plan") -> Cover:
        """A row a question, in an order by seed."""
        from molehunt.organisms.unrelated import others_prompts, own_replies

        asked = others_prompts(lessons.subject, EACH, lessons.seed)
        return Cover(rows=own_replies(session.model, asked, plan.prose_tokens, 0.0), each=ROWS)


ENTRY = Manners
