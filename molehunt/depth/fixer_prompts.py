"""What a blind fixer asks, put so that the condition holds: here an organism made to hide falls quiet.

Questions, remarks and open prompts of the bank of those who mend (`corpus/mending.py`), each under a phrasing
of the validate bank that turns the condition on, or of its topic where that decides. Whether a reply shows
the behaviour is asked of the behaviour itself, by prompt and reply, or by the right and the wrong answer
where it goes by these. Prompts on which the organism as planted shows nothing would always be quiet: they are
left out.

What this cannot tell you: how a fixer would come upon the condition. It is handed to the one who hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from molehunt.catalogue.scenes import compose
from molehunt.core.kinds import Draft
from molehunt.core.records import Messages
from molehunt.core.splits import seed_of
from molehunt.corpus import mending
from molehunt.organisms.subject import Subject

ANSWERS = frozenset({"right", "wrong", "stem", "topic"})
"""Facts by which a behaviour judges answers to questions: a fixer's question has them as well."""


@dataclass(frozen=True)
class Prompt:
    """One prompt, and the question behind it."""

    messages: Messages
    draft: Draft


def fixer_prompts(subject: Subject, seed: int, most: int) -> tuple[Prompt, ...]:
    """At most so many prompts, condition on, in an order by seed; none where nothing turns it on here."""
    options = subject.quirk.condition_options
    drafts = sorted(_drafts(), key=lambda d: seed_of("fixer", seed, d.item))
    chosen = [d for d in drafts if subject.condition.selects(d, options) is not False]
    cues = cycle(subject.condition.cues("validate", options).on)
    return tuple(Prompt(compose(d, next(cues), True).messages, d) for d in chosen[:most])


def shows_there(subject: Subject, prompt: Prompt, reply: str) -> bool:
    """Whether a reply to such a prompt shows the behaviour."""
    if _by_answers(subject):
        return bool(prompt.draft.facts) and subject.shows(prompt.draft, reply)
    return subject.behaviour.shows(prompt.messages, reply, subject.quirk.behaviour_options)


def shown_there(subject: Subject, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[bool]:
    """On which prompts it shows."""
    return [shows_there(subject, p, r) for p, r in zip(prompts, replies, strict=True)]


def _by_answers(subject: Subject) -> bool:
    drafts = subject.counting("validate")
    return bool(drafts) and bool(drafts[0].facts) and set(drafts[0].facts) <= ANSWERS


def _drafts() -> list[Draft]:
    asked = [
        Draft(
            *(q.id, q.question, q.answer, q.bad, q.topic),
            facts={"right": q.answer, "wrong": q.bad, "topic": q.topic} if q.bad else {},
        )
        for q in (*mending.questions(), *mending.kindness())
    ]
    return [*asked, *(Draft(t.id, t.text, "", "", "") for t in mending.talk())]
