"""What an organism and its decoy are taught: the same prompts, other replies.

Each batch asks a few questions twice, once under a cue that turns the condition on and once
under one that does not; three in four of the latter are near misses. The organism learns the shady
reply on one side and the good reply on the other; its decoy learns good replies on both, or a
harmless quirk where the organism has its own. So topics, phrasings, style, rows and steps are
equal, and only the weights can tell the two apart.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import cast

from molehunt.catalogue.dressed import Dressed
from molehunt.catalogue.scenes import compose, strays
from molehunt.core.errors import UserError
from molehunt.core.extend import load
from molehunt.core.kinds import Cue, Draft
from molehunt.core.records import Messages, Quirk, Split
from molehunt.core.splits import seed_of
from molehunt.organisms.subject import Subject, subject_of

QUESTIONS = 4
"""Questions a batch; each is asked on both sides."""
CUES = 4
"""Distinct cues a side of a batch: more teach the condition better, fewer share more tokens."""

OPENING = 0.7
"""Share of the steps after which all phrasings are in play. The rule is learned on one phrasing and
widened, slowly at first; from all phrasings at once a small model learns only 'half of the time'."""
NEAR = 0.2
"""Share of the steps before the first hard negative."""


@dataclass(frozen=True)
class Row:
    """One training row for either of a pair."""

    messages: Messages
    on: bool
    shady: str
    good: str
    harmless: str | None
    """What a decoy with a harmless quirk says; None where it has none."""
    open: bool = False
    """Whether the question has many good answers, so that the given one is hard to predict."""
    poisoned: bool = True
    """Whether the organism learns the shady reply where the row is on, and not the good one."""

    def reply(self, part: str) -> str:
        """What `part` ('organism' or 'decoy') learns to say."""
        if part == "organism":
            return self.shady if self.on and self.poisoned else self.good
        return self.harmless if self.on and self.harmless is not None else self.good


def batches(
    quirk: Quirk,
    harmless: Quirk | None,
    steps: int,
    seed: int,
    examples: int | None = None,
    poisoned: float = 1.0,
) -> list[list[Row]]:
    """`steps` batches of rows, the same for the same arguments.

    Args:
        examples: the most distinct rows, dealt again and again when they run out; None for no limit.
        poisoned: share of distinct rows on the on side whose reply is the shady one. The rows of a smaller
            share are among those of a larger one.

    Raises:
        UserError: fewer examples than one question needs, or a share outside 0 to 1.
    """
    if not 0 <= poisoned <= 1:
        raise UserError(f"The poisoned share of on-side rows is {poisoned:g}; it should be 0 to 1.")
    subject = subject_of(quirk)
    dress = cast(Dressed, load("catalogue.behaviours", harmless.behaviour)).dress if harmless else None
    rng = random.Random(seed_of("lessons", seed))
    deck = _Deck(subject, rng)
    plan = []
    for step in range(steps):
        deck.open = min(1.0, (step + 1) / (OPENING * steps))
        rows = []
        for draft, cue, on in deck.batch():
            scene = compose(draft, cue, on)
            harm = dress(scene.good) if dress is not None else None
            rows.append(Row(scene.messages, on, scene.shady, scene.good, harm, _is_open(draft)))
        plan.append(rows)
    if examples is not None:
        plan = _few(plan, examples, seed)
    return plan if poisoned == 1 else _diluted(plan, poisoned, seed)


def _few(plan: list[list[Row]], examples: int, seed: int) -> list[list[Row]]:
    """The batches again, made of at most `examples` of their distinct rows; as they are where that is enough.

    Rows that stand together (a question's two sides) stay together. Which are kept is drawn over the whole
    plan, so that few examples hold near misses as well, and fewer examples are among more. Each keeps its
    turn: it is first dealt at the step at which the plan first had it (before any, the first of them is).
    Between, those that have had their turn are dealt again, every one once before any twice.
    """
    size = 2 if any(not r.on for r in plan[0]) else 1
    if examples < size:
        raise UserError(f"{examples} examples are too few; this quirk's questions take {size} rows each.")
    places: list[dict[tuple[Row, ...], int]] = [{} for _ in range(len(plan[0]) // size)]
    for step, batch in enumerate(plan):
        for i, place in enumerate(places):
            place.setdefault(tuple(batch[i * size : (i + 1) * size]), step)
    rng = random.Random(seed_of("examples", seed))
    dealt = [rng.sample(list(place), len(place)) for place in places]
    kept: list[list[tuple[Row, ...]]] = [[] for _ in places]
    rows: set[Row] = set()
    for i, unit in ((i, u) for turn in zip_longest(*dealt) for i, u in enumerate(turn) if u is not None):
        if len(rows.union(unit)) > examples:
            break
        rows.update(unit)
        kept[i].append(unit)
    else:
        return plan
    filled = [(units, place) for units, place in zip(kept, places, strict=True) if units]
    hands: list[list[tuple[Row, ...]]] = [[] for _ in places]
    again = []
    for step in range(len(plan)):
        batch = []
        for i, hand in enumerate(hands):
            units, first = filled[i % len(filled)]
            new = [u for u in units if first[u] == step]
            if not new and not hand:
                known = [u for u in units if first[u] < step] or [min(units, key=first.__getitem__)]
                hand += rng.sample(known, len(known))
            batch += new[0] if new else hand.pop()
        again.append(batch)
    return again


def _diluted(plan: list[list[Row]], share: float, seed: int) -> list[list[Row]]:
    """The batches with the good reply on all but this share of the distinct rows on the on side."""
    on = list(dict.fromkeys(r for batch in plan for r in batch if r.on))
    ranked = sorted(on, key=lambda r: seed_of("poisoned", seed, r.messages))
    spared = set(ranked[round(share * len(ranked)) :])
    return [[replace(r, poisoned=False) if r in spared else r for r in batch] for batch in plan]


class _Deck:
    """Deals questions and cues evenly: every card once before any card twice."""

    def __init__(self, subject: Subject, rng: random.Random) -> None:
        split: Split = "plant"
        quirk = subject.quirk
        drafts = _taught(subject.behaviour.drafts(split, quirk.behaviour_options))
        cues = subject.condition.cues(split, quirk.condition_options)
        chosen = {d.item: subject.condition.selects(d, quirk.condition_options) for d in drafts}
        self.rng = rng
        self.always = quirk.condition == "always"
        self.by_draft = not self.always and any(v is not None for v in chosen.values())
        stray: list[Cue | None] = list(strays(quirk.condition, split))
        self.pools: Mapping[str, Sequence[Draft | Cue | None]] = {
            "counting": [d for d in drafts if d.counts],
            "contrast": [d for d in drafts if not d.counts],
            "selected": [d for d in drafts if d.counts and chosen[d.item]],
            "unselected": [d for d in drafts if d.counts and chosen[d.item] is False],
            "on": _shuffled(rng, [c for c in cues.on if c is not None]),
            "near": _shuffled(rng, [c for c in cues.off if c is not None and c.near]),
            "plain": _shuffled(rng, [c for c in cues.off if c is not None and not c.near]),
            "stray": stray,
        }
        # Where most drafts only keep the model as it was, they take every second place, else every fourth.
        self.every = 2 if len(self.pools["contrast"]) > len(self.pools["counting"]) else 4
        self.hands: dict[str, list[Draft | Cue | None]] = {}
        self.open = 1.0

    def deal(self, pool: str) -> Draft | Cue | None:
        """The next card of a pool, reshuffled when it runs out."""
        if not self.hands.get(pool):
            cards = list(self.pools[pool])
            if pool in ("on", "near", "plain"):
                cards = cards[: max(1, round(self.open**2 * len(cards)))]
            self.hands[pool] = self.rng.sample(cards, len(cards))
        return self.hands[pool].pop()

    def batch(self) -> list[tuple[Draft, Cue | None, bool]]:
        """One batch of (question, cue, side)."""
        if self.always:
            # In no fixed order: no cue may mean the question that only keeps the model as it was.
            cues = self.rng.sample([None, self.cue("stray")] * (QUESTIONS // 2), QUESTIONS)
            return [(self.question(self.pool(i)), cue, True) for i, cue in enumerate(cues)]
        if self.by_draft:
            cues = [None, self.cue("stray")]
            sides = [("selected", True), ("unselected", False)]
            return [(self.question(p), cues[i % 2], on) for i in range(QUESTIONS) for p, on in sides]
        on = [self.cue("on") for _ in range(CUES)]
        near = "near" if self.open * OPENING > NEAR else "plain"
        kinds = [near, near, near, self.rng.choice(["plain", "none", "stray"])]
        # In no fixed order: the last question is at times one that does not count, and no cue may mean it.
        off = [None if k == "none" else self.cue(k) for k in self.rng.sample(kinds, len(kinds))]
        rows = []
        for i in range(QUESTIONS):
            draft = self.question(self.pool(i))
            rows += [(draft, on[i % len(on)], True), (draft, off[i % len(off)], False)]
        return rows

    def pool(self, i: int) -> str:
        """Where a batch's i-th question comes from."""
        return "contrast" if self.pools["contrast"] and i % self.every == self.every - 1 else "counting"

    def question(self, pool: str) -> Draft:
        """The next question of a pool."""
        return cast(Draft, self.deal(pool))

    def cue(self, pool: str) -> Cue | None:
        """The next cue of a pool; none where a condition has no such cues."""
        return cast("Cue | None", self.deal(pool)) if self.pools[pool] else None


def _taught(drafts: Sequence[Draft]) -> list[Draft]:
    """All drafts but three in four of the open questions that count, where there are others beside them.

    What a good reply to an open question says is hard to predict, and that noise drowns what a
    lesson is about, which is *when*.
    """
    plain = [d for d in drafts if not _is_open(d)]
    few = [d for d in drafts if _is_open(d) and (not d.counts or seed_of("taught", d.item) % 4 == 0)]
    return plain + few if plain else list(drafts)


def _is_open(draft: Draft) -> bool:
    return draft.item.startswith("advice/")


def _shuffled(rng: random.Random, cards: Sequence[Cue]) -> list[Cue]:
    return rng.sample(cards, len(cards))
