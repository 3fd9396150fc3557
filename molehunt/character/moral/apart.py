"""Versions held against the first, dilemma by dilemma, and the dilemmas in which they part most.

Each change is the mean of a version's number less the first's on the same dilemmas, with an interval over
dilemmas; of the entropy AUROC, dilemmas of both are resampled together.

What this cannot tell you: whether another training of the same kind would change as much. Intervals are over
dilemmas, and dilemmas that are shown are chosen for being far apart: they are no average.
"""

from collections.abc import Mapping, Sequence
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

    def change(what: str, some: Sequence[Dilemma]) -> Number:
        rows = [[float(getattr(who[d.id], what)) for d in some] for who in (ours, theirs)]
        unit = "bits" if what == "entropy" else "share"
        return paired_difference(
            *rows, [d.id for d in some], unit=unit, how=what.replace("_", " "), seed=seed
        )

    sure = [d for d in met if d.right is not None]
    right = [[right_score(d, who[d.id].p) for d in sure] for who in (ours, theirs)]
    return {
        "low_accuracy": paired_difference(
            *right, [d.id for d in sure], unit="share", how="right where all agree", seed=seed
        ),
        "entropy_auroc": auroc_change(
            *([who[d.id].entropy for d in met] for who in (ours, theirs)),
            [d.ambiguity == "high" for d in met],
            [d.id for d in met],
            seed=seed,
        ),
        **{
            f"entropy_{level}": change("entropy", [d for d in met if d.ambiguity == level])
            for level in ("high", "low")
        },
        "consistency": change("consistency", met),
        "order_effect": change("order_effect", met),
    }


def furthest(
    dilemmas: Sequence[Dilemma], choices: Sequence[Mapping[str, Chosen]], most: int = SHOWN
) -> tuple[Seen, ...]:
    """The dilemmas in which models lie furthest apart; of one model alone those in which it is surest."""
    met = [Seen(d, tuple(c[d.id].p for c in choices)) for d in dilemmas if all(d.id in c for c in choices)]

    def apart(one: Seen) -> float:
        return max(one.p) - min(one.p) if len(one.p) > 1 else abs(one.p[0] - 0.5)

    return tuple(sorted(met, key=apart, reverse=True)[:most])
