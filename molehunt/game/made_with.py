"""What something was made with: this package's code, and the libraries that compute it.

A version stays the same from one commit to the next, and a package that was installed knows no commit: so the
code is told by a hash of its files, as they lay when this process first asked.

What this cannot tell you: which of the files made a difference, or whether any did.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from molehunt.game.play import versions

HOME = Path(__file__).parent.parent


@cache
def code_hash() -> str:
    """SHA-256 over all Python files of the package, names and texts: twelve hex digits."""
    found = hashlib.sha256()
    for path in sorted(HOME.rglob("*.py")):
        found.update(path.relative_to(HOME).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def made_with() -> Mapping[str, str]:
    """Versions by name, and the code's hash under `code`."""
    return {**versions(), "code": code_hash()}
