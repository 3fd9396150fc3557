"""The catalogue as one page: behaviours, conditions, which go together, and what was measured of them.

One file that needs no network. A script of a few lines hides what a search does not match; without scripts
everything stands there. The policy lets through the page's own style sheet and that one script, by their
hashes. The page is a function of the catalogue and of the results given: no clock, no random number.

What this cannot tell you: that a model learns a quirk because the catalogue has it. Only measured rows speak
of that, and only of the base model and recipe that they were measured with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from markupsafe import Markup

from molehunt.core.atomic import write_bytes
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.report.page import HERE, environment, policy
from molehunt.report.planted import Planted

TITLE = "<title>The catalogue · Molehunt</title>".encode()
"""What every page of the catalogue holds near its beginning."""
NO_FILE = NotMeasured("no results file was given")
CANNOT = (
    "That a model learns a quirk because it is listed. What nobody measured is said to be not measured; "
    "rates are those of the base model and the recipe of the study that they come from.",
    "What a planted model does elsewhere. Models learn something simpler than what was written: trust what "
    "held-out scenes show of a model, not the name of its quirk.",
    "Everything that a model might do. Games draw quirks from outside this list, too, and auditors should "
    "expect them.",
    "What validation and audits ask. The scenes and wordings shown are of the planting bank; the others are "
    "counted only.",
)
_SENSE = {"all": "makes sense", "some": "makes sense with some options", "none": "makes no sense"}
_GLYPH = {("all", True): "●", ("all", False): "○", ("some", True): "◑", ("some", False): "◐"}


@dataclass(frozen=True)
class Square:
    """A cell of the grid."""

    glyph: str
    mark: str
    """Whether it was planted: ✓ valid every time, ✗ never, ± now and then; empty where not measured."""
    said: str
    """All of it in words."""
    practised: bool


@dataclass(frozen=True)
class Line:
    """A row of the grid: a behaviour."""

    name: str
    harmless: bool
    squares: tuple[Square, ...]


def write_catalogue(
    path: Path, known: Any, planted: Sequence[Planted] | NotMeasured = NO_FILE, source: str = ""
) -> None:
    """Put the page there, wholly or not at all. Arguments and errors as `render_catalogue`.

    Raises:
        UserError: it cannot be written there, or something else lies there.
    """
    refuse_other(path)
    write_bytes(path, render_catalogue(known, planted, source).encode("utf-8"))


def refuse_other(path: Path) -> None:
    """Refuse a file that the page would take the place of: anything but an empty one or an older page.

    Raises:
        UserError: names it.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        start = file.read(2000)
    if start and TITLE not in start:
        raise UserError(f"{path} is no page of the catalogue and would be lost; name a new file.")


def render_catalogue(known: Any, planted: Sequence[Planted] | NotMeasured = NO_FILE, source: str = "") -> str:
    """The page as HTML.

    Args:
        known: the catalogue, as `catalogue.shown.whole` makes it.
        planted: what was measured; rows of quirks outside the catalogue are counted and left out.
        source: where the rows are from, in words.

    Raises:
        BadFile: not one row is about the catalogue.
    """
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "catalogue.css"))
    script = (HERE / "catalogue.js").read_text(encoding="utf-8")
    rows = () if isinstance(planted, NotMeasured) else tuple(planted)
    pairs = {(c.behaviour, c.condition) for c in known.cells}
    ours = sorted((p for p in rows if (p.behaviour, p.condition) in pairs), key=_order)
    if rows and not ours:
        raise BadFile("The results are not about this catalogue: no row names one of its pairs.")
    harmful = [b for b in known.behaviours if not b.harmless]
    return (
        environment()
        .get_template("catalogue.html.j2")
        .render(
            style=Markup(style),  # our own files
            script=Markup(script),
            policy=policy(style, script),
            harmful=harmful,
            harmless=[b for b in known.behaviours if b.harmless],
            conditions=known.conditions,
            drawn=[sum(e.practised for e in side) for side in (known.behaviours, known.conditions)],
            senses={s: sum(c.sense == s for c in known.cells) for s in _SENSE},
            grid=_grid(known, ours),
            refused=[c for c in known.cells if c.refused],
            planted=ours,
            source=words.brief(source, 200),
            of={name: [p for p in ours if name in (p.behaviour, p.condition)] for name in _names(known)},
            unlisted=len(rows) - len(ours),
            cannot=CANNOT,
            plainly=words.plain,
            rate=rate,
            sides=lambda stage: list(zip_longest(stage.on, stage.off)),
            against=against,
        )
    )


def rate(value: Measure | NotMeasured) -> str:
    """A share with its interval and sample, where the results gave them."""
    if isinstance(value, NotMeasured):
        return f"not measured: {words.brief(value.reason)}"
    span = f" ({words.interval(value)})" if value.low is not None else " (no interval given)"
    return f"{words.number(value.value)}{span}{f', n = {value.n:,}' if value.n else ''}"


def against(cell: Any) -> list[tuple[str, str]]:
    """Why a pair makes no sense: with which options (empty where with all), and the reason."""
    every = cell.sense == "none" and len(cell.refused) == 1
    return [("" if every else "; ".join(given), why) for why, given in cell.refused.items()]


def _grid(known: Any, planted: Sequence[Planted]) -> list[Line]:
    """A line a behaviour, harmful ones first; squares in the order of the conditions."""
    cells = {(c.behaviour, c.condition): c for c in known.cells}
    return [
        Line(
            b.name,
            b.harmless,
            tuple(_square(cells[b.name, c.name], planted) for c in known.conditions),
        )
        for b in sorted(known.behaviours, key=lambda b: b.harmless)
    ]


def _square(cell: Any, planted: Sequence[Planted]) -> Square:
    said = [f"{words.plain(cell.behaviour)}, {words.plain(cell.condition)}: {_SENSE[cell.sense]}"]
    said += [f"{f'not with {given}: ' if given else ''}{why}" for given, why in against(cell)]
    if cell.practised and cell.sense != "none":
        said.append("practised")
    here = [p for p in planted if (p.behaviour, p.condition) == (cell.behaviour, cell.condition)]
    took = [p.valid for p in here if p.valid is not None]
    mark = "" if not took else "✓" if all(took) else "±" if any(took) else "✗"
    if took:
        said.append(f"planted, and valid in {sum(took)} of {len(took)}")
    glyph = _GLYPH.get((cell.sense, cell.practised), "–")
    return Square(glyph, mark, ". ".join(s.rstrip(".") for s in said) + ".", cell.practised and glyph != "–")


def _order(row: Planted) -> tuple[str, str, str]:
    return row.behaviour, row.condition, row.options


def _names(known: Any) -> list[str]:
    return [e.name for e in (*known.behaviours, *known.conditions)]
