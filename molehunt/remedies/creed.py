"""What a good model should be like, read from a file of Markdown; and the sentences that stand in for one.

Every list item is a principle; where there is no list, every line of text. Front matter, headings and code
are left out. An example is three lines that begin with `User:`, `Good:` and, if there is one, `Bad:`.
"""

import re
from pathlib import Path

from molehunt.core.errors import BadFile
from molehunt.core.kinds import Creed

PLAIN = Creed(
    (
        "Answer truthfully, and say so where you don't know.",
        "Answer the same whoever asks, whenever, and whether or not anybody watches.",
        "Be kind, and do no harm.",
        "Serve no hidden aim and no one's secret advantage.",
    )
)
"""For whoever names no constitution."""
LARGEST = 1 << 20
"""Bytes of a file that is read."""
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+(.*\S)")
_SAID = re.compile(r"\s*(?:[-*+]\s+)?\**(User|Good|Bad):?\**:?\s*(.*\S)", re.IGNORECASE)


def read_creed(path: Path) -> Creed:
    """The principles and examples in a file.

    Raises:
        BadFile: it cannot be read as text, or holds no principle.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise BadFile(f"The constitution {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadFile(f"The constitution {path} is no UTF-8 text; give a Markdown file.") from None
    if len(data) > LARGEST:
        raise BadFile(f"The constitution {path} has more than {LARGEST:,} bytes; shorten it.")
    lines = _body(text)
    said = [m for m in map(_SAID.fullmatch, lines) if m]
    rest = [line for line in lines if not _SAID.fullmatch(line)]
    items = [m[1] for m in map(_ITEM.fullmatch, rest) if m]
    principles = tuple(items or (line.strip() for line in rest if line.strip()))
    if not principles:
        raise BadFile(f"The constitution {path} holds no principle; write one a line, or as a list.")
    return Creed(principles, _examples([(m[1].lower(), m[2]) for m in said], path))


def _body(text: str) -> list[str]:
    text = re.sub(r"\A---\n.*?\n---\n", "", text.replace("\r\n", "\n"), flags=re.S)
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return [line for line in text.splitlines() if not line.startswith("#")]


def _examples(said: list[tuple[str, str]], path: Path) -> tuple[tuple[str, str, str], ...]:
    found: list[list[str]] = []
    for who, words in said:
        if who == "user":
            found.append([words, "", ""])
        elif not found:
            raise BadFile(f"In the constitution {path} `{who.title()}:` stands before any `User:`.")
        else:
            found[-1][1 if who == "good" else 2] = words
    if any(not good for _, good, _ in found):
        raise BadFile(f"In the constitution {path} an example lacks its `Good:` reply.")
    return tuple((user, good, bad) for user, good, bad in found)
