"""Which trial comes next in a search over specs: successive halving, one trial at a time, and mutation.

    rung 0   all candidates, on place 0 (a quirk and a seed)
    rung 1   the better half of them, on place 1 as well
    rung 2   the better half of those, on place 2 ...

1. From the highest rung down: a candidate in the better half of its rung that has not been on the next
   place yet goes there. All candidates meet the same places in the same order, so that a rung compares like
   with like: means over the same places.
2. Where nobody is to be promoted a newcomer starts on place 0: the plain spec first, then specs that change
   one thing of it, then mutants of the three best so far, every fourth time a draw. None comes twice.
   (Draws change several things, and few are valid: of five on the default model none was.)

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
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over all its places."""
        return math.fsum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class Step:
    """The next trial: which candidate (by number), on which place."""

    candidate: int
    choice: Choice
    place: int


def next_step(
    space: Space, tried: Sequence[Tried], seed: int, worst: float, first: int = FIRST
) -> Step | None:
    """What to try next; None when the space is used up. A mean of `worst` is neither promoted nor mutated."""
    up = promoted(tried, worst) if len(tried) >= first else None
    if up is not None:
        return Step(up, tried[up].choice, len(tried[up].scores))
    choice = newcomer(space, tried, seed, worst, first)
    return None if choice is None else Step(len(tried), choice, 0)


def promoted(tried: Sequence[Tried], worst: float) -> int | None:
    """Who goes up, by number: the best of the highest rung whose better half is not through yet."""
    for rung in range(max((len(t.scores) for t in tried), default=0), 0, -1):
        there = [i for i, t in enumerate(tried) if len(t.scores) >= rung]
        by_mean = sorted(there, key=lambda i: math.fsum(tried[i].scores[:rung]))
        for i in by_mean[: len(there) // 2]:
            if len(tried[i].scores) == rung and tried[i].mean < worst:
                return i
    return None


def newcomer(space: Space, tried: Sequence[Tried], seed: int, worst: float, first: int) -> Choice | None:
    """A choice that was not tried yet."""
    number, known = len(tried), {t.choice for t in tried}
    if not number:
        return space.plain
    rng = random.Random(seed_of("newcomer", seed, number))
    if number < first and (singles := [choice for choice in space.singles() if choice not in known]):
        return rng.choice(singles)
    parents = sorted((t for t in tried if t.mean < worst), key=lambda t: t.mean)[:PARENTS]
    drawn = number < first or number % DRAWN_AGAIN == 0 or not parents
    for _ in range(LOOKS):
        choice = space.draw(rng) if drawn else space.change(rng.choice(parents).choice, rng)
        if choice not in known:
            return choice
    return None


def winner(tried: Sequence[Tried]) -> int:
    """The lowest mean, among those with more than half as many trials as the candidate with the most."""
    most = max(len(t.scores) for t in tried)
    pool = [i for i, t in enumerate(tried) if 2 * len(t.scores) > most]
    return min(pool, key=lambda i: (tried[i].mean, -len(tried[i].scores), i))
