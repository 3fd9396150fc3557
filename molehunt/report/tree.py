"""A lineage as a drawing: versions from left to right, each after those that it came from; gates as lines.

What passed is a solid line, what was stopped a dashed one; a good version is a filled dot, a bad one an open
square, the current one has a ring. Shapes say what colours say.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from molehunt.report.drawing import COLOUR, inline
from molehunt.report.passage import visible

STEP, ROW = 1.15, 0.62
"""Inches between versions, and between rows."""
MOST = 60
"""Versions that are drawn: the last ones."""


@dataclass(frozen=True)
class Node:
    """A version."""

    name: str
    good: bool
    current: bool = False


@dataclass(frozen=True)
class Line:
    """A gate between two of them."""

    old: str
    new: str
    passed: bool


def tree(nodes: Sequence[Node], lines: Sequence[Line], prefix: str, title: str) -> Markup:
    """All of it in one drawing; lines to what is not drawn are left out."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = list(nodes)[-MOST:]
    at = places([n.name for n in shown], lines)
    wide = STEP * (1 + max(x for x, _ in at.values()))
    high = ROW * (1 + max(y for _, y in at.values())) + 0.3
    with rc_context({"text.parse_math": False, "font.size": 8.5}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the layout font lacks: the browser has its own
        figure = Figure(figsize=(max(3.0, wide), high))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-0.5, max(3.0, wide) / STEP - 0.5)
        axes.set_ylim(high / ROW - 0.5, -0.5)
        for line in lines:
            if line.old in at and line.new in at:
                (a, b), (c, d) = at[line.old], at[line.new]
                style = "solid" if line.passed else (0, (3, 2))
                colour = COLOUR["blue"] if line.passed else COLOUR["vermillion"]
                axes.plot([a, c], [b, d], color=colour, linewidth=1.3, linestyle=style, zorder=1)
        for node in shown:
            _draw(axes, node, *at[node.name])
        said = "; ".join(f"{n.name} {'good' if n.good else 'bad'}{', current' * n.current}" for n in shown)
        gates = "; ".join(f"{e.old} to {e.new} {'passed' if e.passed else 'stopped'}" for e in lines)
        return inline(figure, prefix, title, f"Versions: {said}. Gates: {gates or 'none'}.")


def places(names: Sequence[str], lines: Sequence[Line]) -> dict[str, tuple[int, int]]:
    """Column and row of each: a column further than what it came from, in the first row that is free."""
    column: dict[str, int] = {}
    for name in names:
        before = [column[e.old] for e in lines if e.new == name and e.old in column]
        column[name] = 1 + max(before) if before else 0
    taken: dict[int, int] = {}
    found = {}
    for name in names:
        row = taken.get(column[name], 0)
        taken[column[name]] = row + 1
        found[name] = (column[name], row)
    return found


def _draw(axes, node: Node, x: float, y: float) -> None:
    colour = COLOUR["blue"] if node.good else COLOUR["vermillion"]
    fill = colour if node.good else COLOUR["paper"]
    if node.current:
        axes.plot(
            [x], [y], marker="o", markersize=14, markeredgecolor=colour, markerfacecolor=COLOUR["paper"]
        )
    axes.plot(
        [x],
        [y],
        marker="o" if node.good else "s",
        markersize=7,
        markeredgecolor=colour,
        markerfacecolor=fill,
        markeredgewidth=1.4,
        zorder=3,
    )
    label = visible(node.name)[:12]
    axes.text(x, y + 0.32, label, ha="center", va="center", color=COLOUR["ink"], fontsize=8)
