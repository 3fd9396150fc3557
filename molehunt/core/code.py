"""What this package computes with: a hash of its own code and texts, and the commit that they lie at.

A version stays the same from one commit to the next, and a package that was installed knows no commit.

What this cannot tell you: which of the files made a difference, or whether any did.
"""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

HOME = Path(__file__).parent.parent
KINDS = (".py", ".json", ".jsonl")
DATA = "report/measured.json"
"""A study's table that ships: nothing is computed with it, and the study writes it itself."""
CHANGED, UNKNOWN = "+changes", "unknown"


@cache
def code_hash(*rooms: str) -> str:
    """As `code_now`, when this process first asked."""
    return code_now(*rooms)


def code_now(*rooms: str) -> str:
    """SHA-256 over code and texts, names and bytes, as they lie there: 64 hex digits.

    Args:
        rooms: the package's folders, such as `organisms`; none takes all of it.
    """
    found, places = hashlib.sha256(), [HOME / room for room in rooms] or [HOME]
    every = (p for place in places for p in sorted(place.rglob("*")) if p.suffix in KINDS)
    for path in (p for p in every if p != HOME / DATA):
        found.update(f"{path.relative_to(HOME).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@cache
def commit(*also: str) -> str:
    """The commit of this package's tree when this process first asked, for studies to name; short hash.

    It ends in `+changes` where code differed from it, and is `unknown` of a package that was installed. A
    checkout that changes while a process runs is told by halves, so what was first is kept.

    Args:
        also: what else of the tree counts as code, as git's pathspecs.
    """
    tree = HOME.parent
    if _git("rev-parse", "--show-toplevel") != str(tree.resolve()):
        return UNKNOWN
    changed = _git("status", "--porcelain", "--", HOME.name, f":(exclude){HOME.name}/{DATA}", *also)
    return _git("rev-parse", "--short", "HEAD") + (CHANGED if changed else "")


def _git(*words: str) -> str:
    try:
        told = subprocess.run(["git", *words], capture_output=True, text=True, cwd=HOME.parent, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git here, or no repository
        return ""
    return told.stdout.strip()
