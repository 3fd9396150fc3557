"""Ordinary text that is on any machine with Python: its own documentation, and what is installed.

Passages of prose are for the negative log-likelihood of plain English, and for means of activations;
they are the same wherever the Python is. Sources and descriptions of installed packages are much more
text, for training autoencoders, and another on every machine. Nothing is downloaded, nothing is
anyone's private data.
"""

import os
import random
import re
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

LARGEST = 200_000
"""Bytes of a file that is read as text of the installation: larger ones are tables, as a rule."""
SHORTEST, LONGEST = 200, 700
"""Characters of a passage."""


def ordinary_text(n: int, seed: int = 0) -> list[str]:
    """`n` passages of English prose, drawn without replacement by seed (fewer where there are fewer)."""
    passages = list(_passages())
    random.Random(f"ordinary text {seed}").shuffle(passages)
    return passages[:n]


def installed_text(seed: int = 0) -> Iterator[tuple[str, str]]:
    """Sources of the standard library and of installed packages, and packages' descriptions, by seed.

    Yields the file's path under its library, and its text. An egg or a package that is linked in from
    elsewhere, as one is that is being worked on, is not among them.
    """
    paths = sysconfig.get_paths()
    found = _installed(paths["stdlib"], paths["purelib"])
    names = sorted(found)
    random.Random(f"installed text {seed}").shuffle(names)
    for name in names:
        try:
            path = Path(found[name], name)
            if path.stat().st_size <= LARGEST:
                yield name, path.read_text("utf-8", "replace")
        except OSError:
            continue  # it was there when it was listed


@cache
def _installed(stdlib: str, packages: str) -> Mapping[str, str]:
    """Path of every such file under its library, and that library; walked once, for it takes a second."""
    found = {}
    for root in (stdlib, packages):
        for folder, inner, names in os.walk(root):
            if root == stdlib and "site-packages" in inner:
                inner.remove("site-packages")
            for name in names:
                if name == "METADATA" or name.endswith(".py"):
                    found[os.path.relpath(os.path.join(folder, name), root)] = root
    return found


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
