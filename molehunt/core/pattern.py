"""A strange regular expression, searched in time that grows with pattern × text and no faster.

Guesses carry patterns that others wrote, and Python's `re` can be made to run for years by
one of them. This walks all ways through the pattern at once (Thompson 1968), so nothing
backtracks; a pattern with few ways through it, counted, goes to `re` itself. It takes what
`re` takes, read by `re`'s own parser: characters, classes, `.`, alternatives, groups, repeats,
`^ $ \\b \\B \\A \\Z`; it refuses what needs memory of the match (back-references, look-around,
possessive repeats) and what grows too large. Case is ignored.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from re import _parser as _syntax  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

from molehunt.core.errors import UserError

LONGEST_PATTERN = 300
"""Characters."""
LONGEST_TEXT = 4000
"""Characters; what follows is not searched."""
MOST_STEPS = 2000
"""States of the walker: repeats with counts are written out."""
ONE_STAR = 20
"""What an endless repeat of one character counts for: one is quick for `re`, two are not."""
FEW_WAYS = 200
"""Up to so many ways through a pattern `re` is quick even when it tries them all at every letter."""

_Test = Callable[[str], bool]
_Place = Callable[[str, int], bool]


@dataclass
class _Node:
    """One state. `test` eats a character; `place` asks where we are; otherwise it only forks."""

    test: _Test | None = None
    place: _Place | None = None
    to: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern."""

    text: str
    nodes: tuple[_Node, ...]
    start: int
    end: int
    ways: int

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in the first `LONGEST_TEXT` characters."""
        if self.ways <= FEW_WAYS:
            return re.search(self.text, text[:LONGEST_TEXT], re.IGNORECASE) is not None
        return self.walk(text[:LONGEST_TEXT])

    def walk(self, text: str) -> bool:
        """The search that never backtracks."""
        here: set[int] = set()
        for i in range(len(text) + 1):
            here = self._reach({*here, self.start}, text, i)
            if self.end in here:
                return True
            if i < len(text):
                here = {t for s in here if (n := self.nodes[s]).test and n.test(text[i]) for t in n.to}
        return False

    def _reach(self, states: set[int], text: str, i: int) -> set[int]:
        seen, todo = set(states), list(states)
        while todo:
            node = self.nodes[todo.pop()]
            if node.test is None and (node.place is None or node.place(text, i)):
                fresh = [t for t in node.to if t not in seen]
                seen.update(fresh)
                todo.extend(fresh)
        return seen


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """A pattern ready to search.

    Raises:
        UserError: it is no regular expression, or one that this can't search safely.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise UserError(f"A pattern may have {LONGEST_PATTERN} characters; this one has {len(pattern)}.")
    try:
        tree = _syntax.parse(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(f"{pattern[:80]!r} is no regular expression: {str(error)[:80]}.") from None
    if tree.state.flags & ~(re.IGNORECASE | re.UNICODE):
        raise UserError(f"{pattern[:80]!r} sets flags; write it without them.")
    builder = _Builder()
    start = builder.fork()
    end = builder.chain(tree, start)
    return Pattern(pattern, tuple(builder.nodes), start, end, _ways(tree))


class _Builder:
    """Writes the states of a parsed pattern; every method takes the state before and gives the one after."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []

    def fork(self, *to: int) -> int:
        return self._add(_Node(to=to))

    def chain(self, items: Any, before: int) -> int:
        for op, what in items:
            before = self._one(str(op), what, before)
        return before

    def _one(self, op: str, what: Any, before: int) -> int:
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._join(before, _Node(test=_test(op, what)))
        if op == "AT":
            return self._join(before, _Node(place=_place(str(what))))
        if op == "SUBPATTERN":
            _, add, drop, inner = what
            if add or drop:
                raise UserError("A pattern may not set flags inside.")
            return self.chain(inner, before)
        if op == "BRANCH":
            after = self.fork()
            for branch in what[1]:
                first = self.fork()
                self._link(before, first)
                self._link(self.chain(branch, first), after)
            return after
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = what
            return self._repeat(least, most, inner, before)
        raise UserError(f"A pattern may not use {op.lower().replace('_', ' ')}: it can't be searched safely.")

    def _repeat(self, least: int, most: Any, inner: Any, before: int) -> int:
        for _ in range(least):
            before = self.chain(inner, self._next(before))
        after = self.fork()
        self._link(before, after)
        if most == _syntax.MAXREPEAT:
            first = self._next(before)
            last = self.chain(inner, first)
            self._link(last, first)
            self._link(last, after)
            return after
        for _ in range(most - least):
            before = self.chain(inner, self._next(before))
            self._link(before, after)
        return after

    def _next(self, before: int) -> int:
        after = self.fork()
        self._link(before, after)
        return after

    def _join(self, before: int, node: _Node) -> int:
        here = self._add(node)
        self._link(before, here)
        after = self.fork()
        self._link(here, after)
        return after

    def _link(self, a: int, b: int) -> None:
        self.nodes[a].to += (b,)

    def _add(self, node: _Node) -> int:
        if len(self.nodes) >= MOST_STEPS:
            raise UserError("A pattern with its repeats written out is too large; ask for fewer.")
        self.nodes.append(node)
        return len(self.nodes) - 1


def _ways(items: Any) -> int:
    """Ways through a parsed pattern on one and the same text, at most; stops counting above `FEW_WAYS`."""
    product = 1
    for op, what in items:
        name = str(op)
        if name == "BRANCH":
            product *= sum(_ways(branch) for branch in what[1])
        elif name == "SUBPATTERN":
            product *= _ways(what[3])
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = what
            if most <= FEW_WAYS:
                product *= sum(min(_ways(inner) ** k, FEW_WAYS + 1) for k in range(least, most + 1))
            elif len(inner) == 1 and str(inner[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
                product *= ONE_STAR
            else:
                return FEW_WAYS + 1
        if product > FEW_WAYS:
            return FEW_WAYS + 1
    return product


def _test(op: str, what: Any) -> _Test:
    """One character's test, by `re` itself: its classes and its notion of case stay its own."""
    if op == "ANY":
        return lambda char: char != "\n"
    if op == "IN":
        single = re.compile(_class(what), re.IGNORECASE)
    else:
        single = re.compile(f"[{'^' if op == 'NOT_LITERAL' else ''}{_quoted(what)}]", re.IGNORECASE)
    return lru_cache(maxsize=512)(lambda char: single.match(char) is not None)


def _class(parts: Any) -> str:
    out = []
    for op, what in parts:
        if str(op) == "NEGATE":
            out.append("^")
        elif str(op) == "LITERAL":
            out.append(_quoted(what))
        elif str(op) == "RANGE":
            out.append(f"{_quoted(what[0])}-{_quoted(what[1])}")
        else:
            out.append(_CATEGORIES[str(what)])
    return f"[{''.join(out)}]"


def _quoted(code: int) -> str:
    return f"\\U{code:08x}"


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


def _place(name: str) -> _Place:
    places: dict[str, _Place] = {
        "AT_BEGINNING": lambda text, i: i == 0,
        "AT_BEGINNING_STRING": lambda text, i: i == 0,
        "AT_END": lambda text, i: i == len(text) or (i == len(text) - 1 and text[i] == "\n"),
        "AT_END_STRING": lambda text, i: i == len(text),
        "AT_BOUNDARY": _at_boundary,
        "AT_NON_BOUNDARY": lambda text, i: bool(text) and not _at_boundary(text, i),
    }
    return places[name]


def _at_boundary(text: str, i: int) -> bool:
    return (i > 0 and _wordly(text[i - 1])) != (i < len(text) and _wordly(text[i]))


def _wordly(char: str) -> bool:
    return char.isalnum() or char == "_"
