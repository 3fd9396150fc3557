"""The end of a game as a table in the terminal: verdict beside truth, a line a suspect."""

from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.records import NotMeasured
from molehunt.report import ledger, lineup, second, words
from molehunt.report.reading import read_run

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


WIDE = 100
"""Columns of a screen on which the verdict is also said in words."""


def summary_table(run_folder: Path, width: int = WIDE) -> "Table":
    """A rich table of the lineup at whatever stage the run is, for a screen so many columns wide.

    Text from models and files is put in as plain `Text`: no markup, no escapes, cut where long.

    Raises:
        BadFile: there is no such folder, or a file in it cannot be read as what it is called.
    """
    from rich.table import Table
    from rich.text import Text

    run = read_run(run_folder)
    cards = lineup.cards(run)
    opened = not isinstance(run.opened, NotMeasured)
    table = Table(title=Text(lineup.summary(run, cards)), title_justify="left", title_style="", expand=False)
    if given_up := len(ledger.given_up(run)):
        quirks = "One quirk was" if given_up == 1 else f"{given_up} quirks were"
        table.caption = Text(f"{quirks} given up while planting; the page says which, and why.")
        table.caption_justify = "left"
    table.add_column("suspect", no_wrap=True)
    table.add_column("shady?", justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("in words", no_wrap=True)
    table.add_column("top guess", overflow="fold", ratio=2)
    if opened:
        table.add_column("envelope", overflow="fold", ratio=3)
        table.add_column("verdict", no_wrap=True)
    else:
        table.add_column("sealed as", no_wrap=True)
    for card in cards:
        table.add_row(*_verdict(card, width >= WIDE), *(_truth(card) if opened else (_seal(card),)))
    return table


def _verdict(card: lineup.Card, in_words: bool) -> "tuple[Text, ...]":
    from rich.text import Text

    head = card.headline
    colour = "" if head is None else "yellow" if head.accuses else "cyan"
    percent = "—" if head is None else head.percent
    if in_words:
        said = (Text(percent, style=colour), Text(head.belief if head else "no verdict"))
    else:
        said = (Text(f"{percent}, accused" if head and head.accuses else percent, style=colour),)
    return Text(card.name, style="bold"), *said, Text(card.top_guess)


def _truth(card: lineup.Card) -> "tuple[Text, ...]":
    from rich.text import Text

    held = card.revealed
    right = held.right if held else None
    mark = {True: ("✓ right", "green"), False: ("✗ wrong", "red"), None: ("—", "")}[right]
    return Text(held.sentence if held else "not in the folder"), Text(*mark)


def _seal(card: lineup.Card) -> "Text":
    from rich.text import Text

    return Text(f"{words.brief(card.commitment[:12])}…" if card.commitment else "nothing sealed yet")


def second_tables(run_folder: Path) -> "tuple[Table, ...]":
    """A table of everybody for each blind fix that came between two audits. Errors as above."""
    from rich.table import Table
    from rich.text import Text

    made = []
    for one in second.seconds(read_run(run_folder)):
        seconds = sum(c.seconds for c in one.changes)
        title = f"After {words.plain(one.remedy)}, blind (fixing took {words.number(seconds)} s):"
        table = Table(title=Text(title), title_justify="left", title_style="", expand=False)
        for head in second.BRIEF:
            # A word of a head is never broken: numbers are short, what was accused wraps between words.
            table.add_column(head, overflow="fold", min_width=max(map(len, head.split())))
        for change in one.changes:
            table.add_row(*(Text(words.brief(cell, 200)) for cell in second.row(change, short=True)))
        made.append(table)
    return tuple(made)
