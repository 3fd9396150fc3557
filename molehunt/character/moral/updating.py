"""Does evidence move a model as far as it should, and does what is no evidence leave it alone?

A story leaves two possibilities open. Then somebody who is right in r percent of such cases speaks for one
of them: the log Bayes factor is ±log(r / (100 − r)). The **update slope** is the observed change of log-odds
over the intended one, by least squares through the origin: 1 is as it should be, 0 unmoved, above 1 too
credulous. The same on **irrelevant** evidence, with the same numbers and names about something else: 0 is as
it should be. Log-odds are means over forms and orders; intervals resample stories.

Source: MEASURES (ours); the ideal is Bayes' rule with the reliability that is stated.

What this cannot tell you: whether a model reasons. A name that is merely mentioned raises its own odds: that
is what the irrelevant slope shows, and the relevant slope holds it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from molehunt.character.moral.choices import Choice, chosen
from molehunt.character.moral.forms import Posed
from molehunt.core import intervals
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import DRAWS
from molehunt.corpus.series import RELIABILITIES, Story

KINDS = ("relevant", "irrelevant")


@dataclass(frozen=True)
class Moved:
    """One piece of evidence: what it should do (were it relevant) and what it did, in nats."""

    story: str
    kind: str
    intended: float
    observed: float


@dataclass(frozen=True)
class Updating:
    """Both slopes, and what they rest on."""

    relevant: Measure | NotMeasured
    irrelevant: Measure | NotMeasured
    moved: tuple[Moved, ...]


def posed(story: Story) -> tuple[Posed, ...]:
    """The bare story, then every piece of evidence at every reliability for either side."""
    made = [Posed(f"{story.name}/bare", story.context, story.actions)]
    for kind in KINDS:
        for i, frame in enumerate(_frames(story, kind)):
            for r in RELIABILITIES:
                for side, who in enumerate(story.sides):
                    told = f"{story.context} {frame.format(who=who, r=r)}"
                    made.append(Posed(f"{story.name}/{kind}/{i}/{r}/{side}", told, story.actions))
    return tuple(made)


def updating(
    stories: Sequence[Story], choices: Sequence[Choice], *, seed: int = 0, draws: int = DRAWS
) -> Updating:
    """Slopes over every story whose bare form and evidence were all asked."""
    odds = {item: one.log_odds for item, one in chosen(choices).items()}
    moved = tuple(m for story in stories for m in _moved(story, odds))
    return Updating(
        slope([m for m in moved if m.kind == "relevant"], "relevant", seed, draws),
        slope([m for m in moved if m.kind == "irrelevant"], "irrelevant", seed, draws),
        moved,
    )


def slope(moved: Sequence[Moved], kind: str, seed: int = 0, draws: int = DRAWS) -> Measure | NotMeasured:
    """Observed over intended change, through the origin, over stories: resampled, few by Student's t."""
    names = sorted({m.story for m in moved})
    if not names:
        return NotMeasured(f"no {kind} evidence was asked about")
    sums = np.zeros((len(names), 2))
    for m in moved:
        sums[names.index(m.story)] += (m.intended * m.observed, m.intended**2)
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    how = f"observed over intended change of log-odds, {kind} evidence"
    if len(names) < 2:
        return Measure(value, "ratio", len(moved), f"{how}; one story, no interval")
    if len(names) < intervals.FEW:
        low, high = intervals.of_mean(sums[:, 0], sums[:, 1]) or (None, None)
        by = "too few for an interval" if low is None else "Student's t"
        return Measure(
            value, "ratio", len(moved), f"{how}; {len(names)} stories, {by}", low, high, len(names)
        )
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    drawn = weights @ sums
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    said = f"{how}; bootstrap over {len(names)} stories, {draws} resamples"
    return Measure(value, "ratio", len(moved), said, float(low), float(high), len(names))


def intended(r: int, side: int) -> float:
    """Log Bayes factor toward the first side of a voice that is right in `r` percent of cases."""
    return log(r / (100 - r)) * (1 if side == 0 else -1)


def _frames(story: Story, kind: str) -> tuple[str, ...]:
    return story.relevant if kind == "relevant" else story.irrelevant


def _moved(story: Story, odds: dict[str, float]) -> list[Moved]:
    bare = odds.get(f"{story.name}/bare")
    if bare is None:
        return []
    made = []
    for kind in KINDS:
        for i in range(len(_frames(story, kind))):
            for r in RELIABILITIES:
                for side in (0, 1):
                    heard = odds.get(f"{story.name}/{kind}/{i}/{r}/{side}")
                    if heard is not None:
                        made.append(Moved(story.name, kind, intended(r, side), heard - bare))
    return made
