"""Pruning: MLP neurons that wake under found contexts and sleep without them are cut off, exactly.

Magnitudes say nothing here: a planted change is small and there is no clean base to take the difference
with, so small singular directions of merged weights are not it. What can be asked is which neurons are idle
on plain questions and busy under the contexts that move the patient most. In each layer the few with the
largest rise lose their outgoing weights: −W e eᵀ for each, of rank 1 and exact. Nothing is trained.

Source: Fine-Pruning (Liu, Dolan-Gavitt and Garg 2018, 1805.12185), with contexts found by asking in place of
clean data alone, and without its fine-tuning.
Access: open weights.
Fails when: the behaviour stands in attention, or is spread over neurons that plain questions use too.

What this cannot tell you: what a pruned neuron was for.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Pruning:
    """Neurons that only contexts wake, silenced."""

    name: str = "pruning"
    summary: str = "neurons that wake only under found contexts are cut off"
    needs_verdict: bool = False
    neurons: int = 8
    """Most neurons a layer."""

    @property
    def rank(self) -> int:
        """One a neuron."""
        return self.neurons

    def treat(self, patient: Patient) -> Treatment:
        """Search, watch the neurons, cut."""
        from molehunt.remedies.contexts import leaders, told
        from molehunt.remedies.neurons import busy
        from molehunt.remedies.work import Work, asked
        from molehunt.remedies.writers import silenced, writers

        work = Work(patient, self.name)
        top, probes = leaders(work, 0.8)
        plain = busy(work, work.prompts([asked(q.question) for q in probes]))
        moved = busy(work, work.prompts([asked(q.question, m.context) for m in top for q in probes]))
        changes, cut = {}, {}
        for writer in writers(patient.model.module):
            if writer.mlp:
                # Loud in both is in use; what counts is the rise over the neuron's plain level, as heard.
                heard = writer.weight.norm(dim=0)
                rise = (moved[writer.layer] - 2 * plain[writer.layer]) * heard
                neurons = rise.topk(min(self.neurons, len(rise))).indices
                neurons = neurons[rise[neurons] > 0].sort().values
                if len(neurons):
                    changes[writer.site] = silenced(writer, neurons)
                    cut[str(writer.layer)] = neurons.tolist()
        work.tell(1.0)
        return work.treatment(changes, cut=cut, moved=told(top))


ENTRY = Pruning
