"""Turns: the remedies one after the other, in the order in which they were named. What a blue team that
learns has to beat; with one remedy, a blue team that always does the same.

Source: none; the baseline.
Access: none of what it could see.
Fails when: one remedy is better than the others, for it goes on to the next all the same.

What this cannot tell you: which remedy is best; too few rounds fall to each.
"""

from dataclasses import dataclass

from molehunt.core.kinds import View


@dataclass(frozen=True)
class Turns:
    """Round and round."""

    name: str = "turns"
    summary: str = "the baseline: the remedies in turn"

    def choose(self, view: View) -> str:
        """The next in the row."""
        return view.choices[len(view.turns) % len(view.choices)]


ENTRY = Turns
