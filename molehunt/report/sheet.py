"""What an instrument found, as one page: a few facts, then sections of words, drawings, tables and texts.

The same rules as for a run's page: no script, no network, a policy that lets through nothing but the
page's own style sheet, and every string escaped after it was made visible; drawings alone are markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from molehunt.core.atomic import write_bytes
from molehunt.report.page import HERE, environment, policy
from molehunt.report.passage import Passage

BRIEF = 4
"""Characters of a first cell that is a number or a mark."""


@dataclass(frozen=True)
class Grid:
    """A table; the first column names the row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False
    """Whether cells hold words, which wrap, and not numbers, which stand in columns."""
    links: tuple[str, ...] = ()
    """Where the first cell of each row leads, from the page's own folder; empty for nowhere."""

    @property
    def brief(self) -> bool:
        """Whether the first column needs no room kept for it: numbers, and no names."""
        return max((len(row[0]) for row in self.rows), default=0) <= BRIEF


@dataclass(frozen=True)
class Speech:
    """Texts beside each other: what was asked, then each with its name."""

    asked: Passage
    told: tuple[tuple[str, Passage], ...]


@dataclass(frozen=True)
class Section:
    """A heading, what should be known before reading on, and what is shown."""

    heading: str
    lede: str
    drawings: tuple[Markup, ...] = ()
    tables: tuple[Grid, ...] = ()
    speeches: tuple[Speech, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A whole page."""

    title: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    cannot_tell: Sequence[str]


def render_sheet(sheet: Sheet) -> str:
    """The page as HTML."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    template = environment().get_template("sheet.html.j2")
    return template.render(policy=policy(style), style=Markup(style), sheet=sheet)  # style: our own file


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Put the page there, wholly or not at all.

    Raises:
        UserError: it cannot be written there.
    """
    write_bytes(path, render_sheet(sheet).encode("utf-8"))
