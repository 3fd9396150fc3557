"""Lines that a person types, or that come through a pipe, one at a time."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from molehunt.core.errors import UserError

LONGEST = 1 << 20
"""Characters that one line may have."""


@dataclass(frozen=True)
class Typed:
    """Where lines come from: a terminal, with a prompt before each, or a pipe, without."""

    at_terminal: bool

    @staticmethod
    def here() -> "Typed":
        """This process's standard input."""
        return Typed(sys.stdin is not None and sys.stdin.isatty())

    def lines(self, prompt: str) -> Iterator[str]:
        """Every line without its end, until the end of the input; empty ones are left out.

        Raises:
            UserError: a line that is longer than any model could read.
        """
        while (line := self.line(prompt)) is not None:
            if line.strip():
                yield line.strip()

    def line(self, prompt: str) -> str | None:
        """The next line, or None at the end."""
        if self.at_terminal:
            # The prompt goes to the error stream: standard output is for what was said.
            print(prompt, end="", file=sys.stderr, flush=True)
        data = sys.stdin.buffer.readline(4 * LONGEST) if sys.stdin is not None else b""
        if len(data) > LONGEST:
            raise UserError(f"A line of more than {LONGEST:,} characters is too long to ask.")
        return data.decode("utf-8", "replace").rstrip("\r\n") if data else None
