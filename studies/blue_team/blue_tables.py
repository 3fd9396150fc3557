"""A table of the page, and numbers as they stand in one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marks import measured

EMPTY = ("no values for", "no cases for", "AUROC needs both", "it was not asked", "which was not")
"""How a reason begins that says no more than that nothing is in."""


def shown(number: Any) -> str:
    """A number with its interval, or why there is none."""
    if not measured(number):
        reason = number.get("reason", "") if isinstance(number, Mapping) else ""
        return "not measured" if not reason or reason.startswith(EMPTY) else f"not measured: {cell(reason)}"
    unit = {"s": " s", "nats a token": " nats"}.get(number["unit"], "")
    if number["low"] is None:
        return f"{short(number['value'])}{unit}"
    return f"{short(number['value'])} [{short(number['low'])}, {short(number['high'])}]{unit}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """As Markdown, an empty line first."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines]


def cell(text: str) -> str:
    """Text that breaks no table."""
    return text.replace("|", "/").replace("\n", " ").replace("<", "‹")


def short(value: float) -> str:
    """Two digits behind the point."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"
