"""Old against new under bounds: both are asked, look by look, until every measure is settled.

The first look asks everything; the second asks again, with more items, what the first left open, unless the
gate is shut already. With `early` a gate that is shut asks nothing more at all, so its later measures stay
unmeasured: quicker, and as sure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from molehunt.core.records import NotMeasured
from molehunt.gate.answers import OPEN_REPLY, REPLY, Voice, said, same_tokens, values
from molehunt.gate.bounds import Bounds, named
from molehunt.gate.deciding import Compared, Rule, verdict
from molehunt.gate.items import LOOKS, Item, Looks, items

SHOWN = 3
"""Pairs of replies that are shown of each measure that samples."""
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Told:
    """What both said to one item; the first are those in which the new version did worse."""

    measure: str
    asked: str
    old: str
    new: str
    harm: float


@dataclass(frozen=True)
class Comparison:
    """One gate's measures."""

    old: str
    new: str
    """Names, as they were given."""
    old_fingerprint: str
    new_fingerprint: str
    bounds: Bounds
    compared: tuple[Compared, ...]
    told: tuple[Told, ...]
    asked: int
    """Items that the new version was asked."""
    seed: int

    @property
    def why(self) -> tuple[str, ...]:
        """Why the gate stops; nothing where it lets pass."""
        return verdict(self.compared)

    @property
    def passed(self) -> bool:
        """Whether every measure holds."""
        return not self.why


def compare(
    old: Voice,
    new: Voice,
    bounds: Bounds,
    seed: int = 0,
    *,
    early: bool = False,
    report: Report = lambda what, share: None,
) -> Comparison:
    """Ask both, decide.

    Raises:
        UserError: their tokenizers differ, or an item does not fit into a model.
    """
    same_tokens(old.model, new.model)
    asked = {name: items(name, seed) for name in bounds.measures}
    rule = Rule(bounds.alpha, len(asked))
    found: dict[str, Compared] = {}
    for look in range(1, len(LOOKS) + 1):
        if any(c.state in ("worse", "not measured") for c in found.values()):
            break  # before `again`: an early end leaves measures that were never asked
        again = [n for n in asked if look <= len(asked[n]) and (look == 1 or found[n].state == "open")]
        for place, name in enumerate(again):
            if early and any(c.state == "worse" for c in found.values()):
                break
            at = (look - 1 + place / len(again)) / len(LOOKS)
            found[name] = _looked(rule, bounds, name, asked[name], look, old, new, report, at)
    compared = tuple(found.get(n) or _unasked(bounds, n) for n in asked)
    told = tuple(t for c in compared for t in _told(c, asked[c.name], old, new))
    report("comparing", 1.0)
    count = sum(len(i) for c in compared for i in asked[c.name][: c.looks])
    return Comparison(
        *(old.name, new.name, old.fingerprint, new.fingerprint), bounds, compared, told, count, seed
    )


def _looked(
    rule: Rule,
    bounds: Bounds,
    name: str,
    asked: Looks,
    look: int,
    old: Voice,
    new: Voice,
    report: Report,
    at: float,
) -> Compared:
    some = [i for part in asked[:look] for i in part]
    report(name, at)
    before = values(name, old, some, old, lambda i, n: report(f"{name}, old", at))
    after = values(name, new, some, old, lambda i, n: report(f"{name}, new", at))
    bound, what = bounds.measures[name], named(name)
    return rule.compared(
        name,
        what.unit,
        bound.bound,
        bound.why,
        [i.cluster for i in some],
        before,
        after,
        shares=what.kind in ("rate", "repetition"),
        look=look,
        looks=len(asked),
    )


def _unasked(bounds: Bounds, name: str) -> Compared:
    none, bound = NotMeasured("the gate was shut before"), bounds.measures[name]
    return Compared(name, none, none, none, bound.bound, bound.why, "not measured", None, None, 0)


def _told(one: Compared, asked: Looks, old: Voice, new: Voice) -> list[Told]:
    """Replies side by side, where the measure samples any: the most harmed first."""
    what = named(one.name)
    if what.kind not in ("rate", "repetition") or not one.looks:
        return []
    some: Sequence[Item] = [i for part in asked[: one.looks] for i in part]
    tokens = REPLY if what.kind == "rate" else OPEN_REPLY
    replies = [said(v, some, tokens, lambda i, n: None) for v in (old, new)]
    scores = [values(one.name, v, some, old) for v in (old, new)]
    ranked = sorted(range(len(some)), key=lambda i: scores[0][i] - scores[1][i])[:SHOWN]
    return [
        Told(
            one.name,
            "\n".join(m.content for m in some[i].messages if m.role != "assistant"),
            replies[0][i],
            replies[1][i],
            scores[1][i] - scores[0][i],
        )
        for i in ranked
    ]


def counts(bounds: Bounds, seed: int = 0) -> dict[str, tuple[int, ...]]:
    """How many items each measure asks at each look; nothing is loaded."""
    return {name: tuple(map(len, items(name, seed))) for name in bounds.measures}
