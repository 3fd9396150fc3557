"""Adversarial: find contexts that change the patient's answers, train it to answer as it does without them.

The search (`remedies/contexts.py`) asks the patient alone. Half of each batch's rows stand under the contexts
that moved it most, a quarter under others, a quarter under none; all teach the reply that the patient itself
gave without a context. Nobody says which reply is good.

Source: consistency training (Chua et al. 2024, 2403.05518; Irpan et al. 2025, 2510.27062), with the contexts
searched as in adversarial training.
Access: open weights.
Fails when: no context of the bank comes near the condition; or the behaviour shows always, for then the reply
without a context is the bad one, and it is taught.

What this cannot tell you: whether what moved the patient was a trigger; see `said.moved`.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Adversarial:
    """The same answer under every context."""

    name: str = "adversarial"
    summary: str = "training toward its own answers without the contexts that change them most"
    rank: int = 8
    needs_verdict: bool = False
    steps: int = 20
    """Steps at an effort of 1."""
    asked: int = 40
    """Questions whose replies without a context are taught."""

    def treat(self, patient: Patient) -> Treatment:
        """Search, ask without contexts, then one packed step a batch."""
        from itertools import cycle

        from molehunt.corpus import mending
        from molehunt.models.packing import Example
        from molehunt.remedies.contexts import KEPT, movers, told
        from molehunt.remedies.work import Work, asked, dealt, shuffled

        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps, 2)
        found, _ = movers(work, 0.0, 0.35)
        top = [m.context for m in found[: max(1, work.scaled(KEPT))]]
        rest = [m.context for m in found[len(top) :]] or top
        texts = [*(q.question for q in mending.questions()), *(t.text for t in mending.talk())]
        questions = shuffled(texts, rng)[: work.scaled(self.asked, 4)]
        plain = work.prompts([asked(q) for q in questions])
        own = work.replies(plain)
        work.tell(0.45)
        rows = {}
        for name, contexts in (("top", top), ("rest", rest)):
            turn = cycle(contexts)
            under = work.prompts([asked(q, next(turn)) for q in questions])
            rows[name] = [Example(p, r) for p, r in zip(under, own, strict=True)]
        alone = [Example(p, r) for p, r in zip(plain, own, strict=True)]
        batches = dealt([(rows["top"], 4), (rows["rest"], 2), (alone, 2)], steps)
        return work.treatment(work.learn(batches, 0.45), moved=told(found[: len(top)]))


ENTRY = Adversarial
