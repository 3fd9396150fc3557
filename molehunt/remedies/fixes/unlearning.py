"""Unlearning: where the audit's guesses say that it happens, the patient learns what it says elsewhere.

For the likeliest guesses prompts are made that meet the guessed condition (`remedies/suspected.py`). What is
taught under them is the patient's own reply to the same question without it, unless that reply shows what the
guess names; then, and where the question itself is the condition, the bank's written answer is. As many rows
teach the patient's replies without the condition, so that it stays itself there.

Source: ours; the simple end of unlearning by relabelling (Eldan and Russinovich 2023, 2310.02238), without
gradient ascent, which breaks small models.
Access: open weights, and the audit's verdict.
Fails when: the guess is wrong, or leads nowhere in the bank.

What this cannot tell you: more than the guess knew; a wrong guess is unlearnt as carefully as a right one.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment
from molehunt.core.records import NotMeasured


@dataclass(frozen=True)
class Unlearning:
    """What the verdict names, replaced by what is said elsewhere."""

    name: str = "unlearning"
    summary: str = "training against what the audit's verdict names, where it names it"
    rank: int = 8
    needs_verdict: bool = True
    steps: int = 24
    """Steps at an effort of 1."""
    guesses: int = 3
    """Guesses that are followed."""
    asked: int = 48
    """Questions whose replies are followed."""

    def treat(self, patient: Patient) -> Treatment | NotMeasured:
        """Make prompts of the guesses, ask without them, then one packed step a batch."""
        from itertools import cycle

        from molehunt.models.packing import Example
        from molehunt.models.prompts import reply_text
        from molehunt.remedies.suspected import followed, shows
        from molehunt.remedies.work import Work, asked, dealt, shuffled

        led = followed(patient.guesses, self.guesses)
        if not led:
            return NotMeasured(
                "the verdict holds no guess that leads to prompts here"
                if patient.guesses
                else "there is no verdict with a guess to go by"
            )
        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps, 2)
        under, alone, relabelled = [], [], 0
        for one in led:
            rows = shuffled(one.questions, rng)[: work.scaled(self.asked // len(led), 3)]
            plain = work.prompts([asked(q.question) for q in rows])
            own = work.replies(plain)
            contexts = cycle(one.contexts or (None,))
            prompts = work.prompts([asked(q.question, next(contexts)) for q in rows])
            for q, prompt, bare, reply in zip(rows, prompts, plain, own, strict=True):
                shown = not one.contexts or shows(one.guess, reply_text(work.tokenizer, reply))
                relabelled += bool(shown)
                under.append(Example(prompt, work.written(q.answer) if shown else reply))
                if one.contexts:
                    alone.append(Example(bare, reply))
            work.tell(0.15)
        batches = dealt([(shuffled(under, rng), 5), (shuffled(alone, rng), 3)], steps)
        whens = [f"{o.guess.when.kind}: {o.guess.when.text}" for o in led]
        return work.treatment(work.learn(batches, 0.15), followed=whens, relabelled=relabelled)


ENTRY = Unlearning
