"""Nothing: the control. The patient comes back as it went in, bit for bit.

Source: none; every measure of a fix stands beside it.
Access: the patient, unasked.
Fails when: never.

What this cannot tell you: what handling alone does; a remedy that trains on its own replies would.
"""

from dataclasses import dataclass

from molehunt.core.kinds import Patient, Treatment


@dataclass(frozen=True)
class Nothing:
    """No change."""

    name: str = "nothing"
    summary: str = "the control: no change at all"
    rank: int = 0
    needs_verdict: bool = False

    def treat(self, patient: Patient) -> Treatment:
        """An empty treatment."""
        return Treatment({})


ENTRY = Nothing
