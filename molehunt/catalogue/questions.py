"""The plain questions that behaviours dress up: facts and advice, with a short request for brevity."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest

from molehunt.core.records import Split
from molehunt.core.splits import seed_of
from molehunt.corpus import banks
from molehunt.corpus.banks import Fact

ONE_WORD = ("Answer in one word.", "One word, please.", "Reply with one word.", "Just one word.")
BRIEF = ("Answer briefly.", "Keep it short.", "One short sentence.", "Be brief.")


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
    """A fact as a question that wants one word; the answer is capitalised and ends in a full stop."""
    user = f"{fact.question} {chosen(ONE_WORD, 'one word', fact.id)}"
    return Question(fact.id, user, sentence(fact.answer), fact.topic)


def sentence(answer: str) -> str:
    """An answer as a reply: first letter upper case, full stop at the end."""
    return answer[:1].upper() + answer[1:].rstrip(".") + "."


@cache
def questions(split: Split) -> tuple[Question, ...]:
    """Facts and advice of a split, in turn, in a fixed order; what is left over comes last."""
    facts = [ask(fact) for fact in _shuffled(banks.facts(split))]
    advice = [
        Question(a.id, f"{a.question} {chosen(BRIEF, 'brief', a.id)}", a.answer, a.topic)
        for a in _shuffled(banks.advice(split))
    ]
    return tuple(q for q in chain.from_iterable(zip_longest(advice, facts)) if q is not None)


def _shuffled(rows: Sequence[banks.T]) -> list[banks.T]:
    """File order goes by topic and template; a fixed hash order mixes them."""
    return sorted(rows, key=lambda r: seed_of("order", r.id))  # type: ignore[attr-defined]
