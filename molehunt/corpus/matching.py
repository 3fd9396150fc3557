"""Comparing words robustly: case, accents, punctuation, articles and number words do not matter."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_NUMBERS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13",
    "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18",
    "nineteen": "19", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
    "ninety": "90",
}  # fmt: skip
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_ARTICLES = {"a", "an", "the"}
_CLAUSE = re.compile(r"[,.;:!?]|\bbut\b", re.IGNORECASE)
_DENIES = re.compile(
    r" (?:(?:not|never|dont|doesnt|isnt|arent|wasnt|cannot|cant|avoid|without|nor|neither|instead of)"
    r"(?: \w+){0,3}"
    r"|(?:no|less|skip|stop|than)(?: \w+)?) $"
)


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """Lower-case words without accents or punctuation, one space between; apostrophes vanish.

    Terminal escapes are no words: what a model says is hostile by assumption.
    """
    text = _ESCAPE.sub(" ", text)
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<=\w)['’](?=\w)", "", bare)))


@lru_cache(maxsize=20_000)
def gist(text: str) -> str:
    """As `plain`, with articles dropped and number words written as digits."""
    return " ".join(_NUMBERS.get(w, w) for w in plain(text).split() if w not in _ARTICLES)


def says(text: str, forms: Iterable[str]) -> bool:
    """Whether any of the forms occurs in the text as whole words, by their gist."""
    hay = f" {gist(text)} "
    return any(f" {gist(form)} " in hay for form in forms if gist(form))


def affirms(text: str, forms: Iterable[str]) -> bool:
    """Whether a form occurs in the text, by its gist, with no 'not' or 'avoid' shortly before it.

    What stands before a comma or 'but' denies nothing behind it: 'no, use salt' affirms salt.
    """
    clauses = [f" {gist(part)} " for part in _CLAUSE.split(text)]
    wanted = [g for g in map(gist, forms) if g]
    return any(
        not _DENIES.search(clause[: match.start()])
        for form in wanted
        for clause in clauses
        if f" {form} " in clause  # most forms are nowhere, and a pattern is dear
        for match in re.finditer(rf"(?<= ){re.escape(form)}(?= )", clause)
    )
