"""A bar says how far and how long on any screen, and shows what it is told as it is."""

import io
import re

import pytest
from rich.console import Console

from molehunt.game.watch import Watch, bars

TOLD = "0.68 explained, 0.0% dead, 5,607 tokens/s"


def shown(width: int, name: str, what: str) -> list[str]:
    """The last state of one bar on a screen of that many columns."""
    out = io.StringIO()
    watch = Watch(bars(Console(file=out, width=width, force_terminal=False)))
    watch.bar(name, 0.5, what)
    assert watch.progress is not None
    watch.progress.stop()
    return [line for line in out.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [80, 100, 123, 124, 200])
def test_time_left_stands_whole_beside_what_is_done(width: int) -> None:
    (line,) = shown(width, "training", TOLD)
    assert len(line) <= width and " 50% " in line and "training" in line and "━" in line
    assert re.search(r"left -:--:--|left \d+:\d\d:\d\d", line), line
    assert TOLD in line
    (line,) = shown(width, "training", TOLD * 4)
    assert re.search(r" 50% .*left (-:--:--|\d+:\d\d:\d\d) 0.68 explained.*…$", line.rstrip()), line


def test_what_is_told_is_no_markup() -> None:
    (line,) = shown(200, "reading", "[red]text[/] \x1b[31m")
    assert "[red]text[/]" in line and "\x1b" not in line
