"""Lines with intervals over a numeric axis: dose–response curves and sweeps over layers.

Lines differ in shape of marker and in filling as well as in colour; a band of faint lines is what
chance does.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup

from molehunt.report.drawing import COLOUR, inline
from molehunt.report.passage import visible
from molehunt.report.reading import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Look = Literal["first", "second", "third", "chance"]
_LOOKS = {
    "first": ("o", COLOUR["blue"], COLOUR["blue"]),
    "second": ("s", COLOUR["vermillion"], COLOUR["paper"]),
    "third": ("D", COLOUR["green"], COLOUR["green"]),
    "chance": ("", COLOUR["soft"], COLOUR["soft"]),
}
SIZE = (4.6, 2.9)
"""Inches; the page lets the drawing grow with its column."""
WIDE = 66
"""Characters of the legend that fit side by side, marks and gaps reckoned as 8 a name."""


@dataclass(frozen=True)
class Point:
    """One place of a line; an interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A named row of points, from left to right."""

    name: str
    points: tuple[Point, ...]
    look: Look = "first"
    joined: bool = True
    """Whether a line runs through the points; a cloud of points has none."""


def curves(
    lines: Sequence[Line],
    across: str,
    up: str,
    prefix: str,
    title: str,
    marks: Sequence[float] = (),
    *,
    shares: bool = False,
) -> Markup:
    """All lines in one drawing, with a legend of those that are not chance.

    Where `marks` are given (above 0), the horizontal axis is logarithmic and marked there. Of `shares` the
    vertical axis goes from 0 to 1, so that a small change looks small.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with rc_context({"text.parse_math": False, "font.size": 8.5}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the layout font lacks: the browser has its own
        figure = Figure(figsize=SIZE)
        figure.patch.set_alpha(0)
        named = [line for line in lines if line.look != "chance"]
        across_at_once = max(1, min(4, WIDE // (max((len(line.name) for line in named), default=0) + 8)))
        rows = -(-len(named) // across_at_once)
        axes = figure.add_axes((0.16, 0.16, 0.81, 0.72 - 0.07 * max(0, rows - 1)))  # room for the legend
        for line in sorted(lines, key=lambda line: line.look != "chance"):
            _draw(axes, line)
        _frame(axes, visible(across), visible(up))
        places = {p.x for line in lines for p in line.points if finite(p.x)}
        if len(places) == 1:
            axes.set_xticks([*places])  # an axis round one place would be marked in parts of nothing
        elif all(x == int(x) for x in places):
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))  # rounds, layers, tokens
        if shares:
            axes.set_ylim(-0.03, 1.03)
        if marks:
            axes.set_xscale("log")
            axes.set_xticks(list(marks), [f"{m:g}" for m in marks])
            axes.set_xticks([], minor=True)
        if len(named) > 1 or len(named) < len(lines):
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1.0), ncols=across_at_once, frameon=False, fontsize=8
            )
        said = "; ".join(f"{line.name}: {_said(line.points)}" for line in named)
        return inline(figure, prefix, title, f"{up} over {across}. {said}.")


def _draw(axes: "Axes", line: Line) -> None:
    marker, colour, fill = _LOOKS[line.look]
    points = [p for p in line.points if finite(p.x) and finite(p.y)]
    faint = line.look == "chance"
    axes.plot(
        [p.x for p in points],
        [p.y for p in points],
        color=colour,
        linewidth=0.6 if faint else 1.4,
        linestyle=(0, (3, 2)) if faint else "solid" if line.joined else "none",
        marker=marker,
        markersize=4.5,
        markeredgecolor=colour,
        markerfacecolor=fill,
        label=visible(line.name)[:24] if line.name else "_",
        zorder=1 if faint else 3,
    )
    for p in points:
        if p.low is not None and p.high is not None and finite(p.low) and finite(p.high):
            axes.plot([p.x, p.x], [p.low, p.high], color=colour, linewidth=1.1, zorder=2)


def _frame(axes: "Axes", across: str, up: str) -> None:
    axes.set_xlabel(across, color=COLOUR["soft"], fontsize=8)
    axes.set_ylabel(up, color=COLOUR["soft"], fontsize=8)
    axes.tick_params(colors=COLOUR["soft"], length=3, color=COLOUR["line"], pad=2)
    axes.grid(color=COLOUR["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.04, y=0.08)
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(COLOUR["line"])


def _said(points: Sequence[Point]) -> str:
    return ", ".join(f"{p.y:.3g} at {p.x:g}" for p in points)
