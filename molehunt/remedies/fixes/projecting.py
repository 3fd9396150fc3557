"""Projecting: what attention and MLP write along found directions is taken out of their weights, exactly.

Contexts that move the patient's answers most are found by asking it; what they add to the residual stream in
the middle of the model, one row a context, spans the directions. For each output projection W and orthonormal
directions B the change is −Bᵀ(B W), so that nothing is written along them any more. Nothing is trained.

Source: Arditi et al. 2024 (2406.11717), weights orthogonalised against one direction.
Access: open weights.
Fails when: condition and behaviour stand in no few directions in the middle of the model, or share them with
what the model needs. What embeddings and biases write stays.

What this cannot tell you: whether the direction was the trigger's or that of being spoken to at all.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Projecting:
    """Directions that are no longer written."""

    name: str = "projecting"
    summary: str = "what contexts add to the residual stream is projected out of the weights"
    needs_verdict: bool = False
    dimensions: int = 2
    """Most directions that are taken out."""

    @property
    def rank(self) -> int:
        """One a direction."""
        return self.dimensions

    def treat(self, patient: Patient) -> Treatment:
        """Search, find directions, change every map that writes into the residual stream."""
        from molehunt.remedies.contexts import address, directions, leaders, shifts, told
        from molehunt.remedies.work import Work
        from molehunt.remedies.writers import without, writers

        work = Work(patient, self.name)
        top, probes = leaders(work, 0.8)
        where = address(work)
        rows, _ = shifts(work, top, probes, where)
        basis = directions(rows, self.dimensions)
        changes = {w.site: without(w, basis) for w in writers(patient.model.module)} if len(basis) else {}
        work.tell(1.0)
        return work.treatment(changes, address=where, directions=len(basis), moved=told(top))


ENTRY = Projecting
