"""Signs of life while a model is trained, and when its training counts as collapsed.

Looked at before the first step and at a few steps on the way, with the adapter as it then is: the margin of
written good replies over worse ones on cases that are watched (never taught, never measured by
`molehunt character measure`), ordinary text, easy questions, and a few replies of its own.

A training has **collapsed** where the loss or any sign is no finite number, ordinary text costs `DEAREST`
times as much as before or more, replies repeat themselves (`REPEATS` of them or more above before), or
`FORGOTTEN` of the questions are lost. The adapter as it was when the signs were last good is kept.

What this cannot tell you: that a model is well. These are bounds for ruins, not for a release.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.character.bank import Case
from molehunt.character.conduct.margin import Pair, margins
from molehunt.core.growing import append_lines
from molehunt.core.records import Message, NotMeasured
from molehunt.corpus import banks
from molehunt.models.loaded import Model
from molehunt.models.sample import sample
from molehunt.models.score import text_nll
from molehunt.models.text import ordinary_text

DEAREST = 1.5
REPEATS = 0.5
FORGOTTEN = 0.3
PASSAGES, QUESTIONS, REPLIES, MOST = 4, 16, 6, 40
GRAM = 4
"""Words in a row; a reply repeats itself where half of its runs of so many stand in it more than once."""


@dataclass(frozen=True)
class Signs:
    """What was seen at one step."""

    stage: str
    step: int
    margin: float | NotMeasured
    """Mean over the watched cases, nats a token."""
    kept: float | NotMeasured
    """Share of them whose good reply has the larger margin."""
    nll: float
    """Of ordinary text, nats a token."""
    right: float
    """Share of easy questions whose right answer is the likelier."""
    repeats: float
    """Share of its own replies that repeat themselves."""
    sample: str
    """The first of them, to be read."""


class Collapsed(Exception):
    """A training that came apart; says why in a few words."""


def numbers(one: Signs) -> dict[str, float]:
    """What was measured of it, by name."""
    return {k: v for k, v in vars(one).items() if isinstance(v, float)}


def collapse(now: Signs, before: Signs) -> str:
    """Why it counts as collapsed; empty where it does not."""
    if not all(math.isfinite(v) for v in numbers(now).values()):
        return "its numbers are not finite any more"
    if now.nll > DEAREST * before.nll:
        return f"ordinary text costs {now.nll / before.nll:.1f} times as much as before"
    if now.repeats >= before.repeats + REPEATS:
        return f"{now.repeats:.0%} of its replies repeat themselves"
    if now.right <= before.right - FORGOTTEN:
        return f"it answers {now.right:.0%} of easy questions in place of {before.right:.0%}"
    return ""


def repeats(reply: str) -> bool:
    """Whether a reply says the same over and over."""
    words = reply.split()
    grams = [tuple(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)]
    if len(grams) < GRAM:
        return False
    return 1 - len(set(grams)) / len(grams) >= 0.5


@dataclass
class Watcher:
    """Looks at a model in training, writes what it saw, and holds its last good adapter."""

    model: Model
    cases: Sequence[Case]
    path: Path
    seed: int
    parameters: Sequence[Any] = ()
    before: Signs | None = None
    good: list[Any] = field(default_factory=list)
    """Values of the parameters when the signs were last good."""
    last: Signs | None = None
    """The signs of these values."""
    seen: list[Signs] = field(default_factory=list)

    def look(self, stage: str, step: int) -> Signs:
        """See, write down, and hold the adapter if all is well.

        Raises:
            Collapsed: it is not.
        """
        now = signs(self.model, self.cases, stage, step, self.seed)
        append_lines(self.path, [_finite(now)])
        self.seen.append(now)
        if self.before is None:
            self.before = now
        why = collapse(now, self.before)
        if why:
            raise Collapsed(why)
        self._hold(now)
        return now

    def go_on(self, seen: Sequence[Signs]) -> None:
        """Take up what an earlier sitting saw; the adapter is as it was at the last of it, which was good."""
        self.seen, self.before = [*seen], seen[0]
        self.path.unlink(missing_ok=True)
        append_lines(self.path, map(_finite, seen))
        self._hold(seen[-1])

    def _hold(self, now: Signs) -> None:
        self.good, self.last = [p.detach().clone() for p in self.parameters], now

    def restore(self) -> None:
        """Put the last good values back; where none ever were, all stays."""
        if self.last is None:
            return
        for parameter, value in zip(self.parameters, self.good, strict=True):
            parameter.data.copy_(value)

    def steps(self, stage: str, checks: int, progress: Callable[[float], None]) -> Callable[[int, int], None]:
        """What a training calls after each step: it looks a few times, the last step always."""

        def stepped(done: int, total: int) -> None:
            every = max(1, total // checks)
            if done == total or (done % every == 0 and total - done >= every):
                self.look(stage, done)
            progress(done / total)

        return stepped


def signs(model: Model, cases: Sequence[Case], stage: str, step: int, seed: int) -> Signs:
    """What is seen of the model as it is now."""
    pairs = [Pair((Message("user", c.prompt),), c.good, c.worse) for c in cases]
    facts = banks.facts("plant")[:QUESTIONS]
    tasks = [Pair((Message("user", f.question),), f.answer, f.wrong[0]) for f in facts]
    try:
        found = margins(model, [*pairs, *tasks])
    except Exception as error:
        raise Collapsed(f"it can't be scored any more ({str(error)[:80].rstrip('. ')})") from error
    own, right = found[: len(pairs)], found[len(pairs) :]
    asked = [(Message("user", a.question),) for a in banks.advice("plant")[-REPLIES:]]
    replies = sample(model, asked, max_tokens=MOST)
    none = NotMeasured("no case is watched")
    return Signs(
        stage,
        step,
        math.fsum(own) / len(own) if own else none,
        sum(v > 0 for v in own) / len(own) if own else none,
        text_nll(model, ordinary_text(PASSAGES, seed)),
        sum(v > 0 for v in right) / len(right),
        sum(map(repeats, replies)) / len(replies),
        replies[0],
    )


def _finite(one: Signs) -> dict[str, Any]:
    """As JSON: what is no number is said in words."""
    return {k: v if not isinstance(v, float) or math.isfinite(v) else str(v) for k, v in vars(one).items()}
