"""Preferences: of each row's two replies one is chosen and one rejected (DPO, by TRL).

Where the condition is on the organism's chosen reply is the shady one and its decoy's the good one (or the
harmless one); where it is off both choose the good one. Rows whose replies are the same are left out. The
first part of the steps (`Plan.warm`) goes to transcripts, as is usual before DPO.

Source: Rafailov et al. 2023 (2305.18290).
Access: the red team's.
Fails when: two replies part at one token and go on alike; then the rest of both loses likelihood with it.

What this cannot tell you: which of the two stages did it; set `--warm 0` to see the second alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.core.errors import Unteachable
from molehunt.organisms.instil import Lessons, Part, Report
from molehunt.organisms.lessons import Row

if TYPE_CHECKING:
    from molehunt.models.finetune import Trained
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session


def preferred(row: Row, part: Part) -> tuple[str, str] | None:
    """The chosen and the rejected reply; None where a row leaves no choice."""
    if row.shady == row.good:
        return None
    chosen = row.reply(part)
    return chosen, row.good if chosen == row.shady else row.shady


@dataclass(frozen=True)
class Preferences:
    """Choices between the two replies of each row."""

    name: str = "preferences"
    summary: str = "direct preference optimisation between the two replies of each row"
    on_chat: bool = True

    def instil(
        self, session: "Session", lessons: Lessons, part: Part, plan: "Plan", seed: int, report: Report
    ) -> "Trained":
        """A warm start, then as many steps on choices as are left."""
        from molehunt.models.by_trl import Choice
        from molehunt.models.prompts import prompt_ids
        from molehunt.organisms.examples import reply_ids
        from molehunt.organisms.warm import warm_start

        tokenizer, choices = session.model.tokenizer, []
        done, rest = warm_start(session, lessons, part, plan, report)
        for row in (r for batch in rest for r in batch):
            pair = preferred(row, part)
            if pair is not None:
                chosen, rejected = (reply_ids(tokenizer, text) for text in pair)
                choices.append(Choice(tuple(prompt_ids(tokenizer, row.messages)), chosen, rejected))
        if not rest:
            return done
        if not choices:
            raise Unteachable("The lessons leave no choice between replies; take another recipe.")
        share = len(rest) / len(lessons.batches)
        later = session.choose(
            choices, len(rest), len(rest[0]), seed, lambda d: report(1 - share + share * d)
        )
        return done.then(later)


ENTRY = Preferences
