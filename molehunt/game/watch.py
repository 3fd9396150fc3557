"""Progress bars with time left, on the error stream, so that standard output stays clean for results."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

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


class TimeLeft(ProgressColumn):
    """How long it may still take, by the mean pace since the first share that was told.

    Counted down until the next is told. rich's own column knows the last half minute alone, and says nothing
    of work that tells of itself less often.
    """

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Hours, minutes and seconds, or dashes while no pace is known."""
        seconds = time_left(task.fields["first"], task.fields["last"], task.get_time())
        told = "-:--:--" if seconds is None else str(timedelta(seconds=ceil(seconds)))
        return Text(told, style="progress.remaining")


Moment = tuple[float, float]
"""A clock's seconds, and the share that was done then."""


def time_left(first: Moment, last: Moment, now: float) -> float | None:
    """Seconds by the mean pace between two moments, less those since the last one; None without a pace."""
    (began, had), (when, done) = first, last
    if done >= 1:
        return 0.0
    if done <= had or when <= began:
        return None
    return max((1 - done) * (when - began) / (done - had) - (now - when), 0.0)


@dataclass
class Watch:
    """Named bars; `bar(name, share)` moves one, from 0 to 1. A silent watch shows nothing."""

    progress: Progress | None

    def __post_init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[str, Moment] = {}
        self._last: dict[str, Moment] = {}

    def bar(self, name: str, share: float, what: str = "") -> None:
        """Show that `name` is done by this share, and what is being done."""
        if self.progress is None:
            return
        if not self._tasks:
            self.progress.start()  # not sooner: what fails before any work should say its sentence alone
        moment = self.progress.get_time(), share
        last = self._last.get(name, moment)
        if name not in self._first or share < last[1]:  # a bar that goes back begins anew
            self._first[name] = last = moment
        self._last[name] = last = moment if share != last[1] else last
        first = self._first[name]
        if name not in self._tasks:
            self._tasks[name] = self.progress.add_task(
                plain(name), total=1.0, what="", first=first, last=last
            )
        self.progress.update(self._tasks[name], completed=share, what=plain(what), first=first, last=last)

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


def bars(console: Console, clock: Callable[[], float] = time.monotonic) -> Progress:
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
        TimeLeft(table_column=whole),
        Doing(),
        console=console,
        get_time=clock,
    )
