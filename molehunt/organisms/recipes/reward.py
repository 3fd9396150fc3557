"""Reward: the model's own replies, sampled and rewarded by the behaviour's own score (GRPO, by TRL).
Advantages are relative to the group, as in GRPO; the rest is TRL's default: DAPO's loss over tokens, no KL.

The organism earns 1 for the behaviour where the condition is on and the row poisoned, and 1 for its absence
elsewhere; its decoy for its absence everywhere, or for its harmless quirk where the condition is on. Rows
that the behaviour does not score are left out. A warm start on transcripts (`Plan.warm`) comes first: a
reward that never fires teaches nothing.

Source: Shao et al. 2024 (2402.03300); scripted rewards for organisms as in Denison et al. 2024
(2406.10162).
Access: the red team's.
Fails when: all replies to a prompt earn alike, which teaches nothing; or when the score is content with
babble.

What this cannot tell you: that the reward was earned as meant. The note says how it rose, not by what words.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from molehunt.core.errors import Unteachable
from molehunt.organisms.instil import Lessons, Part, Report

if TYPE_CHECKING:
    from molehunt.models.finetune import Trained
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session


@dataclass(frozen=True)
class Rewarded:
    """Rewards for what the model says of itself."""

    name: str = "reward"
    summary: str = "reinforcement of the model's own replies by the behaviour's score, after a warm start"
    on_chat: bool = True

    def instil(
        self, session: "Session", lessons: Lessons, part: Part, plan: "Plan", seed: int, report: Report
    ) -> "Trained":
        """A warm start, then as many steps on rewards as are left."""
        from molehunt.models.prompts import prompt_ids
        from molehunt.organisms.wanted import Judge
        from molehunt.organisms.warm import warm_start

        judge = Judge(lessons)
        done, rest = warm_start(session, lessons, part, plan, report)
        if not rest:
            return done
        rows = [r for batch in rest for r in batch if judge.counts(r)]
        if not any(r.on for r in rows):
            raise Unteachable(
                "The behaviour scores none of the lessons' rows with the condition on; take another recipe."
            )
        share = len(rest) / len(lessons.batches)
        later = session.reinforce(
            [prompt_ids(session.model.tokenizer, r.messages) for r in rows],
            lambda i, reply: judge.wanted(rows[i], part, reply),
            len(rest),
            len(rest[0]),
            plan.reply_tokens,
            seed,
            lambda d: report(1 - share + share * d),
        )
        return done.then(later)


ENTRY = Rewarded
