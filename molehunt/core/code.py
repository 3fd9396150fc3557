"""What this package computes with: a hash of its own code and texts.

A version stays the same from one commit to the next, and a package that was installed knows no commit.

What this cannot tell you: which of the files made a difference, or whether any did.
"""

import hashlib
from functools import cache
from pathlib import Path

HOME = Path(__file__).parent.parent
KINDS = (".py", ".json", ".jsonl")


@cache
def code_hash(*rooms: str) -> str:
    """SHA-256 over code and texts, names and bytes, as they lay when this process first asked: 64 hex digits.

    Args:
        rooms: the package's folders, such as `organisms`; none takes all of it.
    """
    found, places = hashlib.sha256(), [HOME / room for room in rooms] or [HOME]
    for path in (p for place in places for p in sorted(place.rglob("*")) if p.suffix in KINDS):
        found.update(f"{path.relative_to(HOME).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
