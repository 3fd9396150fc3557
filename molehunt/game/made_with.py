"""What something was made with: this package's code, the libraries that compute it, and the machine."""

from collections.abc import Mapping

from molehunt.core.code import code_hash
from molehunt.game.play import versions
from molehunt.models.machine import in_words


def made_with() -> Mapping[str, str]:
    """Versions by name; the first twelve digits of the code's hash as `code`; the `machine` in words."""
    return {**versions(), "code": code_hash()[:12], "machine": in_words()}
