"""A page a feature and one index with a search: files that open without network, from a disk or a server.

The index holds one row a feature as JSON, and a script of our own that shows the first hundred that match;
without scripts the first hundred stand there all the same. The policy lets through the page's own style
sheet and that one script, by their hashes. Text from models is made visible and escaped; in the JSON, `<`,
`>` and `&` are written as escapes, and the script puts it in as text alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, log10

from markupsafe import Markup

from molehunt.report import words
from molehunt.report.page import HERE, environment, policy
from molehunt.report.passage import visible

FIRST = 100
"""Rows that stand in the index without a script."""
WIDE, HIGH = 480, 190
LEFT, BOTTOM, TOP = 78, 34, 10
"""Margins of the histogram, in its own units."""


@dataclass(frozen=True)
class Row:
    """A feature in the index."""

    feature: int
    count: int
    share: str
    highest: float
    what: str
    """Its label, or what it raises."""
    score: float | None


@dataclass(frozen=True)
class Run:
    """A stretch of an example: silent text, or one token that fires."""

    text: str
    level: int = 0
    """0 silent, else 1 to 10: tenths of the feature's highest activation."""
    value: str = ""
    top: bool = False


@dataclass(frozen=True)
class Instance:
    """A place where the feature fires."""

    value: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class FeaturePage:
    """All that a feature's page shows."""

    feature: int
    before: int | None
    after: int | None
    label: str
    scores: tuple[str, ...]
    summary: str
    drawing: Markup | None
    raised: tuple[tuple[str, str], ...]
    lowered: tuple[tuple[str, str], ...]
    near: tuple[tuple[int, str, str], ...]
    drawn: str
    examples: tuple[Instance, ...]


def render_feature(page: FeaturePage) -> str:
    """A feature's page as HTML."""
    style = _file("site.css")
    template = environment().get_template("site_feature.html.j2")
    return template.render(page=page, style=Markup(style), policy=policy(style))


def render_index(title: str, summary: str, rows: Sequence[Row], cannot_tell: Sequence[str]) -> str:
    """The index as HTML."""
    style, script = _file("site.css"), _file("site.js")
    every = [[r.feature, r.count, r.share, r.highest, visible(r.what), r.score] for r in rows]
    template = environment().get_template("site_index.html.j2")
    return template.render(
        title=title,
        summary=summary,
        rows=rows[:FIRST],
        total=f"{len(rows):,}",
        cannot_tell=cannot_tell,
        data=Markup(_harmless(every)),
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
    )


def histogram(counts: Sequence[int], edges: Sequence[float], prefix: str) -> Markup:
    """Counts over values as bars on a logarithmic axis, as inline SVG; only numbers go into it.

    Args:
        counts: [bins] how many.
        edges: [bins + 1] where bins begin and end.
    """
    decades = max(1, ceil(log10(max(*counts, 1) + 1)))
    across, up = WIDE - LEFT - 8, HIGH - TOP - BOTTOM

    def height(count: float) -> float:
        return up * log10(count + 1) / decades

    base, step = HIGH - BOTTOM, across / len(counts)
    parts = [
        f'<rect class="bar" x="{LEFT + i * step:.1f}" y="{base - height(c):.1f}" '
        f'width="{max(0.5, step - 1):.1f}" height="{height(c):.1f}"></rect>'
        for i, c in enumerate(counts)
        if c
    ]
    for power in range(decades + 1):
        y = base - height(10**power if power else 0)
        said = f"{10**power:,}" if power else "0"
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDE - 8}" y1="{y:.1f}" y2="{y:.1f}"></line>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{said}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        value = edges[0] + share * (edges[-1] - edges[0])
        parts.append(
            f'<text x="{LEFT + share * across:.1f}" y="{base + 14}" text-anchor="{anchor}">'
            f"{words.number(value)}</text>"
        )
    parts.append(f'<text x="{LEFT + across / 2:.1f}" y="{HIGH - 4}" text-anchor="middle">activation</text>')
    parts.append(
        f'<text transform="translate(12 {TOP + up / 2:.1f}) rotate(-90)" text-anchor="middle">tokens</text>'
    )
    said = ", ".join(f"{c} from {words.number(e)}" for c, e in zip(counts, edges, strict=False) if c)
    return Markup(
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-labelledby="{prefix}-t {prefix}-d">'
        f'<title id="{prefix}-t">Activations by height</title><desc id="{prefix}-d">Counts: {said}.</desc>'
        f"{''.join(parts)}</svg>"
    )


def _harmless(value: object) -> str:
    """JSON that no browser can read as markup."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
