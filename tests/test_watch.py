"""A bar says how far and how long on any screen, and shows what it is told as it is."""

import io
import re

import pytest
from rich.console import Console

from molehunt.game.watch import Watch, bars, time_left

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


def test_time_left_is_known_where_little_is_told_and_counts_down() -> None:
    now = [1000.0]
    out = io.StringIO()
    watch = Watch(bars(Console(file=out, width=200, force_terminal=False), clock=lambda: now[0]))
    for seconds, share in (
        (0.0, 0.5),
        (9.0, 0.9),
        (9.0, 0.2),
        (150.0, 0.3),
        (150.0, 0.4),
    ):  # begun anew, at a fifth
        now[0] += seconds
        watch.bar("audit", share, "Cedar")
    now[0] += 100.0  # nothing was told for so long
    watch.bar("audit", 0.4, "still Cedar")
    now[0] += 0.4
    assert watch.progress is not None
    watch.progress.stop()
    assert re.search(r"left 0:13:20 still Cedar", out.getvalue()), out.getvalue()
    assert time_left((0.0, 0.2), (300.0, 0.4), 400.0) == pytest.approx(900 - 100)
    assert time_left((0.0, 0.0), (10.0, 0.5), 60.0) == 0.0, "it takes longer than the pace had it"
    assert time_left((0.0, 0.3), (0.0, 0.3), 60.0) is None and time_left((0.0, 0.3), (9.0, 0.1), 9.0) is None
    assert time_left((0.0, 0.0), (9.0, 1.0), 60.0) == 0.0


def test_what_is_told_is_no_markup() -> None:
    (line,) = shown(200, "reading", "[red]text[/] \x1b[31m")
    assert "[red]text[/]" in line and "\x1b" not in line
