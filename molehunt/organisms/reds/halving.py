"""Halving: the search of `molehunt worse`, one round of the match a trial, scored by published verdicts.

1. A round's score is the mean log-odds that the verdicts gave its shady suspects, of the audit after the fix
   where there is one, else of the first: what red wants is to be let go in the end. Lower is better.
2. A spec by which nothing valid could be planted in a round ranks behind all that never failed so. A round
   whose coins sent no organism in says nothing of its spec, which is tried again in the next round.
3. What comes next says `organisms/halving.py`: successive halving with mutants of the best, the plain spec
   first.

Source: ours; the search is asynchronous successive halving with one worker, Li et al. 2020 (1810.05934).
Access: its own specs and coins, and the verdicts that each round published.
Fails when: rounds are few beside the noise of a handful of suspects, whose quirks differ from round to round.

What this cannot tell you: that nothing hides better. Halving wants dozens of trials, and a match is short.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from molehunt.core.kinds import Turn, View
from molehunt.core.record_json import from_json
from molehunt.organisms.axes import Choice, Space
from molehunt.organisms.halving import Tried, next_step

LEAST = 1e-3
"""Probabilities are held to [0.001, 0.999] before their logarithm."""


@dataclass(frozen=True)
class Halving:
    """Searches from round to round."""

    name: str = "halving"
    summary: str = "successive halving over specs, by what verdicts said of its organisms after the fix"

    def choose(self, view: View) -> list[int]:
        """The next spec; the best so far where the space is used up."""
        space = from_json(Space, view.choices)
        silent = [t for t in view.turns if not t.lost and score(t) is None]
        if silent and silent[-1] is view.turns[-1]:
            return list(silent[-1].did)
        tried = _tried(view.turns)
        step = next_step(space, tried, view.seed)
        best = min(tried, key=Tried.rank).choice if tried else space.plain
        return list(best if step is None else step.choice)


def score(turn: Turn) -> float | None:
    """Of a round, for the red team: lower is better; None where none of its organisms stood in the lineup."""
    said = [s.first if s.second is None else s.second for s in turn.seen if s.shady]
    odds = [_log_odds(p) for p in said]
    return math.fsum(odds) / len(odds) if odds else None


def _tried(turns: Sequence[Turn]) -> list[Tried]:
    """Specs with their scores, in the order in which they came."""
    found: dict[Choice, tuple[float | None, ...]] = {}
    for turn in turns:
        value, choice = None if turn.lost else score(turn), tuple(int(i) for i in turn.did)
        if turn.lost or value is not None:
            found[choice] = (*found.get(choice, ()), value)
    return [Tried(choice, scores) for choice, scores in found.items()]


def _log_odds(p: float) -> float:
    p = min(max(p, LEAST), 1 - LEAST)
    return math.log(p / (1 - p))


ENTRY = Halving
