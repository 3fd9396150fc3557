"""What a verb shows: tables and lines for people, or one JSON value for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from molehunt.core.atomic import to_output
from molehunt.core.extend import summaries
from molehunt.core.plain_text import plain
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure


class _Piped(Console):
    """Says that the reader went away by the exception, as Python does; rich would end the program with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def listing(said: str, room: str) -> str:
    """The help of an option that takes a name of a registry: what it is, then each name with its line."""
    return f"{said}: " + "; ".join(f"`{n}`, {summary}" for n, summary in summaries(room).items()) + "."


def show(value: Any, as_json: bool, *people: Any) -> None:
    """`value` as one line of JSON, or else what is meant for people: strings, texts and tables.

    Strings are made safe and printed as they are, without markup. JSON goes to the real standard
    output even where that is redirected to keep it clean.
    """
    with to_output():
        if as_json:
            print(json.dumps(to_json(value), allow_nan=False), file=sys.__stdout__, flush=True)
            return
        console = _Piped(highlight=False, emoji=False)
        for one in people:
            console.print(Text(plain(one)) if isinstance(one, str) else one, soft_wrap=isinstance(one, str))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", wide: int | None = None
) -> Table:
    """A table of plain text; on a narrow screen one column wraps: the one at `wide`, or the longest."""
    made = Table(
        title=Text(plain(title)) if title else None, title_justify="left", title_style="", expand=False
    )
    cells = [[plain(cell, 400) for cell in row] for row in rows]
    if wide is None:
        longest = [max(map(len, (head, *(row[i] for row in cells)))) for i, head in enumerate(heads)]
        wide = max(range(len(heads)), key=lambda i: (longest[i], i), default=0)
    for i, head in enumerate(heads):
        made.add_column(head, no_wrap=i != wide, overflow="fold")
    for row in cells:
        made.add_row(*map(Text, row))
    return made


def across() -> int:
    """How many columns the screen has."""
    return Console().width


def tables(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, narrow: int | None = None
) -> list[Table]:
    """The same table in as many pieces as the screen's width asks for; each repeats the first column.

    With `narrow` it is the first column that wraps, at so many characters at the least.
    """
    room = (across() if width is None else width) - 1
    size = [max(len(plain(row[i], 400)) for row in (heads, *rows)) + 3 for i in range(len(heads))]
    if narrow is not None:
        size[0] = min(size[0], narrow + 3)
    pieces: list[list[int]] = []
    for i in range(1, len(heads)):
        if not pieces or sum(size[k] for k in (0, *pieces[-1], i)) > room:
            pieces.append([])
        pieces[-1].append(i)
    return [
        table(
            [heads[i] for i in (0, *some)],
            [[row[i] for i in (0, *some)] for row in rows],
            wide=None if narrow is None else 0,
        )
        for some in pieces
    ]


def measured(value: Measure) -> str:
    """A measure in a few words: value, interval, how many."""
    interval = (
        f" [{value.low:.2f}, {value.high:.2f}]" if value.low is not None and value.high is not None else ""
    )
    return f"{value.value:.2f}{interval}, n = {value.n}"
