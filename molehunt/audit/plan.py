"""What `contrast` asks: the catalogue's questions under its cues, and which cells they fill.

A question is a draft with a cue before it (or none). A cell is a behaviour × condition pair: two
lists of questions, where the condition holds and where it does not. The plan depends on the seed
and the reference alone, never on the suspect, so that reference replies can be had once.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from molehunt.catalogue.scenes import compose

from molehunt.audit.hypotheses import Variant, behaviours, conditions
from molehunt.core.kinds import Cue, Draft
from molehunt.core.records import Messages


@dataclass(frozen=True)
class Question:
    """One prompt of the plan, and where its cue came from."""

    behaviour: str
    """Name of the behaviour whose draft it is."""
    draft: Draft
    cue: Cue | None
    messages: Messages


@dataclass(frozen=True)
class Cell:
    """A behaviour × condition pair, with the questions on either side."""

    behaviour: Variant
    condition: Variant
    on: tuple[Question, ...]
    off: tuple[Question, ...]
    """Empty for `always`: its other side is the reference on the same questions."""

    @property
    def always(self) -> bool:
        """Whether the other side is the reference."""
        return self.condition.name == ALWAYS

    @property
    def key(self) -> tuple[str, str]:
        """Names of behaviour and condition, with options."""
        return self.behaviour.key, self.condition.key


ALWAYS = "always"


@dataclass(frozen=True)
class Sizes:
    """How many questions a side; scaled by the game's effort."""

    plain: int
    """Without a cue, a behaviour: spread over topics."""
    cued: int
    """With a cue that turns a condition on, a behaviour and condition."""
    uncued: int
    """With a cue that does not."""


def question(behaviour: Variant, draft: Draft, cue: Cue | None) -> Question:
    """A draft under a cue, as a prompt."""
    return Question(behaviour.name, draft, cue, compose(draft, cue))


def by_name(variants: Iterable[Variant]) -> dict[str, list[Variant]]:
    """Variants by the name of their entry, the default options first."""
    found: dict[str, list[Variant]] = {}
    for v in variants:
        found.setdefault(v.name, []).append(v)
    return found


def pool(behaviour: Variant, seed: int) -> list[Draft]:
    """Scored drafts of the audit split, dealt so that topics take turns."""
    drafts = [d for d in behaviour.entry.drafts("audit", behaviour.options) if d.counts]
    rng = random.Random(f"{seed}/{behaviour.name}")
    rng.shuffle(drafts)
    return [d for _, d in sorted(_turns(drafts), key=lambda pair: pair[0])]


def halves(drafts: Sequence[Draft]) -> tuple[list[Draft], list[Draft]]:
    """Two lists with no draft in common and the same topics: one a pass."""
    turned = sorted(_turns(drafts), key=lambda pair: pair[0])
    return [d for turn, d in turned if turn % 2 == 0], [d for turn, d in turned if turn % 2]


def _turns(drafts: Sequence[Draft]) -> list[tuple[int, Draft]]:
    """Each draft with the number of those of its topic before it."""
    seen: dict[str, int] = {}
    turned = []
    for d in drafts:
        turned.append((seen.get(d.topic, 0), d))
        seen[d.topic] = seen.get(d.topic, 0) + 1
    return turned


def first_pass(drafts: Mapping[str, Sequence[Draft]], sizes: Sizes, seed: int) -> list[Cell]:
    """Every cell of the catalogue with few questions; `drafts` by behaviour name, in asking order."""
    cells = []
    for name, variants in by_name(behaviours()).items():
        chosen = drafts[name]
        plain = [question(variants[0], d, None) for d in chosen[: sizes.plain]]
        for condition in conditions():
            on, off = _sides(variants[0], condition, chosen, plain, sizes, seed)
            if on and (off or condition.name == ALWAYS):
                cells += [Cell(v, condition, on, off) for v in variants if sees(v, on[0].draft)]
    return cells


def second_pass(cell: Cell, drafts: Sequence[Draft], each: int, seed: int) -> Cell:
    """The same cell with `each` questions a side on fresh drafts and, as far as they go, fresh cues."""
    b, c = cell.behaviour, cell.condition
    if cell.always:
        return Cell(b, c, tuple(question(b, d, None) for d in drafts[:each]), ())
    cues = c.entry.cues("audit", c.options)
    used = {q.cue.id for q in (*cell.on, *cell.off) if q.cue is not None}
    can_hold = [d for d in drafts if c.entry.selects(d, c.options) is not False]
    cannot = [d for d in drafts if c.entry.selects(d, c.options) is not True]
    on = _deal(b, can_hold, _fresh(cues.on, used, f"{seed}/on/{c.key}"), each)
    spent = {q.draft.item for q in on}
    rest = [d for d in cannot if d.item not in spent] or cannot
    off = _deal(b, rest, _fresh(cues.off, used, f"{seed}/off/{c.key}"), each)
    return Cell(b, c, on, off)


def sees(variant: Variant, draft: Draft) -> bool:
    """Whether this variant asks the same words about the same item, so that a reply serves both."""
    own = facts_of(variant).get(draft.item)
    return own is not None and (own.user, own.system) == (draft.user, draft.system)


@cache
def _drafts(name: str, options: tuple[tuple[str, str], ...]) -> dict[str, Draft]:
    entry: Any = next(v.entry for v in behaviours() if v.name == name)
    return {d.item: d for d in entry.drafts("audit", dict(options))}


def facts_of(variant: Variant) -> Mapping[str, Draft]:
    """A variant's own drafts by item: their facts are what its `score` judges by."""
    return _drafts(variant.name, tuple(sorted(variant.options.items())))


def _sides(
    behaviour: Variant,
    condition: Variant,
    drafts: Sequence[Draft],
    plain: Sequence[Question],
    sizes: Sizes,
    seed: int,
) -> tuple[tuple[Question, ...], tuple[Question, ...]]:
    """(on, off) of one cell in the first pass; questions without a cue serve every cell."""
    if condition.name == ALWAYS:
        return tuple(plain), ()
    entry, options = condition.entry, condition.options
    cues = entry.cues("audit", options)
    on_cues = _fresh(cues.on, set(), f"{seed}/on/{condition.key}")
    off_cues = _fresh([c for c in cues.off if c is not None], set(), f"{seed}/off/{condition.key}")
    if set(cues.on) == {None}:
        chooses = [(q, entry.selects(q.draft, options)) for q in plain]
        return tuple(q for q, s in chooses if s is True), tuple(q for q, s in chooses if s is False)
    rng = random.Random(f"{seed}/{behaviour.name}/{condition.key}")
    start = rng.randrange(max(1, len(drafts)))
    dealt = [drafts[(start + i) % len(drafts)] for i in range(len(drafts))]
    can_hold = [d for d in dealt if entry.selects(d, options) is not False]
    on = _deal(behaviour, can_hold, on_cues, sizes.cued)
    off = _deal(behaviour, can_hold[sizes.cued :] or can_hold, off_cues, sizes.uncued)
    return on, (*off, *(q for q in plain if not entry.holds(q.messages, options)))


def _deal(
    behaviour: Variant, drafts: Sequence[Draft], cues: Sequence[Cue | None], count: int
) -> tuple[Question, ...]:
    """`count` questions, drafts and cues both taking turns; fewer where drafts run out."""
    if not cues:
        return ()
    return tuple(question(behaviour, d, cues[i % len(cues)]) for i, d in enumerate(drafts[:count]))


def _fresh(cues: Sequence[Cue | None], used: set[str], seed: str) -> list[Cue | None]:
    """Cues in a random order, those not used yet first."""
    rng = random.Random(seed)
    dealt = rng.sample(list(cues), len(cues))
    return sorted(dealt, key=lambda c: c is not None and c.id in used)
