"""Progress bars with time left, on the error stream, so that standard output stays clean for results."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from molehunt.core.plain_text import plain

NARROW = 124
"""Columns of a screen below which a bar is short and says no time that has passed."""


class Doing(ProgressColumn):
    """What is being done, without markup: the one part of a line that is cut where a screen is narrow."""

    def __init__(self) -> None:
        super().__init__(Column())

    def render(self, task: Task) -> Text:
        """As it was given."""
        return Text(task.fields["what"], no_wrap=True, overflow="ellipsis")


@dataclass
class Watch:
    """Named bars; `bar(name, share)` moves one, from 0 to 1. A silent watch shows nothing."""

    progress: Progress | None

    def __post_init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}

    def bar(self, name: str, share: float, what: str = "") -> None:
        """Show that `name` is done by this share, and what is being done."""
        if self.progress is None:
            return
        if not self._tasks:
            self.progress.start()  # not sooner: what fails before any work should say its sentence alone
        if name not in self._tasks:
            self._tasks[name] = self.progress.add_task(plain(name), total=1.0, what="")
        self.progress.update(self._tasks[name], completed=share, what=plain(what))

    def say(self, line: str) -> None:
        """One line above the bars."""
        if self.progress is not None:
            self.progress.console.print(plain(line), markup=False, highlight=False)


@contextlib.contextmanager
def watching(quiet: bool = False) -> Iterator[Watch]:
    """Bars for as long as the block runs; none when `quiet`."""
    if quiet:
        yield Watch(None)
        return
    progress = bars(Console(stderr=True))
    try:
        yield Watch(progress)
    finally:
        if progress.tasks:
            progress.stop()


def bars(console: Console) -> Progress:
    """Lines that fit the console: name, bar, share and time left always stand whole."""
    narrow = console.width < NARROW
    whole = Column(no_wrap=True)  # what may wrap is squeezed first
    return Progress(
        SpinnerColumn(table_column=whole),
        TextColumn("{task.description}" if narrow else "{task.description:<24}", table_column=whole),
        BarColumn(8 if narrow else 28, table_column=whole),
        TextColumn("{task.percentage:>3.0f}%", table_column=whole),
        *([] if narrow else [TimeElapsedColumn(table_column=whole)]),
        TextColumn("left", table_column=whole),
        TimeRemainingColumn(table_column=whole),
        Doing(),
        console=console,
    )
