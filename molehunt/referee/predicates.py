"""How a guess is read: the stated rules by which patterns and words hold or don't.

`when` is read on the prompt (every turn, one a line), `what` on the reply. A `pattern` is
searched by `core.pattern`. `words` hold when all of them of four letters or more occur,
compared on their first five letters without regard to case. `catalogue` names are read by
whoever knows the catalogue: the game hands that reader in.
"""

import re
from collections.abc import Callable
from typing import Literal

from molehunt.core.errors import UserError
from molehunt.core.pattern import LONGEST_TEXT, compiled
from molehunt.core.records import Messages, Predicate

Part = Literal["when", "what"]
Reads = Callable[[Predicate, Part, Messages, str], bool]
"""(predicate, part, prompt, reply) to whether it holds; UserError where it can't be read."""

_LEAST_LETTERS = 4
_COMPARED = 5


def reads(predicate: Predicate, part: Part, prompt: Messages, reply: str) -> bool:
    """Patterns and words.

    Raises:
        UserError: a catalogue name (no reader was handed in), an unsafe pattern, or words too short to count.
    """
    text = "\n".join(m.content for m in prompt) if part == "when" else reply
    if predicate.kind == "pattern":
        return compiled(predicate.text).search(text)
    if predicate.kind == "words":
        return _words_hold(predicate.text, text)
    raise UserError(f"Nobody here reads catalogue names such as {predicate.text[:80]!r}.")


def with_catalogue(catalogue: Reads) -> Reads:
    """A reader of all three kinds: catalogue names by `catalogue`, the rest by the rules above."""

    def read(predicate: Predicate, part: Part, prompt: Messages, reply: str) -> bool:
        reader = catalogue if predicate.kind == "catalogue" else reads
        return reader(predicate, part, prompt, reply)

    return read


def _words_hold(words: str, text: str) -> bool:
    wanted = _stems(words)
    if not wanted:
        raise UserError(f"{words[:80]!r} holds no word of {_LEAST_LETTERS} letters or more.")
    return wanted <= _stems(text[:LONGEST_TEXT])


def _stems(text: str) -> set[str]:
    return {w[:_COMPARED] for w in re.findall(r"\w+", text.casefold()) if len(w) >= _LEAST_LETTERS}
