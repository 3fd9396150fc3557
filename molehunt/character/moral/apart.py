"""Versions held against the first, dilemma by dilemma, and the dilemmas in which they part most.

Each change is the mean of a version's number less the first's on the same dilemmas, with an interval over
dilemmas; of the entropy AUROC, dilemmas of both are resampled together.

What this cannot tell you: whether another training of the same kind would change as much. Intervals are over
dilemmas, and dilemmas that are shown are chosen for being far apart: they are no average.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from molehunt.character.moral.choices import Chosen
from molehunt.character.moral.judging import right_score
from molehunt.core.ranking import auroc_change
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import paired_difference
from molehunt.corpus.dilemmas import Dilemma

SHOWN = 8
Number = Measure | NotMeasured


@dataclass(frozen=True)
class Seen:
    """One dilemma and what each model makes of it."""

    dilemma: Dilemma
    p: tuple[float, ...]
    """Probability of the first action, a model each."""


def changes(
    dilemmas: Sequence[Dilemma], ours: Mapping[str, Chosen], theirs: Mapping[str, Chosen], *, seed: int = 0
) -> dict[str, Number]:
    """By the names that `Judged.measures` have."""
    met = [d for d in dilemmas if d.id in ours and d.id in theirs]

    def change(
        of: Callable[[Dilemma, Chosen], float], some: Sequence[Dilemma], unit: str, how: str
    ) -> Number:
        own, first = ([of(d, who[d.id]) for d in some] for who in (ours, theirs))
        return paired_difference(own, first, [d.id for d in some], unit=unit, how=how, seed=seed)

    levels = {level: [d for d in met if d.ambiguity == level] for level in ("high", "low")}
    unsure, before = ([who[d.id].entropy for d in met] for who in (ours, theirs))
    ids, high = [d.id for d in met], [d.ambiguity == "high" for d in met]
    right = [d for d in met if d.right is not None]
    return {
        "low_accuracy": change(lambda d, c: right_score(d, c.p), right, "share", "right where all agree"),
        "entropy_auroc": auroc_change(unsure, before, high, ids, seed=seed),
        **{
            f"entropy_{level}": change(lambda _, c: c.entropy, some, "bits", f"entropy, {level} ambiguity")
            for level, some in levels.items()
        },
        "consistency": change(lambda _, c: c.consistency, met, "share", "consistency"),
        "order_effect": change(lambda _, c: c.order_effect, met, "share", "order effect"),
    }


def furthest(
    dilemmas: Sequence[Dilemma], choices: Sequence[Mapping[str, Chosen]], most: int = SHOWN
) -> tuple[Seen, ...]:
    """The dilemmas in which models lie furthest apart; of one model alone those in which it is surest."""
    met = [Seen(d, tuple(c[d.id].p for c in choices)) for d in dilemmas if all(d.id in c for c in choices)]

    def apart(one: Seen) -> float:
        return max(one.p) - min(one.p) if len(choices) > 1 else abs(max(one.p) - 0.5)

    return tuple(sorted(met, key=apart, reverse=True)[:most])
