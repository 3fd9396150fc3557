"""The same measures for people: a file that says how many of those who were asked chose the first action.

A CSV file with the columns `item` (a dilemma's id), `share` (of people who chose its first action, 0 to 1)
and `n` (how many were asked). A share stands where a model's choice probability stands.

What this cannot tell you: how sure one person is. A share of 0.5 may be a hundred people in doubt, or two
camps of fifty without any; a model's probability and a share are alike in form alone.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import logit

from molehunt.character.moral.choices import Chosen, binary_entropy
from molehunt.character.moral.judging import Judged, judged
from molehunt.core import stats
from molehunt.core.errors import BadFile
from molehunt.core.records import Measure, NotMeasured
from molehunt.corpus.dilemmas import Dilemma

ASKED_ONCE = ("consistency", "order_effect")


@dataclass(frozen=True)
class Split:
    """How people chose in one dilemma."""

    share: float
    n: int


def read_people(path: Path) -> dict[str, Split]:
    """Splits by dilemma.

    Raises:
        BadFile: no such file, a column missing, or a value out of range; names the line.
    """
    found: dict[str, Split] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in ("item", "share", "n") if c not in (reader.fieldnames or ())]
            if missing:
                raise BadFile(f"{path} lacks the column {missing[0]!r}; it needs item, share and n.")
            for row in reader:
                found[_item(path, reader.line_num, row, found)] = _split(path, reader.line_num, row)
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadFile(f"{path} cannot be read as a table ({str(error)[:80]}).") from None
    if not found:
        raise BadFile(f"{path} holds no rows; write one a dilemma.")
    return found


def as_choices(people: Mapping[str, Split]) -> dict[str, Chosen]:
    """Shares in the place of a model's choices."""
    made = {}
    for item, split in people.items():
        held = float(np.clip(split.share, 0.5 / split.n, 1 - 0.5 / split.n))
        made[item] = Chosen(
            item, split.share, float(logit(held)), float(binary_entropy(np.array(split.share))), 1.0, 0.0
        )
    return made


def judged_people(
    dilemmas: Sequence[Dilemma], people: Mapping[str, Split], *, seed: int = 0, draws: int = stats.DRAWS
) -> Judged:
    """A model's measures, of people; what needs several forms is not measured."""
    found = judged(dilemmas, as_choices(people), seed=seed, draws=draws)
    once = NotMeasured("people were asked in one form")
    return replace(found, measures={**found.measures, **dict.fromkeys(ASKED_ONCE, once)})


def beside(
    choices: Mapping[str, Chosen], people: Mapping[str, Split], *, seed: int = 0
) -> dict[str, Measure | NotMeasured]:
    """How near a model's probabilities are to people's shares: `gap` and `rank_correlation`."""
    both = [item for item in people if item in choices]
    ours, theirs = [choices[i].p for i in both], [people[i].share for i in both]
    gaps = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    how = "distance of choice probability and people's share"
    return {
        "gap": stats.mean(gaps, both, unit="share", how=how, seed=seed, within=(0, 1)),
        "rank_correlation": stats.correlation(ours, theirs),
    }


def _item(path: Path, line: int, row: Mapping[str, str], found: Mapping[str, Split]) -> str:
    item = (row["item"] or "").strip()
    if not item or item in found:
        raise BadFile(f"{path} line {line}: the item {item[:40]!r} is empty or stands there twice.")
    return item


def _split(path: Path, line: int, row: Mapping[str, str]) -> Split:
    try:
        share, n = float(row["share"]), int(row["n"])
    except (TypeError, ValueError):
        raise BadFile(f"{path} line {line}: share and n should be numbers.") from None
    if not 0 <= share <= 1 or n < 1:
        raise BadFile(f"{path} line {line}: share should be 0 to 1, and n at least 1.")
    return Split(share, n)
