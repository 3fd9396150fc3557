"""Dot-and-interval plots: one row a number, its 95% interval as a line, shapes as well as colours."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup

from molehunt.core.records import Measure
from molehunt.report import words
from molehunt.report.drawing import COLOUR, inline, named_rows
from molehunt.report.lineup import Rate
from molehunt.report.passage import visible
from molehunt.report.reading import finite
from molehunt.report.standings import Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Look = Literal["headline", "method", "baseline", "on", "off", "decoy"]

_LOOKS = {
    "headline": ("o", COLOUR["blue"], COLOUR["blue"]),
    "method": ("o", COLOUR["blue"], COLOUR["paper"]),
    "baseline": ("D", COLOUR["orange"], COLOUR["orange"]),
    "on": ("o", COLOUR["vermillion"], COLOUR["vermillion"]),
    "off": ("o", COLOUR["blue"], COLOUR["paper"]),
    "decoy": ("D", COLOUR["soft"], COLOUR["soft"]),
}
"""Marker, line colour and fill: told apart by shape and filling where colours are not seen."""

WIDTH = 3.75
"""Inches; the page lets the drawing grow with its column."""
LABEL = 20
"""Characters of a row's name that fit."""


@dataclass(frozen=True)
class Dot:
    """One row of a plot."""

    label: str
    measure: Measure
    look: Look


def standing(view: Standing, prefix: str) -> Markup:
    """Everybody's number under one measure, with chance as a dashed line where it is known."""
    dots = [Dot(e.label, e.measure, e.kind) for e in view.drawable if isinstance(e.measure, Measure)]
    chance = next((d.measure.value for d in dots if d.label.startswith("chance")), None)
    axis = f"{view.unit or 'value'}{f' ({view.better})' if view.better else ''}"
    return draw(dots, axis, prefix, view.title, chance)


def profile(rates: Sequence[Rate], prefix: str, name: str) -> Markup:
    """How often held-out replies show the behaviour: condition on, off, and the decoy's."""
    looks: tuple[Look, ...] = ("on", "off", "decoy")
    dots = [Dot(r.name, r.measure, look) for r, look in zip(rates, looks, strict=False)]
    return draw(dots, "share of held-out replies that show it", prefix, f"Trigger profile of {name}", None)


def draw(dots: Sequence[Dot], axis: str, prefix: str, title: str, chance: float | None) -> Markup:
    """Rows from top to bottom; the horizontal axis is 0 to 1 where every number lies within it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    height = 0.62 + 0.27 * max(1, len(dots))
    with rc_context({"text.parse_math": False, "font.size": 8.5}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the layout font lacks: the browser has its own
        figure = Figure(figsize=(WIDTH, height))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0.33, 0.46 / height, 0.52, 1 - 0.56 / height))
        _rows(axes, dots)
        _frame(axes, dots, visible(axis))
        if chance is not None and finite(chance):
            axes.axvline(chance, color=COLOUR["soft"], linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
        described = "; ".join(f"{d.label}: {words.said(d.measure)}" for d in dots)
        return inline(figure, prefix, title, f"Dots with 95% intervals, in {axis}. {described}.")


def _rows(axes: "Axes", dots: Sequence[Dot]) -> None:
    for row, dot in enumerate(dots):
        marker, line, fill = _LOOKS[dot.look]
        low, high, value = dot.measure.low, dot.measure.high, dot.measure.value
        if low is not None and high is not None and finite(low) and finite(high):
            axes.plot([low, high], [row, row], color=line, linewidth=1.6, solid_capstyle="butt", zorder=2)
        axes.plot(
            [value],
            [row],
            marker=marker,
            markersize=6 if marker == "o" else 5,
            markeredgecolor=line,
            markerfacecolor=fill,
            markeredgewidth=1.4,
            zorder=3,
            clip_on=False,
        )
        axes.text(
            1.04,
            row,
            words.number(value),
            transform=axes.get_yaxis_transform(),
            va="center",
            color=COLOUR["ink"],
        )


def _frame(axes: "Axes", dots: Sequence[Dot], axis: str) -> None:
    ends = [
        v
        for d in dots
        for v in (d.measure.value, d.measure.low, d.measure.high)
        if v is not None and finite(v)
    ]
    if all(0 <= v <= 1 for v in ends):
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    else:
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(axis, color=COLOUR["soft"], fontsize=8)
    named_rows(axes, [d.label for d in dots], LABEL)
