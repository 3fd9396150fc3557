"""One drawing of what each quirk needs: a row a quirk, a mark a seed, on the values that were tried.

A mark stands at the least value that took, with a line from the last that failed. An arrow to the left says
that the least value was enough already, one to the right that the greatest was not, and a cross in the last
column that it did not take with all that planting gives. Values stand evenly apart, whatever lies between
them.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from molehunt.report.drawing import COLOUR, inline, named_rows
from molehunt.report.passage import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW, FOOT, HEAD = 4.4, 0.3, 0.55, 0.12
"""Inches."""
LABEL = 34
"""Characters of a quirk's name."""
BEYOND = 0.7
"""How far past the last value the arrows reach, in steps of the grid."""


@dataclass(frozen=True)
class Need:
    """One quirk's row."""

    label: str
    seeds: tuple[tuple[float, float], ...]
    """The last value that failed (0 where none did) and the first that took, a seed each; the latter infinite
    where none of the grid took, both where planting's own did not."""


def needs(rows: Sequence[Need], grid: Sequence[float], axis: str, prefix: str, title: str) -> Markup:
    """The drawing; `grid` holds every value that was tried, from the least up."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    grid = sorted(set(grid))
    height = HEAD + FOOT + ROW * max(1, len(rows))
    with rc_context({"text.parse_math": False, "font.size": 8.5}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the layout font lacks: the browser has its own
        figure = Figure(figsize=(WIDTH, height))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0.47, FOOT / height, 0.5, ROW * max(1, len(rows)) / height))
        for row, need in enumerate(rows):
            for i, (failed, took) in enumerate(need.seeds):
                y = row + (0 if len(need.seeds) == 1 else 0.5 * (i / (len(need.seeds) - 1) - 0.5))
                _mark(axes, grid, failed, took, y)
        last = len(grid) - 1
        never = any(isinf(failed) for need in rows for failed, _ in need.seeds)
        axes.set_xlim(-1, last + 1 + never)
        ticks = [*range(len(grid)), *([last + 1.5] if never else [])]
        axes.set_xticks(ticks, [*(f"{v:g}" for v in grid), *(["never"] if never else [])])
        axes.set_xlabel(visible(axis), color=COLOUR["soft"], fontsize=8)
        named_rows(axes, [need.label for need in rows], LABEL)
        said = "; ".join(f"{need.label}: {', '.join(_said(*one) for one in need.seeds)}" for need in rows)
        return inline(figure, prefix, title, visible(f"The least that took, by seed, in {axis}. {said}."))


def _mark(axes: "Axes", grid: Sequence[float], failed: float, took: float, y: float) -> None:
    last, look = len(grid) - 1, {"color": COLOUR["blue"], "linewidth": 1.4, "zorder": 2}
    if isinf(failed):
        axes.plot(
            [last + 1.5], [y], marker="x", markersize=5, markeredgewidth=1.6, color=COLOUR["vermillion"]
        )
        return
    start = _at(grid, failed) if failed > 0 else None
    if isinf(took):
        start = last if start is None else start
        axes.plot([start, last + BEYOND], [y, y], **look)
        axes.plot([last + BEYOND], [y], marker=">", markersize=5, color=COLOUR["blue"], zorder=3)
        return
    end = _at(grid, took)
    if start is None:
        axes.plot([end - BEYOND], [y], marker="<", markersize=5, color=COLOUR["blue"], zorder=3)
        start = end - BEYOND
    axes.plot([start, end], [y, y], **look)
    axes.plot([end], [y], marker="o", markersize=5, color=COLOUR["blue"], zorder=3)


def _at(grid: Sequence[float], value: float) -> float:
    return float(np.interp(value, grid, range(len(grid))))


def _said(failed: float, took: float) -> str:
    if isinf(failed):
        return "never"
    if took == inf:
        return f"above {failed:g}"
    return f"{took:g} or less" if failed == 0 else f"between {failed:g} and {took:g}"
