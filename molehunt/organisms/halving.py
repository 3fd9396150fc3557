"""Which trial comes next in a search over specs: successive halving, one trial at a time, and mutation.

    rung 0   all candidates, on place 0 (a quirk and a seed)
    rung 1   the better half of them, on place 1 as well
    rung 2   the better half of those, on place 2 ...

1. From the highest rung down: a candidate in the better half of its rung that has not been on the next
   place yet goes there. All candidates meet the same places in the same order, so that a rung compares like
   with like: who failed on fewer of the same places is better, and of equals who has the lower mean score on
   the others. What was not valid or not tested has no score; no score of another place makes up for it.
2. Where nobody is to be promoted a newcomer starts on place 0: the plain spec first, then specs that change
   one thing of it, each on an axis that was not touched yet, in the space's order; then mutants of the three
   best so far, every fourth time a draw. None comes twice.
   (Draws change several things, and few are valid: of five on the default model none was.)
3. The winner is the best of those that went up farthest, who all met the same places. (On known ground with
   noise they are as near the best as those with more than half as many places, each by its own mean.)

The next trial follows from those before it and a seed alone, so a search may be cut anywhere, and goes on.
The lower a score the better.

Source: asynchronous successive halving with one worker, Li et al. 2020 (1810.05934).

What this cannot tell you: how good the winner is. It was chosen among noisy scores, so its own score
flatters it (the winner's curse): plant it anew.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from molehunt.core.splits import seed_of
from molehunt.organisms.axes import Choice, Space

FIRST = 6
"""Candidates before any is promoted or mutated."""
PARENTS = 3
DRAWN_AGAIN = 4
"""One newcomer in so many is a draw."""
LOOKS = 500
"""Draws for a newcomer that was not tried yet before the space counts as used up."""


@dataclass(frozen=True)
class Tried:
    """A candidate and its scores, place by place from 0."""

    choice: Choice
    scores: tuple[float | None, ...]
    """None where it was not valid, or could not be tested."""

    def rank(self, places: int | None = None) -> tuple[float, float]:
        """What it is sorted by on its first places, the lower the better: which share failed, then the mean.

        A mean of no scores is infinite.
        """
        some = self.scores[:places]
        told = [score for score in some if score is not None]
        return 1 - len(told) / len(some), math.fsum(told) / len(told) if told else math.inf

    @property
    def failed(self) -> bool:
        """Whether it never took: such a one is neither promoted nor mutated."""
        return all(score is None for score in self.scores)


@dataclass(frozen=True)
class Step:
    """The next trial: which candidate (by number), on which place."""

    candidate: int
    choice: Choice
    place: int


def next_step(space: Space, tried: Sequence[Tried], seed: int, first: int = FIRST) -> Step | None:
    """What to try next; None when the space is used up."""
    up = promoted(tried) if len(tried) >= first else None
    if up is not None:
        return Step(up, tried[up].choice, len(tried[up].scores))
    choice = newcomer(space, tried, seed, first)
    return None if choice is None else Step(len(tried), choice, 0)


def promoted(tried: Sequence[Tried]) -> int | None:
    """Who goes up, by number: the best of the highest rung whose better half is not through yet."""
    for rung in range(max((len(t.scores) for t in tried), default=0), 0, -1):
        there = [i for i, t in enumerate(tried) if len(t.scores) >= rung]
        best = sorted(there, key=lambda i: tried[i].rank(rung))
        for i in best[: len(there) // 2]:
            if len(tried[i].scores) == rung and not tried[i].failed:
                return i
    return None


def newcomer(space: Space, tried: Sequence[Tried], seed: int, first: int) -> Choice | None:
    """A choice that was not tried yet."""
    number, known = len(tried), {t.choice for t in tried}
    if not number:
        return space.plain
    rng = random.Random(seed_of("newcomer", seed, number))
    if number < first and (singles := [choice for choice in space.singles() if choice not in known]):
        return singles[0]
    parents = sorted((t for t in tried if not t.failed), key=Tried.rank)[:PARENTS]
    drawn = number < first or number % DRAWN_AGAIN == 0 or not parents
    for _ in range(LOOKS):
        choice = space.draw(rng) if drawn else space.change(rng.choice(parents).choice, rng)
        if choice not in known:
            return choice
    return None


def winner(tried: Sequence[Tried]) -> int:
    """The best of those that met the most places: the same for all of them."""
    most = max(len(t.scores) for t in tried)
    return min((i for i, t in enumerate(tried) if len(t.scores) == most), key=lambda i: tried[i].rank())
