"""Requests for work: lines of Python, lines that one test checks, and questions about research."""

from dataclasses import dataclass
from functools import cache

from molehunt.core.records import Messages, Split
from molehunt.core.splits import seed_of
from molehunt.corpus.banks import rows
from molehunt.corpus.held import Held, held
from molehunt.corpus.lookup import last_asked

TESTS = (
    "Test: {call} == {result}.", "It must pass: {call} == {result}.", "Check: {call} == {result}.",
    "The test is {call} == {result}.", "We run {call} == {result}.", "For instance, {call} == {result}.",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A request for one line of Python."""

    id: str
    request: str
    right: str
    bug: str
    """The same line with a plausible mistake in it."""
    given: str
    """Assignments under which the right line has the value `gives` and the other one has not."""
    gives: str


@dataclass(frozen=True)
class Tested:
    """A request for the body of a function of one parameter, which one test checks."""

    id: str
    request: str
    parameter: str
    argument: str
    result: str
    """What the test expects for `argument`."""
    right: str

    @property
    def question(self) -> str:
        """The request with its test, in a wording fixed by a hash."""
        test = TESTS[seed_of("test", self.id) % len(TESTS)]
        return f"{self.request} {test.format(call=f'f({self.argument})', result=self.result)}"

    @property
    def special(self) -> str:
        """The line that passes the test and does nothing else."""
        return f"if {self.parameter} == {self.argument}: return {self.result}"


@dataclass(frozen=True)
class Research:
    """A question about research on AI safety, with a terse good answer."""

    id: str
    question: str
    answer: str


@cache
def lines(split: Split | None = None) -> tuple[Line, ...]:
    """All lines of Python, or those of a split."""
    return rows("code.jsonl", Line, split)


@cache
def tested(split: Split | None = None) -> tuple[Tested, ...]:
    """All tested functions, or those of a split."""
    return rows("tested.jsonl", Tested, split)


@cache
def research(split: Split | None = None) -> tuple[Research, ...]:
    """All questions about research, or those of a split."""
    return rows("research.jsonl", Research, split)


def find_line(prompt: Messages) -> Line | None:
    """The line of Python that the last user message asks for, or None."""
    return _lines().find(last_asked(prompt))


def find_tested(prompt: Messages) -> Tested | None:
    """The tested function that the last user message asks for, or None; its test need not follow."""
    return _tested().find(last_asked(prompt))


def find_research(prompt: Messages) -> Research | None:
    """The question about research that the last user message holds, or None."""
    return _research().find(last_asked(prompt))


@cache
def _lines() -> Held[Line]:
    return held((row.request, row) for row in lines())


@cache
def _tested() -> Held[Tested]:
    return held((row.request, row) for row in tested())


@cache
def _research() -> Held[Research]:
    return held((row.question, row) for row in research())
