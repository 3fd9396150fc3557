"""Plain: the same plain spec in every round. What a red team that learns has to beat.

Source: none; the baseline.
Access: its own specs, unread.
Fails when: the auditors or the fix deal with plain organisms, for it never changes.

What this cannot tell you: what a red team could do that looks at what was published.
"""

from dataclasses import dataclass

from molehunt.core.kinds import View
from molehunt.core.record_json import from_json
from molehunt.organisms.axes import Space


@dataclass(frozen=True)
class Plain:
    """Never changes."""

    name: str = "plain"
    summary: str = "the baseline: the plain spec in every round"

    def choose(self, view: View) -> list[int]:
        """Zero on every axis."""
        return list(from_json(Space, view.choices).plain)


ENTRY = Plain
