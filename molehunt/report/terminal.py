"""The end of a game as a table in the terminal: verdict beside truth, a line a suspect."""

from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.records import NotMeasured
from molehunt.report import ledger, lineup, second, words
from molehunt.report.reading import read_run

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def summary_table(run_folder: Path) -> "Table":
    """A rich table of the lineup at whatever stage the run is.

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
    table.add_column("in words", no_wrap=True)
    table.add_column("top guess", overflow="fold", ratio=2)
    if opened:
        table.add_column("envelope", overflow="fold", ratio=2)
        table.add_column("verdict", no_wrap=True)
    else:
        table.add_column("sealed as", no_wrap=True)
    for card in cards:
        table.add_row(*_verdict(card), *(_truth(card) if opened else (_seal(card),)))
    return table


def _verdict(card: lineup.Card) -> "tuple[Text, ...]":
    from rich.text import Text

    head = card.headline
    colour = "" if head is None else "yellow" if head.accuses else "cyan"
    return (
        Text(card.name, style="bold"),
        Text(head.percent if head else "—", style=colour),
        Text(head.belief if head else "no verdict"),
        Text(card.top_guess),
    )


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
        for head in second.HEADS:
            table.add_column(head, overflow="fold")
        for change in one.changes:
            table.add_row(*(Text(words.brief(cell, 200)) for cell in second.row(change, short=True)))
        made.append(table)
    return tuple(made)
