"""Asks a model behind an API: its answers, drawn several times, are counted in place of likelihoods.

    inspect:PROVIDER/MODEL    by Inspect's names, as `inspect:openai/gpt-4o-mini`; needs `molehunt[inspect]`

Every question is asked `samples` times at temperature 1. `answers.py` reads which of the two actions an
answer gives; a twelfth of an answer is added to either count (half an answer a dilemma, over its six
questions), so that nothing is certain: log((a + 1/12) / (b + 1/12)). These reach no further than
±log(12 n + 1), so evidence is not asked, and are no unbiased log-odds, so what breaking a rule costs is not
measured. A form to which either order got no such answer is left out; **answered** says what share of all
answers gave one.

Answers are kept as they came in `replies.jsonl`, each under the hash of name, length, text and number: none
is paid for twice, more samples ask only for more, and rules read them anew. What the service did not answer
is asked again by the same command.

Source: MoralChoice (Scherrer et al. 2023, arXiv 2307.14324), section 3: answers are sampled and mapped to
actions by rules; the rules and the twelfth are ours.

What this cannot tell you: what a model would choose that does not say. A refusal is no choice, and who
refuses the hardest dilemmas looks surer on the rest. Counts of few answers are noise as well: consistency,
entropy and its AUROC come out lower, order effects higher than they are, so hold sampled models against each
other at the same number of samples, and against likelihoods by what is right alone. Served models change
under one name.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from molehunt.character.moral.answers import side_of
from molehunt.character.moral.asking import Progress
from molehunt.character.moral.choices import Choice
from molehunt.character.moral.forms import FORMS, ORDERS, Question
from molehunt.core import stats
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.models.readers import InspectReader, Remembered

INSPECT, REPLIES = "inspect:", "replies.jsonl"
BLOCK = 64
"""Answers that are kept together, or four times what is in flight: a kill pays for no more of them twice."""
SILENT = 180
"""Questions in a row that got no answer after which nothing more is asked; a few may be refused dilemmas."""
LEAST = 3
"""Answers a question under which a coin would look as if it went by place."""
EXTRA = 0.5 / (len(FORMS) * len(ORDERS))
"""Added to either count. With a half at each question nobody who was asked five times could be certain."""


@dataclass(frozen=True)
class Sampler:
    """A model that gives answers and no likelihoods.

    Raises:
        UserError: fewer than `LEAST` samples, or a number below 1.
    """

    name: str
    """As Inspect writes it, without `inspect:`."""
    samples: int = 5
    tokens: int = 200
    """Of an answer at most; who thinks before it answers needs more."""
    parallel: int = 16
    make: Callable[[], Any] | None = None
    """Makes the Inspect model; by its name where None."""

    def __post_init__(self) -> None:
        if self.samples < LEAST or self.tokens < 1 or self.parallel < 1:
            raise UserError(
                f"--samples should be at least {LEAST}, and --max-tokens and --parallel at least 1."
            )

    def reader(self) -> InspectReader:
        """Who is asked.

        Raises:
            UserError: inspect-ai is missing, or cannot make this model (no such name, no key).
        """
        found = InspectReader(self.name, self.parallel, self.make, temperature=1.0)
        found.look()
        return found


@dataclass(frozen=True)
class Counts:
    """Answers to one question: for its first action, for its second, for neither."""

    first: int
    second: int
    neither: int

    @property
    def log_odds(self) -> float:
        """Of the first over the second, in nats."""
        return log((self.first + EXTRA) / (self.second + EXTRA))


@dataclass(frozen=True)
class Answered:
    """How a sampled model took its questions."""

    samples: int
    """Answers that were asked for, a question."""
    share: Measure | NotMeasured
    """Of all answers those that gave one of the two actions."""
    missing: int
    """Answers that the service did not give; the same command asks for them again."""
    why: str
    """Of the first of these."""


def ask_by_samples(
    sampler: Sampler,
    questions: Sequence[Question],
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> tuple[tuple[Choice, ...], Answered]:
    """A choice a question to which answers gave an action, in either order, and how many answers did.

    A question with fewer than `LEAST` answers is left out.

    Raises:
        BadFile: a line of the folder's answers is none.
        UserError: the reader cannot be made, or answers nothing.
    """
    reader = Remembered(sampler.reader(), folder / REPLIES, draws=True)
    size = max(1, max(BLOCK, 4 * sampler.parallel) // sampler.samples)
    met: list[tuple[Question, Counts]] = []
    whys: list[str] = []
    silent, gone = 0, False
    for start in range(0, len(questions), size):
        block = questions[start : start + size]
        progress(start, len(questions))
        asked, before = [q.text for q in block for _ in range(sampler.samples)], len(reader.known)
        told = reader.ask(asked, sampler.tokens, only_known=gone)
        each = [told[i : i + sampler.samples] for i in range(0, len(told), sampler.samples)]
        given = [[one for one in own if isinstance(one, str)] for own in each]
        met += [(q, counted(q, own)) for q, own in zip(block, given, strict=True) if len(own) >= LEAST]
        missing = [one.reason for one in told if isinstance(one, NotMeasured)]
        whys += missing
        silent = 0 if len(reader.known) > before else silent + len(missing)
        if (
            missing
            and not met
            and not gone
            and not any(reader.knows(q.text, sampler.tokens) for q in questions)
        ):
            raise UserError(f"{sampler.name} does not answer: {_mend(missing[-1], sampler)}.")
        gone = gone or silent >= SILENT
    progress(1, 1)
    hits = [i < c.first + c.second for _, c in met for i in range(c.first + c.second + c.neither)]
    ids = [q.item for q, c in met for _ in range(c.first + c.second + c.neither)]
    share = stats.proportion(hits, ids, how="answers that gave one of the two actions")
    choices = [Choice(q.item, q.form, q.order, c.log_odds) for q, c in met if c.first + c.second]
    orders = Counter((c.item, c.form) for c in choices)
    whole = tuple(c for c in choices if orders[c.item, c.form] == len(ORDERS))
    return whole, Answered(sampler.samples, share, len(whys), _mend(whys[0], sampler) if whys else "")


def counted(question: Question, told: Sequence[str]) -> Counts:
    """Answers by the action that they give."""
    sides = [side_of(question, one) for one in told]
    return Counts(sides.count(0), sides.count(1), sides.count(None))


def _mend(why: str, sampler: Sampler) -> str:
    """Why an answer is missing; of an empty one also what may help."""
    said = why.rstrip(". ")
    empty = f"; a model that thinks first needs more than --max-tokens {sampler.tokens}"
    return said + empty if "said nothing" in said else said
