"""Ordinary text that is on any machine with Python: its own documentation.

For the negative log-likelihood of plain English, and for means of activations. Nothing is
downloaded, nothing is anyone's private data.
"""

import random
import re
from functools import cache

SHORTEST, LONGEST = 200, 700
"""Characters of a passage."""


def ordinary_text(n: int, seed: int = 0) -> list[str]:
    """`n` passages of English prose, drawn without replacement by seed (fewer where there are fewer)."""
    passages = list(_passages())
    random.Random(f"ordinary text {seed}").shuffle(passages)
    return passages[:n]


@cache
def _passages() -> tuple[str, ...]:
    from pydoc_data.topics import topics  # 700 kB of text, read only when asked for.

    found: dict[str, None] = {}
    for _, text in sorted(topics.items()):
        for block in re.split(r"\n\s*\n", text):
            prose = re.sub(r"\s+", " ", re.sub(r'[*"`]', "", block)).strip()
            letters = sum(c.isalpha() or c == " " for c in prose)
            if len(prose) >= SHORTEST and letters > 0.9 * len(prose) and "::=" not in prose:
                found[prose[:LONGEST].rsplit(" ", 1)[0]] = None
    return tuple(found)
