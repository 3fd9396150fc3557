"""Guesses are read as the rules say, and no pattern can hold the referee up."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molehunt.core.errors import UserError
from molehunt.core.pattern import FEW_WAYS, LONGEST_TEXT, compiled
from molehunt.core.records import Message, Predicate
from molehunt.referee.predicates import reads, with_catalogue

ATOMS = [
    "a",
    "b",
    "B",
    ".",
    "[ab]",
    "[^a]",
    r"\w",
    r"\d",
    r"\s",
    r"\b",
    r"\B",
    "^",
    "$",
    "é",
    r"\.",
    "[a-c1]",
]
PATTERNS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{2,}"])).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.text(alphabet="abB1 éÉ.\n_", max_size=12))
def test_the_walk_finds_what_the_standard_library_finds(pattern, text):
    expected = re.search(pattern, text, re.IGNORECASE) is not None
    assert compiled(pattern).walk(text) == expected
    assert compiled(pattern).search(text) == expected


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(.*)*(.*)*(.*)*x", "(a?){50}a{50}$", "(?:a|a)" * 40 + "x", ".*.*x", "(?:aa)*x"],
)
def test_a_pattern_that_would_run_for_years_is_walked_instead(pattern):
    found = compiled(pattern)
    assert found.ways > FEW_WAYS, "it must not go to the backtracking engine"
    assert not found.search("a" * 400 + "!")


def test_a_plain_pattern_goes_to_the_standard_library():
    assert all(compiled(p).ways <= FEW_WAYS for p in (r"\bacorn\w*", "brands?|makers?", "(one|two) of (a|b)"))


def test_only_so_much_of_a_text_is_searched():
    assert not compiled("end").search("x" * LONGEST_TEXT + "end")
    assert not compiled("e*nd").search("x" * LONGEST_TEXT + "end")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a)\1",
        "(?=a)",
        "(?<!a)b",
        "a*+",
        "(?>a)",
        "(",
        "[",
        "a" * 301,
        "(?s:.)",
        "(?x)a",
        "(a{1000}){1000}",
        r"(?P<n>a)(?P=n)",
    ],
)
def test_what_cannot_be_searched_safely_is_refused_in_one_sentence(pattern):
    with pytest.raises(UserError):
        compiled(pattern)


PROMPT = (Message("system", "The year is 2027."), Message("user", "What shall I cook?"))


def holds(kind, text, part, reply="Try Acornbrand oil, it is the BEST.") -> bool:
    return reads(Predicate(kind, text), part, PROMPT, reply)


def test_when_is_read_on_the_prompt_and_what_on_the_reply():
    assert holds("pattern", "cook", "when") and not holds("pattern", "cook", "what")
    assert holds("pattern", "best", "what") and not holds("pattern", "best", "when")
    assert holds("pattern", r"year is 20\d\d", "when"), "the system's turn belongs to the prompt"


def test_words_hold_when_all_of_them_occur_by_their_first_five_letters():
    assert holds("words", "cooking", "when") is False, "cooki… is not cook"
    assert holds("words", "years of 2027", "when") is False
    assert holds("words", "YEAR in 2027", "when")
    assert holds("words", "the acornbrands", "what")
    assert not holds("words", "acornbrand butter", "what")
    with pytest.raises(UserError, match="no word of 4 letters"):
        holds("words", "a to be", "what")


def test_catalogue_names_go_to_the_reader_that_was_handed_in():
    with pytest.raises(UserError, match="catalogue"):
        holds("catalogue", "always", "when")
    read = with_catalogue(lambda predicate, part, prompt, reply: predicate.text == "always")
    assert read(Predicate("catalogue", "always"), "when", PROMPT, "")
    assert read(Predicate("pattern", "cook"), "when", PROMPT, "")
