"""A matplotlib figure as inline SVG that a strict page lets through and a dark page can recolour.

Matplotlib writes inline styles, a style sheet and ids that repeat from figure to figure. Here
styles become presentation attributes, palette colours become classes, ids get a prefix, and a
title and a description are put in for readers who don't see the drawing.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from molehunt.report.passage import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

PALETTE = {
    "#101010": "ink",
    "#707070": "soft",
    "#d0d0d0": "line",
    "#fefefe": "paper",
    "#0072b2": "blue",
    "#d55e00": "vermillion",
    "#e69f00": "orange",
    "#009e73": "green",
}
"""What figures are drawn in (Okabe and Ito 2008, and greys), and the class that a page colours."""

LINE = 10.0
"""Points from a line of a label to the next."""

COLOUR = {name: code for code, name in PALETTE.items()}
_KEPT = {
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-opacity",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-dasharray",
    "stroke-dashoffset",
    "opacity",
    "text-anchor",
    "font-size",
    "font-weight",
}


def inline(figure: "Figure", prefix: str, title: str, description: str) -> Markup:
    """The figure as one `<svg>` element with no style attribute, script or outside reference.

    Args:
        prefix: put before every id, so that several drawings can share a page.
        title: what a screen reader says first.
        description: the numbers that are drawn, in words.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _drop(root, {"metadata", "style"})
    for element in root.iter():
        _restyle(element)
        _prefix(element, prefix)
    _describe(root, prefix, visible(title), visible(description))
    ElementTree.register_namespace("", SVG)
    text = ElementTree.tostring(root, encoding="unicode")
    return Markup(text)  # built by ElementTree, which escapes all text


def named_rows(axes: "Axes", labels: Sequence[str | tuple[str, ...]], longest: int) -> None:
    """A row a label of one line or several, from the top down, each line cut after so many characters.

    Nothing is drawn around it but a line below.
    """
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), [])
    axes.tick_params(length=0)
    for row, label in enumerate(labels):
        lines = (label,) if isinstance(label, str) else label
        for i, line in enumerate(lines):  # each a text of its own, which alone ends where it should in SVG
            axes.annotate(
                _short(line, longest),
                (0, row),
                xycoords=axes.get_yaxis_transform(),
                xytext=(-5, LINE * ((len(lines) - 1) / 2 - i)),
                textcoords="offset points",
                ha="right",
                va="center",
                color=COLOUR["ink"],
            )
    axes.tick_params(axis="x", colors=COLOUR["soft"], length=3, color=COLOUR["line"], pad=2)
    axes.grid(axis="x", color=COLOUR["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(COLOUR["line"])


def _short(label: str, longest: int) -> str:
    label = " ".join(visible(label).split())
    return label if len(label) <= longest else label[: longest - 1] + "…"


def _drop(root: ElementTree.Element, names: set[str]) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in names:
                parent.remove(child)


def _restyle(element: ElementTree.Element) -> None:
    declared = dict(_declarations(element.attrib.pop("style", "")))
    font = re.search(r"([\d.]+)px", declared.pop("font", ""))
    if font:
        declared["font-size"] = font.group(1)
    classes: list[str] = []
    for name in ("fill", "stroke"):
        value = declared.get(name) or element.attrib.get(name, "")
        if value.lower() in PALETTE:
            classes.append(f"{name}-{PALETTE[value.lower()]}")
    for name, value in declared.items():
        if name in _KEPT:
            element.set(name, value.removesuffix("px"))
    if classes:
        element.set("class", " ".join(classes))


def _declarations(style: str) -> list[tuple[str, str]]:
    pairs = (part.partition(":") for part in style.split(";") if ":" in part)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _prefix(element: ElementTree.Element, prefix: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{prefix}-{element.get('id')}")
    target = element.attrib.pop(f"{{{XLINK}}}href", element.attrib.get("href"))
    if target is not None:
        element.set("href", "#" + f"{prefix}-{target.removeprefix('#')}")
    clip = re.fullmatch(r"url\(#(.+)\)", element.get("clip-path", ""))
    if clip:
        element.set("clip-path", f"url(#{prefix}-{clip.group(1)})")


def _describe(root: ElementTree.Element, prefix: str, title: str, description: str) -> None:
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{prefix}-{tag}"})
        element.text = text
        root.insert(position, element)
