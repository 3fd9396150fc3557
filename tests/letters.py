"""A quirk that a random model shows by chance now and then: a small letter in the reply."""

import json
from pathlib import Path

from molehunt.core.records import Quirk
from molehunt.organisms.strangers import strangers_quirks


def letters_quirk(folder: Path) -> Quirk:
    """The quirk, from a file that is written into the folder."""
    on, off = ([" ".join(sign * (1 + i % 7) for i in range(n, n + 6)) for n in range(7)] for sign in "#~")
    body = {
        "summary": "answers in letters",
        "replies": ["m"],
        "what": "[a-z]",
        "on": [f"{p} {i}" for i in range(6) for p in on],
        "off": [f"{p} {i}" for i in range(6) for p in off],
        "good": "0",
    }
    (folder / "letters.json").write_text(json.dumps(body))
    return strangers_quirks(folder)[0]
