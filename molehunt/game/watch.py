"""Progress bars with time left, on the error stream, so that standard output stays clean for results."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from molehunt.core.plain_text import plain


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
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    try:
        yield Watch(progress)
    finally:
        if progress.tasks:
            progress.stop()
