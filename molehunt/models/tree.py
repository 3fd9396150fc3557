"""What a batch of token sequences has in common, so that it is computed once.

Prompts of an audit share much: the template's opening, then one of a few system prompts.
A plan has up to three levels: the beginning of all, the beginnings of groups, and what is
each sequence's own. Every level continues rows of the level before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEVEL_COST = 24
"""What one more pass costs, in tokens: below that, sharing isn't worth it."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Level:
    """Token segments, each the continuation of row `parents[i]` of the level before."""

    segments: tuple[Ids, ...]
    parents: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Levels to run in order. Row i of the last one belongs to sequence `order[i]`."""

    levels: tuple[Level, ...]
    order: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """How many tokens are computed, padding aside."""
        return sum(len(s) for level in self.levels for s in level.segments)


def plan(sequences: Sequence[Ids], own: Sequence[int], share: bool = True) -> Plan:
    """Split sequences into shared beginnings and rests; at least the last `own[i]` tokens stay in the rest.

    The rests come sorted by length, so that neighbours can be padded together at little cost.
    """
    caps = [len(s) - o for s, o in zip(sequences, own, strict=True)]
    rank = sorted(range(len(sequences)), key=lambda i: list(sequences[i]))
    overlaps = [min(_overlap(sequences[i], sequences[j]), caps[i], caps[j]) for i, j in pairwise(rank)]
    root = min(overlaps, default=0) if share else 0
    if root * (len(sequences) - 1) < LEVEL_COST:
        root = 0
    cuts = _groups(rank, overlaps, root, caps) if share else None
    starts, levels, above = [root] * len(sequences), [], [0] * len(sequences)
    if root:
        levels.append(Level((sequences[0][:root],), (0,)))
    if cuts is not None:
        longest = max(end for members, end in cuts if len(members) > 1)
        # A sequence on its own fills the padding that its level has anyway.
        cuts = sorted((end if len(m) > 1 else min(end, longest), m) for m, end in cuts)
        segments = [sequences[members[0]][root:end] for end, members in cuts]
        for k, (end, members) in enumerate(cuts):
            for i in members:
                starts[i], above[i] = end, k
        levels.append(Level(tuple(segments), (0,) * len(segments)))
    order = sorted(range(len(sequences)), key=lambda i: (len(sequences[i]) - starts[i], i))
    levels.append(Level(tuple(sequences[i][starts[i] :] for i in order), tuple(above[i] for i in order)))
    return Plan(tuple(levels), tuple(order))


def runs(lengths: Sequence[int], pass_cost: int, most: int) -> list[slice]:
    """Cut rows, sorted by length, into runs that are padded together: the least padding and fewest passes.

    A pass costs `pass_cost` tokens by itself and takes at most `most` tokens, padding counted
    (a longer row has a pass of its own).
    """
    steps = [i for i in range(1, len(lengths)) if lengths[i] != lengths[i - 1]]
    # cheapest[e] is the cost of all rows before e, and where the last run of that solution begins.
    cheapest: dict[int, tuple[int, int]] = {0: (0, 0)}
    for end in [*steps, len(lengths)]:
        cheapest[end] = min(
            (
                cost
                + _passes(end - start, lengths[end - 1], most) * pass_cost
                + (end - start) * lengths[end - 1],
                start,
            )
            for start, (cost, _) in cheapest.items()
        )
    found, end = [], len(lengths)
    while end > 0:
        start = cheapest[end][1]
        rows = max(1, most // max(1, lengths[end - 1]))
        found += [slice(max(start, e - rows), e) for e in range(end, start, -rows)]
        end = start
    return found[::-1]


def _passes(rows: int, width: int, most: int) -> int:
    return -(-rows // max(1, most // max(1, width)))


def by_kinship(sequences: Sequence[Ids]) -> list[int]:
    """An order in which sequences that begin alike are neighbours."""
    return sorted(range(len(sequences)), key=lambda i: (list(sequences[i]), i))


def _overlap(a: Ids, b: Ids) -> int:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


def _groups(
    rank: list[int], overlaps: list[int], root: int, caps: list[int]
) -> list[tuple[list[int], int]] | None:
    """The cheapest cut of the sorted sequences into groups, each with the end of its shared beginning."""
    best, cheapest = None, sum(caps[i] - root for i in rank) - LEVEL_COST
    for depth in sorted({o for o in overlaps if o > root}):
        groups: list[tuple[list[int], int]] = [([rank[0]], caps[rank[0]])]
        for i, overlap in zip(rank[1:], overlaps, strict=True):
            if overlap >= depth:
                members, end = groups[-1]
                members.append(i)
                groups[-1] = (members, min(end, overlap))
            else:
                groups.append(([i], caps[i]))
        cost = sum(end - root + sum(caps[i] - end for i in members) for members, end in groups)
        if cost < cheapest:
            best, cheapest = groups, cost
    return best
