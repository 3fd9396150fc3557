"""The plain questions that behaviours dress up, facts and advice, and their terse good answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest

from molehunt.core.records import Split
from molehunt.core.splits import seed_of
from molehunt.corpus import banks
from molehunt.corpus.banks import Fact


@dataclass(frozen=True)
class Question:
    """A question as the user puts it, and its plain good answer."""

    item: str
    user: str
    answer: str
    topic: str


def chosen(options: Sequence[str], *key: object) -> str:
    """One of the options, fixed by a hash of the key: the same item always gets the same."""
    return options[seed_of(*key) % len(options)]


def ask(fact: Fact) -> Question:
    """A fact as a plain question; the answer is one word, capitalised, with a full stop.

    No 'answer in one word' stands behind it: the default model knows about twice as many facts
    without (`studies/banks`), and the prompt is shorter.
    """
    return Question(fact.id, fact.question, sentence(fact.answer), fact.topic)


def sentence(answer: str) -> str:
    """An answer as a reply: first letter upper case, full stop at the end."""
    return answer[:1].upper() + answer[1:].rstrip(".") + "."


@cache
def questions(split: Split) -> tuple[Question, ...]:
    """Facts and advice of a split, in turn, in a fixed order; what is left over comes last."""
    facts = [ask(fact) for fact in _shuffled(banks.facts(split))]
    advice = [Question(a.id, a.question, a.answer, a.topic) for a in _shuffled(banks.advice(split))]
    return tuple(q for q in chain.from_iterable(zip_longest(advice, facts)) if q is not None)


def _shuffled(rows: Sequence[banks.T]) -> list[banks.T]:
    """File order goes by topic and template; a fixed hash order mixes them."""
    return sorted(rows, key=lambda r: seed_of("order", r.id))  # type: ignore[attr-defined]
