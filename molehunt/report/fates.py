"""One drawing of remedies side by side: what became of each quirk, what was left beneath, what it cost.

Above, a bar a remedy, cut into what was removed, hidden, untouched and not judged, each part with its
name and count. In the middle, a mark an organism: how far it lies from the control (0) to the organism as it
was (1), with its interval. Below, a mark a clean decoy under the same fix: what it lost of capability, left,
and of character, right. Shapes tell fates apart as well as colours.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.report.drawing import COLOUR, inline, named_rows
from molehunt.report.passage import visible
from molehunt.report.reading import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

UNJUDGED = "not judged"
_LOOKS = {
    "removed": ("o", COLOUR["blue"], COLOUR["blue"]),
    "hidden": ("s", COLOUR["orange"], COLOUR["paper"]),
    "untouched": ("X", COLOUR["vermillion"], COLOUR["vermillion"]),
    UNJUDGED: ("|", COLOUR["soft"], COLOUR["paper"]),
}
"""Marker, line colour and fill, by fate."""
WIDTH, ROW, HEAD, FOOT = 4.4, 0.38, 0.36, 0.55
"""Inches: of the drawing (a page's column, so that its words are as large as others'), of a remedy's row, of
the legend, and of an axis with its name."""
LABEL = 14


@dataclass(frozen=True)
class Mark:
    """One organism under one remedy."""

    remedy: str
    suspect: str
    fate: str
    """One of the three, or `UNJUDGED`."""
    beneath: Measure | NotMeasured
    """How much is left beneath, 0 to 1."""
    capability: Measure | NotMeasured
    """What the same fix cost a clean decoy: share of small tasks lost."""
    character: Measure | NotMeasured
    """Likewise, share of cases of character in which the good reply is no longer likelier."""


Of = Callable[[Mark], Measure | NotMeasured]
Label = str | tuple[str, ...]


def fates(marks: Sequence[Mark], threshold: float, prefix: str) -> Markup:
    """The drawing; `threshold` is where `hidden` begins."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    remedies = list(dict.fromkeys(m.remedy for m in marks))
    rows = ROW * max(1, len(remedies))
    height = HEAD + 3 * (rows + FOOT)
    with rc_context({"text.parse_math": False, "font.size": 8.5}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the layout font lacks: the browser has its own
        figure = Figure(figsize=(WIDTH, height))
        figure.patch.set_alpha(0)
        above, middle, left, right = (
            figure.add_axes((start, (FOOT + place * (rows + FOOT)) / height, wide, rows / height))
            for place, start, wide in ((2, 0.24, 0.72), (1, 0.24, 0.72), (0, 0.24, 0.34), (0, 0.62, 0.34))
        )
        _bars(above, remedies, marks)
        _marks(middle, remedies, marks, threshold)
        _lost(left, remedies, _labels(remedies), marks, "tasks lost", lambda m: m.capability)
        _lost(right, remedies, [""] * len(remedies), marks, "good replies lost", lambda m: m.character)
        named = [f for f in _LOOKS if any(m.fate == f for m in marks)]
        figure.legend(
            [_key(f) for f in named],
            named,
            loc="upper left",
            bbox_to_anchor=(0.2, 1.0),
            ncols=len(named),
            frameon=False,
            fontsize=8,
            handletextpad=0.2,
        )
        said = "; ".join(
            f"{m.remedy}, {m.suspect}: {m.fate}, beneath {words.said(m.beneath)}, tasks lost "
            f"{words.said(m.capability)}, good replies lost {words.said(m.character)}"
            for m in marks
        )
        return inline(figure, prefix, "What became of each quirk and what it cost, by remedy", visible(said))


def _labels(remedies: Sequence[str]) -> list[Label]:
    """Their names, each with its options, if any, in a line below."""
    return [tuple(part for part in remedy.split(",", 1) if part) for remedy in remedies]


def _key(fate: str) -> "Line2D":
    from matplotlib.lines import Line2D

    marker, colour, fill = _LOOKS[fate]
    return Line2D(
        [], [], marker=marker, linestyle="none", markeredgecolor=colour, markerfacecolor=fill, markersize=6
    )


def _bars(axes: "Axes", remedies: Sequence[str], marks: Sequence[Mark]) -> None:
    for row, remedy in enumerate(remedies):
        own = [m.fate for m in marks if m.remedy == remedy]
        start = 0.0
        for fate, (_, colour, _) in _LOOKS.items():
            share = own.count(fate) / len(own)
            if not share:
                continue
            axes.barh(
                row,
                share,
                left=start,
                height=0.62,
                facecolor=COLOUR["paper"],
                edgecolor=colour,
                linewidth=1.6,
            )
            text = f"{fate} {own.count(fate)}" if share >= 0.24 else str(own.count(fate))
            axes.text(start + share / 2, row, text, ha="center", va="center", color=COLOUR["ink"], fontsize=8)
            start += share
    axes.set_xlim(-0.01, 1.01)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xlabel("share of organisms", color=COLOUR["soft"], fontsize=8)
    named_rows(axes, _labels(remedies), LABEL)


def _marks(axes: "Axes", remedies: Sequence[str], marks: Sequence[Mark], threshold: float) -> None:
    _spread(axes, remedies, marks, lambda m: m.beneath)
    axes.axvline(threshold, color=COLOUR["soft"], linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xlabel("left beneath: 0 control, 1 organism", color=COLOUR["soft"], fontsize=8)
    named_rows(axes, _labels(remedies), LABEL)


def _lost(
    axes: "Axes", remedies: Sequence[str], labels: Sequence[Label], marks: Sequence[Mark], what: str, of: Of
) -> None:
    """What the clean decoys lost, as shares; the axis reaches as far as what was measured."""
    _spread(axes, remedies, marks, of)
    ends = [
        e
        for m in marks
        if isinstance(one := of(m), Measure)
        for e in (one.low, one.value, one.high)
        if e is not None and finite(e)
    ]
    low, high = min([-0.05, *ends]), max([0.05, *ends])
    axes.axvline(0, color=COLOUR["soft"], linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    axes.locator_params(axis="x", nbins=3)
    axes.set_xlabel(what, color=COLOUR["soft"], fontsize=8)
    named_rows(axes, labels, LABEL)


def _spread(axes: "Axes", remedies: Sequence[str], marks: Sequence[Mark], of: Of) -> None:
    """The marks of each remedy about its row, one under another."""
    for row, remedy in enumerate(remedies):
        own = [m for m in marks if m.remedy == remedy]
        for i, mark in enumerate(own):
            y = row + (0 if len(own) == 1 else 0.56 * (i / (len(own) - 1) - 0.5))
            _mark(axes, mark.fate, of(mark), y)


def _mark(axes: "Axes", fate: str, one: Measure | NotMeasured, y: float) -> None:
    marker, colour, fill = _LOOKS[fate]
    if isinstance(one, NotMeasured) or not finite(one.value):
        axes.text(0.0, y, "not measured", va="center", color=COLOUR["soft"], fontsize=7)
        return
    if one.low is not None and one.high is not None and finite(one.low) and finite(one.high):
        axes.plot([one.low, one.high], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=2)
    axes.plot(
        [one.value],
        [y],
        marker=marker,
        markersize=6,
        markeredgecolor=colour,
        markerfacecolor=fill,
        markeredgewidth=1.3,
        zorder=3,
        clip_on=False,
    )
