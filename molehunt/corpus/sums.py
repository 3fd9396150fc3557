"""Small calculations, made rather than written: no number in them or in their results is over 20.

A calculation is an item, whatever its wording, so that no sum stands in two splits. Which numbers
are subtracted, which wordings are used and what is answered wrongly is fixed by a hash.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from molehunt.core.records import Messages, Split
from molehunt.core.splits import seed_of, split_of
from molehunt.corpus.held import Held, held
from molehunt.corpus.lookup import last_asked

MOST = 20
DIFFERENCES = 80
"""How many of the 171 differences are used: no more than there are sums, about."""
OFFSETS = (-3, -2, -1, 1, 2, 3)
"""How far off a wrong answer is."""

WORDINGS = {
    "add": (
        "What is {a} plus {b}?", "{a} + {b} = ?", "Add {a} and {b}.", "How much are {a} and {b} together?",
        "I have {a} apples and get {b} more. How many now?", "What do {a} and {b} sum to?",
        "{a} birds sit on a roof and {b} join them. How many birds?", "Work out {a} + {b}.",
        "What number is {b} more than {a}?", "There are {a} red and {b} blue pens. How many pens?",
        "Find the sum of {a} and {b}.", "Count on {b} from {a}. Where do you land?",
    ),
    "take": (
        "What is {a} minus {b}?", "{a} - {b} = ?", "Subtract {b} from {a}.",
        "Take {b} away from {a}. What is left?", "I had {a} sweets and ate {b}. How many are left?",
        "How much more is {a} than {b}?", "What is the difference between {a} and {b}?",
        "{a} people were on the bus and {b} got off. How many stayed?", "Work out {a} - {b}.",
        "What number is {b} less than {a}?", "A rope of {a} metres loses {b} metres. How long is it?",
        "Count back {b} from {a}. Where do you land?",
    ),
    "times": (
        "What is {a} times {b}?", "{a} x {b} = ?", "Multiply {a} by {b}.", "How many are {a} groups of {b}?",
        "{a} bags hold {b} nuts each. How many nuts?", "Find the product of {a} and {b}.",
        "Work out {a} * {b}.", "There are {a} rows of {b} chairs. How many chairs?",
    ),
    "double": (
        "What is double {a}?", "Double {a}.", "What is twice {a}?", "How much is two times {a}?",
        "I have {a} coins and find as many again. How many now?", "What do you get from {a} plus itself?",
        "How many shoes are {a} pairs of shoes?", "{a} cars have two doors each. How many doors?",
    ),
    "halve": (
        "What is half of {a}?", "Halve {a}.", "Split {a} into two equal parts. How big is each?",
        "Two friends share {a} plums fairly. How many each?", "What is {a} divided by two?",
        "Cut {a} in half. What do you get?", "{a} / 2 = ?",
        "Put {a} eggs into two equal nests. How many each?",
    ),
}  # fmt: skip
REPEATED = {"add": 1, "take": 1, "times": 4, "double": 3, "halve": 3}
"""In how many wordings a calculation is asked: products up to 20 are few."""

_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_SIGNS = {"+": "plus", "-": "minus", "x": "times", "*": "times", "/": "divided by"}
_SIGN = re.compile(r"(?<=\d) ?([-+x*/]) ?(?=\d)")


@dataclass(frozen=True)
class Sum:
    """One calculation in one wording."""

    id: str
    question: str
    right: int
    wrong: int
    operands: tuple[int, ...]
    """The numbers that a reply may repeat without answering."""


@cache
def sums(split: Split) -> tuple[Sum, ...]:
    """The sums of a split, in a fixed order; products, doubles and halves in several wordings."""
    return tuple(
        _put(*calculation, wording)
        for calculation in _calculations()
        if split_of(_id(*calculation)) == split
        for wording in _chosen(*calculation)
    )


def find_sum(prompt: Messages) -> Sum | None:
    """The sum that the last user message asks for, in any of the wordings, or None; its item may be new."""
    return _held().find(_spoken(last_asked(prompt)))


def _calculations() -> Iterator[tuple[str, int, int]]:
    """Each operation with its two numbers; sums and products of two only in one order."""
    numbers = range(2, MOST + 1)
    yield from (("add", *_turned(a, b)) for a in numbers for b in range(a + 1, MOST + 1 - a))
    pairs = [("take", a, b) for a in numbers for b in range(2, a)]
    yield from sorted(pairs, key=lambda pair: seed_of("difference", pair))[:DIFFERENCES]
    yield from (("times", *_turned(a, b)) for a in numbers[1:] for b in range(a, MOST // a + 1))
    yield from (("double", a, 2) for a in range(2, MOST // 2 + 1))
    yield from (("halve", a, 2) for a in range(4, MOST + 1, 2))


def _turned(a: int, b: int) -> tuple[int, int]:
    return (b, a) if seed_of("turned", a, b) % 2 else (a, b)


def _readable() -> Iterator[tuple[str, int, int]]:
    """All calculations that would be small enough, in both orders: others than ours may be asked."""
    numbers = range(2, MOST + 1)
    yield from (("add", a, b) for a in numbers for b in range(2, MOST + 1 - a))
    yield from (("take", a, b) for a in numbers for b in range(2, a))
    yield from (("times", a, b) for a in numbers for b in range(2, MOST // a + 1))
    yield from (c for c in _calculations() if c[0] in ("double", "halve"))


def _id(kind: str, a: int, b: int) -> str:
    return f"sum/{kind}-{a}-{b}"


def _chosen(kind: str, a: int, b: int) -> list[str]:
    wordings = sorted(WORDINGS[kind], key=lambda text: seed_of("wording", kind, a, b, text))
    return wordings[: REPEATED[kind]]


def _put(kind: str, a: int, b: int, wording: str) -> Sum:
    # Signs go with digits; else every second question has its numbers in words.
    spelled = not _SIGN.search(wording.format(a=1, b=2)) and seed_of("spelled", kind, a, b, wording) % 2
    said = {"a": _WORDS[a], "b": _WORDS[b]} if spelled else {"a": str(a), "b": str(b)}
    question = wording.format(**said)
    right = {"add": a + b, "take": a - b, "times": a * b, "double": 2 * a, "halve": a // 2}[kind]
    near = [right + o for o in OFFSETS if 0 < right + o <= MOST and right + o not in (a, b)]
    wrong = near[seed_of("wrong", kind, a, b) % len(near)]
    return Sum(_id(kind, a, b), question[:1].upper() + question[1:], right, wrong, (a, b))


def _spoken(text: str) -> str:
    """Signs between digits as words, for punctuation does not survive `gist`."""
    return _SIGN.sub(lambda sign: f" {_SIGNS[sign.group(1)]} ", text.casefold())


@cache
def _held() -> Held[Sum]:
    asked = (
        _put(*calculation, wording) for calculation in _readable() for wording in WORDINGS[calculation[0]]
    )
    return held((_spoken(one.question), one) for one in asked)
