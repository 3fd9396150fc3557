"""Steering: pushed back, where contexts push the activations, and the push distilled into the weights.

The direction is the mean of what the most moving contexts add to the residual stream in the middle of the
model. A steered copy of the patient, whose coordinate along it is held at what it is without a context, says
what should be said under contexts; a small adapter learns that by KL, token by token, beside what the
unsteered patient says without one.

Source: difference of means (Turner et al. 2023, 2308.10248; Rimsky et al. 2024, 2312.06681); distilling an
edit into weights after Hinton et al. 2015 (1503.02531).
Access: open weights.
Fails when: condition and behaviour stand in no one direction there, or the found contexts are not its like.

What this cannot tell you: whether steering itself would do as well; the distilled push is only near it.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment
from molehunt.core.records import NotMeasured


@dataclass(frozen=True)
class Steering:
    """Away from where contexts push, for good."""

    name: str = "steering"
    summary: str = "steering away from what contexts add, distilled into the weights"
    rank: int = 8
    needs_verdict: bool = False
    steps: int = 16
    """Steps at an effort of 1."""
    asked: int = 48
    """Questions whose replies are followed."""
    batch: int = 6
    """Rows a step; every third step is without context."""

    def treat(self, patient: Patient) -> Treatment | NotMeasured:
        """Search, find the direction, let the steered patient teach."""
        import torch

        from molehunt.corpus import mending
        from molehunt.models.edits import clamp
        from molehunt.remedies.contexts import address, directions, leaders, shifts, told
        from molehunt.remedies.distil import distil, teach
        from molehunt.remedies.work import Work, asked, shuffled

        work = Work(patient, self.name)
        rng, steps = work.random(), work.scaled(self.steps, 2)
        top, probes = leaders(work, 0.35)
        where = address(work)
        added, plain = shifts(work, top, probes, where)
        unit = directions(added.mean(0)[None], 1)
        if not len(unit):
            return NotMeasured("no context moved the activations, so there is no direction to steer along")
        rest = float(unit[0] @ plain)
        pool = shuffled([*(q.question for q in mending.questions()), *(t.text for t in mending.talk())], rng)
        pool = pool[: min(work.scaled(self.asked, 4), steps * self.batch)]
        own = work.replies(work.prompts([asked(t) for t in pool]))
        work.tell(0.45)
        lessons = []
        for step in range(steps):
            alone, turns = step % 3 == 2, range(step * self.batch, (step + 1) * self.batch)
            contexts = [None if alone else top[i % len(top)].context for i in turns]
            texts = [pool[i % len(pool)] for i in turns]
            prompts = work.prompts([asked(t, c) for t, c in zip(texts, contexts, strict=True)])
            rows = [(p, own[i % len(pool)]) for p, i in zip(prompts, turns, strict=True)]
            # The first position is a sink of huge norm; what stands there is left alone.
            mask = torch.ones(max(len(p) + len(r) for p, r in rows), dtype=torch.bool)
            mask[0] = False
            lessons.append(teach(work, rows, {} if alone else {where: clamp(unit[0], rest, at=mask)}))
            work.tell(0.45 + 0.1 * (step + 1) / steps)
        return work.treatment(distil(work, lessons, 0.55), address=where, rest=rest, moved=told(top))


ENTRY = Steering
