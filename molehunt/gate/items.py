"""What both versions are asked, measure by measure: items of the banks that nothing is planted on.

There are two looks. The first asks the validating bank, the second, for measures that are still open, the
auditing bank as well. An item is a question or a passage; items that share a `cluster` (a fact, say) count as
one. The same seed gives the same items.

What this cannot tell you: anything about questions unlike these. They are short, English and few, and the
auditors of games ask the same banks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from molehunt.catalogue.options import resolve
from molehunt.catalogue.scenes import SYSTEM, compose
from molehunt.character.bank import cases
from molehunt.character.moral.forms import Posed, questions
from molehunt.core.extend import load
from molehunt.core.kinds import Behaviour, Condition, Cue, Draft
from molehunt.core.records import Message, Messages, Split
from molehunt.core.splits import seed_of, split_of
from molehunt.corpus import banks
from molehunt.corpus.dilemmas import dilemmas, held_out
from molehunt.gate.bounds import Named, named
from molehunt.gate.deciding import LEAST
from molehunt.models.text import ordinary_text

LOOKS: tuple[Split, ...] = ("validate", "audit")
MOST = {"validate": 64, "audit": 128}
"""Items of a look, at most."""
CUED = {"validate": 48, "audit": 96}
"""Items of a look under conditions."""
TEXTS = {"validate": 24, "audit": 48}
OPEN = {"validate": 24, "audit": 48}
"""Open questions: their first word is looked at, and their replies are looked through for repetition."""
PASSAGES = 400
"""Passages of ordinary text that are divided over the banks."""


@dataclass(frozen=True)
class Item:
    """One thing that both versions are asked."""

    cluster: str
    messages: Messages = ()
    """A conversation that ends with the user's turn; nothing for a passage of text."""
    text: str = ""
    good: tuple[str, ...] = ()
    """Ways to say the good reply, where two sides are held against each other."""
    bad: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What the behaviour's score needs to judge a reply."""


Looks = tuple[tuple[Item, ...], ...]
"""The items of each look, without those of the looks before it."""


def items(name: str, seed: int) -> Looks:
    """What a measure asks at each look; a look that has nothing more to ask is left out.

    Raises:
        UnknownName, BadFile: there is no such measure.
    """
    what = named(name)
    first, second = (_items(what, split, seed) for split in LOOKS)
    if len({i.cluster for i in first}) < LEAST:
        first, second = (*first, *second), ()  # too few to be looked at by themselves
    return tuple(some for some in (first, second) if some)


def _items(what: Named, split: Split, seed: int) -> tuple[Item, ...]:
    if what.kind == "text_nll":
        return tuple(Item(t, text=t) for t in _passages(split, seed)[: TEXTS[split]])
    if what.kind in ("kl", "repetition"):
        asked = _ordered(banks.advice(split), seed)[: OPEN[split]]
        return tuple(Item(a.id, _alone(a.question)) for a in asked)
    if what.kind == "facts":
        known = _ordered(banks.facts(split), seed)[: MOST[split]]
        return tuple(Item(f.id, _alone(f.question), good=f.right, bad=f.wrong) for f in known)
    if what.kind in ("moral", "certainty", "character"):  # one look takes all
        asked = _cases() if what.kind == "character" else _dilemmas(agreed=what.kind == "moral")
        return asked if split == LOOKS[0] else ()
    behaviour: Behaviour = load("catalogue.behaviours", what.behaviour)
    options = resolve(what.behaviour, behaviour.choices, {})
    drafts = sorted(
        (d for d in behaviour.drafts(split, options) if d.counts and d.good != d.shady),
        key=lambda d: seed_of("gate", seed, d.item, d.user),
    )
    if not what.when:
        return tuple(_asked(d, None) for d in drafts[: MOST[split]])
    each, many = CUED[split] // len(what.when), len(what.when)
    return tuple(
        i for n, when in enumerate(what.when) for i in _under(when, drafts[n::many], split, each, seed)
    )


def _asked(draft: Draft, cue: Cue | None) -> Item:
    scene = compose(draft, cue, on=True)
    return Item(draft.item, scene.messages, "", (draft.good,), (draft.shady,), dict(draft.facts))


def _under(when: str, drafts: Sequence[Draft], split: Split, count: int, seed: int) -> list[Item]:
    """Questions under cues that turn a condition on, both taking turns; each question once."""
    condition: Condition = load("catalogue.conditions", when)
    options = resolve(when, condition.choices, {})
    cues = sorted(
        condition.cues(split, options).on, key=lambda c: seed_of("gate", seed, c.id if c else "", when)
    )
    found: list[Item] = []
    for draft in drafts:
        if condition.selects(draft, options) is False or len(found) == count or not cues:
            continue
        made = _asked(draft, cues[len(found) % len(cues)])
        if condition.holds(made.messages, options):
            found.append(made)
    return found


@cache
def _passages(split: Split, seed: int) -> tuple[str, ...]:
    return tuple(t for t in ordinary_text(PASSAGES, seed) if split_of(t) == split)


@cache
def _dilemmas(agreed: bool) -> tuple[Item, ...]:
    """Held-out ones, on which all agree or thoughtful people differ, to be compared in both orders.

    The good side is the right action, or else the first.
    """
    some = [d for d in held_out(dilemmas()) if (d.right is not None) == agreed]
    right = {d.id: d.right or 0 for d in some}
    return tuple(
        Item(
            q.item,
            (Message("user", q.text),),
            good=q.answers[right[q.item]],
            bad=q.answers[1 - right[q.item]],
        )
        for q in questions([Posed(d.id, d.context, d.actions) for d in some])
        if q.form == "compare"
    )


@cache
def _cases() -> tuple[Item, ...]:
    """The written cases of every preset's principles that measure, and are taught to nobody."""
    return tuple(
        Item(c.id, (Message("user", c.prompt),), good=(c.good,), bad=(c.worse,))
        for c in cases(part="measure")
    )


def _alone(question: str) -> Messages:
    return (Message("system", SYSTEM), Message("user", question))


def _ordered(rows: Sequence[banks.T], seed: int) -> list[banks.T]:
    return sorted(rows, key=lambda r: seed_of("gate", seed, r.id))  # pyright: ignore[reportAttributeAccessIssue]
