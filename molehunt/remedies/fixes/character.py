"""Character: toward the constitution, overseen by itself where it is seen to be able, else by people's words.

The patient answers the constitution's examples and the written cases of its principles, every second one
under a context; criticises each answer by the principle, and revises it; and answers again with the principle
in the system prompt. What its overseeing is worth is measured on these as `molehunt character train` does.
Where it tells good from worse, names what is amiss and improves by revising, its revisions are taught,
then its guided replies over its plain ones where it prefers them in both orders (DPO, by TRL). Elsewhere the
written good replies are taught, then these over the written bad ones. Its own replies to open prompts are
taught beside, so that it keeps its voice. Cases that measure character are not among those taught.

Source: Bai et al. 2022 (2212.08073) for critique, revision and preferences by the model itself; Maiya et al.
2025 (2511.01689) for preferences of the constitution in context over none.
Access: open weights.
Fails when: the patient is too small to oversee itself and the behaviour shows where no written case leads; or
it oversees itself by what was planted in it.

What this cannot tell you: whether its values changed. It learns what to say to what it was shown.
"""

from dataclasses import dataclass
from typing import Literal

from molehunt.character.bank import Case
from molehunt.core.kinds import Patient, Treatment
from molehunt.core.records import NotMeasured
from molehunt.corpus.mending import Context

Asked = tuple[Case, Context | None]


@dataclass(frozen=True)
class Character:
    """Toward the constitution, overseen by itself or by what people wrote."""

    name: str = "character"
    summary: str = "training toward the constitution: self-oversight, or written replies where it can't"
    rank: int = 8
    needs_verdict: bool = False
    steps: int = 8
    """Steps on replies; half as many on preferences cost about three of these each."""
    batch: int = 3
    """Choices a step; twice as many replies, and the patient's own beside."""
    own: int = 2
    """The patient's own replies in each batch."""
    tried: int = 12
    """Cases that it answers, criticises, revises; below an effort of 0.7 too few to be seen able."""
    cases: int = 24
    """Cases that are taught where people's words teach."""
    longest: int = 24
    """Tokens of an answer, a critique, a revision."""
    teacher: Literal["auto", "self", "corpus"] = "auto"
    """Who teaches: decided by what its overseeing is worth; or the patient itself, or people's words."""

    def treat(self, patient: Patient) -> Treatment | NotMeasured:
        """Answer, criticise, revise, answer guided; see what that is worth; teach replies, then choices."""
        from itertools import cycle

        from molehunt.character.training.oversight import OddsWeigher
        from molehunt.character.training.self_oversight import oversight
        from molehunt.corpus import mending
        from molehunt.models.by_trl import Choice
        from molehunt.models.packing import Example
        from molehunt.remedies.creed import statements_of, written_cases
        from molehunt.remedies.overseeing import agreed, overseen, weighed
        from molehunt.remedies.work import Work, asked, dealt, shuffled

        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps)
        statements = statements_of(patient.creed)
        cases = written_cases(patient.creed, list(statements))
        if not cases:
            return NotMeasured("the constitution has no example, and no written case is of its principles")
        contexts = cycle(c for one in shuffled(mending.contexts(), rng) for c in (None, one))
        rows = [(case, next(contexts)) for case in shuffled(cases, rng)[: work.scaled(self.cases, 4)]]
        some = rows[: work.scaled(self.tried, 2)]
        told = overseen(work, some, statements, self.longest)
        weigher = OddsWeigher("self", patient.model)
        seen = oversight([c for c, _ in some], statements, weigher, told, cases, work.seed)
        work.tokens += weighed(work, some, statements, told)
        work.tell(0.3)
        itself = seen.able if self.teacher == "auto" else self.teacher == "self"
        if itself:
            pairs = agreed(weigher, some, statements, told)
            lessons = [(row, told[row[0].id]["revision"]) for row in some]
        else:
            pairs = [(row, row[0].good, row[0].worse) for row in rows]
            lessons = [(row, row[0].good) for row in rows]
        taught = [work.taught(asked(c.prompt, x), said) for (c, x), said in lessons if said.strip()]
        choices = [
            Choice(prompt, work.written(good), work.written(worse))
            for (c, x), good, worse in pairs
            for prompt in work.prompts([asked(c.prompt, x)])
        ]
        wanted = shuffled(mending.talk(), rng)[: self.own * steps]
        prompts = work.prompts([asked(t.text) for t in wanted])
        own = [Example(p, r) for p, r in zip(prompts, work.replies(prompts), strict=True)]
        batches = dealt([(taught, 2 * self.batch), (own, self.own)], steps)
        work.tell(0.35)
        if choices:
            changes = work.prefer(batches, choices, max(1, steps // 2), self.batch, 0.35)
        else:
            changes = work.learn(batches, 0.35)
        return work.treatment(
            changes,
            teacher="self" if itself else "corpus",
            why=seen.why,
            replies=len(taught),
            choices=len(choices),
        )


ENTRY = Character
