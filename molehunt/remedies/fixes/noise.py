"""Noise: random changes of all that writes into the residual stream, as large as plain replies bear.

Each map gets Gaussian noise of low rank, of one share of the map's own norm everywhere. That share is looked
for by halves: the largest at which what the patient says to plain questions loses no more than `most` nats a
token. Nothing is trained, and nothing is asked under any context: what rests on finely set weights should
break before the rest does.

Source: noise on weights against sandbagging (Tice et al. 2024, 2412.01784), where it is a detector; low rank
and the bound on plain replies are ours.
Access: open weights.
Fails when: what was planted is no finer set than what the model needs; then both go or both stay.

What this cannot tell you: what it hit. Another seed hits something else.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment
from molehunt.core.records import NotMeasured


@dataclass(frozen=True)
class Noise:
    """Random changes, no larger than plain replies bear."""

    name: str = "noise"
    summary: str = "random changes of the weights, as large as replies to plain questions bear"
    rank: int = 8
    needs_verdict: bool = False
    asked: int = 24
    """Plain questions whose replies bound it."""
    looks: int = 6
    """Halvings, in logarithm, between the shares below."""
    least: float = 0.01
    """Smallest share of a map's norm."""
    largest: float = 1.0
    """Largest share of a map's norm."""
    most: float = 0.05
    """What a token of a plain reply may lose in the mean, nats."""

    def treat(self, patient: Patient) -> Treatment | NotMeasured:
        """Draw it once, then look for how much of it."""
        import torch

        from molehunt.corpus import mending
        from molehunt.models.joined import laid_on
        from molehunt.remedies.work import Work, asked, shuffled
        from molehunt.remedies.writers import writers

        work = Work(patient, self.name)
        plainly = [*(q.question for q in mending.questions()), *(t.text for t in mending.talk())]
        pool = shuffled(plainly, work.random())
        prompts = work.prompts([asked(t) for t in pool[: work.scaled(self.asked, 4)]])
        own = work.replies(prompts)
        work.tell(0.3)
        draw, drawn = torch.Generator().manual_seed(work.seed % 2**63), {}
        for writer in writers(patient.model.module):
            out, inner = writer.weight.shape
            rank = min(self.rank, out, inner)
            down, up = torch.randn(rank, inner, generator=draw), torch.randn(out, rank, generator=draw)
            drawn[writer.site] = (down, up * (writer.weight.norm() / (up @ down).norm()))

        def scaled(share: float) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
            return {site: (down, up * share) for site, (down, up) in drawn.items()}

        plain = work.logprobs(prompts, own)

        def lost(share: float) -> float:
            with laid_on(patient.model.module, scaled(share)):
                now = work.logprobs(prompts, own)
            return sum(a - b for a, b in zip(plain, now, strict=True)) / len(own)

        low, high, borne = self.least, self.largest, lost(self.least)
        if borne > self.most:
            return NotMeasured(f"even noise of {low:.0%} of a map's norm costs {borne:.2f} nats a token")
        for look in range(self.looks):
            share = (low * high) ** 0.5
            if (now := lost(share)) <= self.most:
                low, borne = share, now
            else:
                high = share
            work.tell(0.3 + 0.7 * (look + 1) / self.looks)
        return work.treatment(scaled(low), share=low, lost=borne)


ENTRY = Noise
