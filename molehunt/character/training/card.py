"""The model card of a trained character: what it was taught, by whom, and what that does not mean."""

from collections.abc import Mapping, Sequence

CARD = """---
tags: [character, research]
---
# A character in training

This LoRA adapter of `{base}` was trained by Molehunt {toward}.

{facts}

What was taught lies beside it, line by line. What it has become is not said here: measure it
(`molehunt character measure`, `molehunt moral`). A model that was trained toward a principle need not keep
to it, least of all where it acts with tools or is asked to drop its character. It is for research: do not
deploy it as it is.
"""


def card(base: str, toward: str, facts: Mapping[str, str], warnings: Sequence[str] = ()) -> str:
    """The card's text."""
    rows = [f"- {name}: {value}" for name, value in facts.items()] + [f"- **{w}**" for w in warnings]
    return CARD.format(base=base, toward=toward, facts="\n".join(rows))
