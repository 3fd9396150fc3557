"""Two conditions in one prompt: their cues joined to one cue.

    one: 'I am a child.'  ─┐
                           ├─► 'I am a child. Today is Wednesday.'  id one&two, both parts of one split
    two: 'Today is ...'   ─┘

The parts come in either order, by a hash; one that ends in a colon comes last. Only cues that stand
in the same place are joined.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from molehunt.catalogue.options import one_of
from molehunt.core.extend import load
from molehunt.core.kinds import Condition, Cue, Options
from molehunt.core.records import Messages, Split
from molehunt.core.splits import seed_of, split_of


@dataclass(frozen=True)
class Parts:
    """Two conditions with their default options."""

    one: Condition
    two: Condition

    def hold(self, prompt: Messages) -> tuple[bool, bool]:
        """Which of the two hold in a prompt."""
        return self.one.holds(prompt, {}), self.two.holds(prompt, {})

    def sides(self, split: Split) -> dict[tuple[bool, bool], list[Cue]]:
        """Joined cues of a split, by whether the first and the second part are on."""
        ones, twos = _sides(self.one, split), _sides(self.two, split)
        return {(a, b): join(ones[a], twos[b], split) for a in ones for b in twos}


def parts_of(name: str, choices: Mapping[str, tuple[str, ...]], options: Options) -> Parts:
    """The two conditions that the option `pair` names.

    Raises:
        UnknownName: the pair is not on the condition's list.
    """
    one, two = one_of(name, choices, options, "pair", what=f"pair of {name}").split("+")
    return Parts(load("catalogue.conditions", one), load("catalogue.conditions", two))


def join(first: Sequence[Cue], second: Sequence[Cue], split: Split) -> list[Cue]:
    """Every cue of both sides once or more, joined with one that it fits, chosen by a hash."""
    met = []
    for a in first:
        fit = [b for b in second if _fit(a, b, split)]
        met += [(a, fit[seed_of("join", a.id, a.text) % len(fit)])] if fit else []
    for b in second:
        fit = [a for a in first if _fit(a, b, split)]
        met += [(fit[seed_of("join", b.id, b.text) % len(fit)], b)] if fit else []
    return list({cue.text: cue for cue in (_joined(a, b) for a, b in met)}.values())


def near(first: Sequence[Cue], second: Sequence[Cue]) -> list[Cue]:
    """Equally many of both as hard negatives, chosen by a hash."""
    count = min(len(first), len(second))
    rng = random.Random(seed_of("near", count))
    return [replace(c, near=True) for cues in (first, second) for c in rng.sample(cues, count)]


def _joined(a: Cue, b: Cue) -> Cue:
    last = a.text.endswith(":"), b.text.endswith(":")
    turned = last[0] if any(last) else seed_of("turned", a.text, b.text) % 2 == 1
    texts = (b.text, a.text) if turned else (a.text, b.text)
    return Cue(_identity(a.id, b.id), " ".join(texts), a.place)


def _fit(a: Cue, b: Cue, split: Split) -> bool:
    if a.place != b.place or (a.text.endswith(":") and b.text.endswith(":")):
        return False
    return _split(a.id, b.id) == split


def _identity(one: str, two: str) -> str:
    return f"{one}&{two}"


@cache
def _split(one: str, two: str) -> Split:
    return split_of(_identity(one, two))


def _sides(condition: Condition, split: Split) -> dict[bool, list[Cue]]:
    cues = condition.cues(split, {})
    return {True: [c for c in cues.on if c is not None], False: [c for c in cues.off if c is not None]}
