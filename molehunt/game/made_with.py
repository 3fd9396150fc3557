"""What something was made with: this package's code, and the libraries that compute it."""

from collections.abc import Mapping

from molehunt.core.code import code_hash
from molehunt.game.play import versions


def made_with() -> Mapping[str, str]:
    """Versions by name, and under `code` the first twelve digits of the code's hash."""
    return {**versions(), "code": code_hash()[:12]}
