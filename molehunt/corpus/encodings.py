"""Encodings that people hide text in: writing, reading back, and telling that a text stands in one.

    'What is rust?' ─ encode ─► 'V2hhdCBpcyBydXN0Pw==' ─ decode ─► 'What is rust?'

A text stands in an encoding if what comes out of it is mostly words of the banks, and it is not itself.
`leet` doesn't come back whole: digits of the question are read as letters.

Source: Wei et al., 2023, 'Jailbroken' (arXiv 2307.02483), for base64, rot13 and leetspeak as disguises.
"""

import base64
import binascii
import codecs
import re
from functools import cache, lru_cache
from importlib.resources import files

HOW = ("base64", "rot13", "leet", "spaced", "reversed")
_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_UNLEET = str.maketrans("431057", "aeiost")
_BLOB = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_WORD = re.compile(r"[a-z]{2,}")
_RUN = re.compile(r"[a-z0-9]+")
KNOWN = 0.4
"""Least share of words that the banks know, of what comes out."""
MORE = 0.2
"""How much larger that share must be than the one of the text as it stands."""


def encode(text: str, how: str) -> str:
    """A text in an encoding."""
    match how:
        case "base64":
            return base64.b64encode(text.encode()).decode()
        case "rot13":
            return codecs.encode(text, "rot13")
        case "leet":
            return text.translate(_LEET)
        case "spaced":
            return "  ".join(" ".join(word) for word in text.split(" "))
        case _:
            return text[::-1]


def decode(text: str, how: str) -> str:
    """What a text says in an encoding, all of it; nothing where it cannot be."""
    match how:
        case "base64":
            return _unblob(text) if _BLOB.fullmatch(text) else ""
        case "rot13":
            return codecs.decode(text, "rot13")
        case "leet":
            return text.translate(_UNLEET)
        case "spaced":
            return " ".join(word[::2] for word in text.split("  "))
        case _:
            return text[::-1]


def blobs(text: str) -> str:
    """What the runs of base64 in a text say, joined by a space."""
    return " ".join(_unblob(blob) for blob in _BLOB.findall(text))


@lru_cache(maxsize=20_000)
def stands_in(text: str, how: str) -> bool:
    """Whether a text as a whole stands in an encoding: what comes out is words, and encodes to it again.

    Numbers alone do not: '15 + 4' is a sum, though leet reads 'is + a'.
    """
    if not re.search(r"[A-Za-z]", text):
        return False
    out = decode(text, how)
    share = known(out)
    return share >= max(KNOWN, known(text) + MORE) and encode(out, how) == text


def parts(text: str) -> tuple[tuple[str, str], ...]:
    """How a text may fall apart: nothing and the whole, or a lead-in up to its first colon and the rest."""
    before, colon, after = text.partition(":")
    whole = ("", text.strip())
    return (whole, (before + colon, after.strip())) if colon and after.strip() else (whole,)


@lru_cache(maxsize=20_000)
def read(text: str) -> str:
    """The text with what stands in an encoding read back, all of it or behind its first colon."""
    ways = [(before, rest, how) for before, rest in parts(text) for how in HOW if stands_in(rest, how)]
    return max(
        (f"{before} {decode(rest, how)}".strip() for before, rest, how in ways), key=known, default=text
    )


def known(text: str) -> float:
    """Share of a text's runs of letters and digits that are words of a bank, numbers aside; 0 without any."""
    runs = [run for run in _RUN.findall(text.lower()) if not run.isdecimal()]
    return sum(run in _vocabulary() for run in runs) / len(runs) if runs else 0.0


@cache
def _vocabulary() -> frozenset[str]:
    banks = (f for f in files("molehunt.corpus").iterdir() if f.name.endswith(".jsonl"))
    words = (word for bank in banks for word in _WORD.findall(bank.read_text("utf-8").lower()))
    return frozenset(words) | {"a", "i"}


def _unblob(blob: str) -> str:
    try:
        return base64.b64decode(blob, validate=True).decode("utf-8", "ignore")
    except binascii.Error:
        return ""
