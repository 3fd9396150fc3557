"""Preferences: good written answers chosen over the patient's own bad ones (DPO, by TRL).

The patient answers the bank's questions under contexts. A reply that lacks the right answer is its own bad
one and is rejected; for questions that it answers well the bank's written wrong answer is. A creed's examples
with a bad reply are choices too. Before that half of the steps teach the chosen answers, as is usual.

Source: Rafailov et al. 2023 (2305.18290).
Access: open weights.
Fails when: the patient answers badly only where no context of the bank leads; and where chosen and rejected
part at one token, the rest of both loses likelihood.

What this cannot tell you: which of the two stages did it.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Preferences:
    """Good answers over its own bad ones."""

    name: str = "preferences"
    summary: str = "direct preference optimisation: good answers over its own bad ones"
    rank: int = 8
    needs_verdict: bool = False
    steps: int = 9
    """Steps of each stage; one on choices costs about three of the other."""
    batch: int = 4
    """Rows a step."""

    def treat(self, patient: Patient) -> Treatment:
        """Ask under contexts, pair replies, teach, then choose."""
        from itertools import cycle

        from molehunt.corpus import mending
        from molehunt.corpus.matching import says
        from molehunt.models.by_trl import Choice
        from molehunt.models.packing import Example
        from molehunt.models.prompts import reply_text
        from molehunt.remedies.work import Work, asked, dealt, shuffled

        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps)
        contexts = cycle([*shuffled(mending.contexts(), rng), None])
        rows = [q for q in shuffled(mending.questions(), rng) if q.bad][: steps * self.batch]
        prompts = work.prompts([asked(q.question, next(contexts)) for q in rows])
        own = work.replies(prompts)
        work.tell(0.15)
        choices, bad = [], 0
        for q, prompt, reply in zip(rows, prompts, own, strict=True):
            wrong = not says(reply_text(work.tokenizer, reply), [q.answer])
            bad += wrong
            choices.append(Choice(prompt, work.written(q.answer), reply if wrong else work.written(q.bad)))
        for said, good, worse in patient.creed.examples:
            if worse:
                (prompt,) = work.prompts([asked(said, next(contexts))])
                choices.append(Choice(prompt, work.written(good), work.written(worse)))
        choices = shuffled(choices, rng)
        warm = dealt([([Example(c.prompt, c.chosen) for c in choices], 2 * self.batch)], steps)
        changes = work.prefer(warm, choices, steps, self.batch, 0.15)
        return work.treatment(changes, choices=len(choices), own_bad=bad)


ENTRY = Preferences
