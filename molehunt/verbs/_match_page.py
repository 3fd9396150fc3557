"""What `molehunt match` found, as rows for a terminal and as a page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.core.records import Measure, NotMeasured
from molehunt.game.match_result import Result
from molehunt.game.round import Round
from molehunt.game.trial import Charge
from molehunt.report import words

if TYPE_CHECKING:
    from rich.table import Table

    from molehunt.report.curves import Look
    from molehunt.report.sheet import Grid

CANNOT = (
    "Who would win with other policies, specs or remedies, or with more rounds.",
    "Whether what no longer shows was removed or hidden: molehunt depth MATCH/rounds/NN looks deeper.",
    "Which of two rounds was harder by what both sides did alone: quirks are drawn anew each round. For that "
    "reason the control “nothing” and the plain spec stand in the tables.",
    "Much from few suspects: one round's interval is wide, and that of all rounds takes each as a cluster.",
    "What a probability means after a fix, or of specs that practice never met: odds are those of practice.",
)
HEADS = (
    "round",
    "red changed",
    "blue's remedy",
    "organisms",
    "accused",
    "accused after",
    "showed",
    "shows after",
)
Measures = Mapping[str, Measure | NotMeasured]


def rows(found: Result) -> list[tuple[str, ...]]:
    """One row a round."""
    return [_row(one, m) for one, m in zip(found.rounds, found.by_round, strict=True)]


def _row(one: Round, m: Measures) -> tuple[str, ...]:
    head = (str(one.number + 1), words.brief(one.changed, 120))
    if one.lost:
        return *head, "—", "0", *("—",) * 3, f"nothing valid was planted: {words.brief(one.lost, 120)}"
    names = ("accused_before", "accused_after", "show_before", "show_after")
    cells = [_short(m[f"organisms_{n}"]) for n in names]
    shady = sum(s.shady for s in one.stood)
    remedy = words.plain(one.remedy) + (" (failed)" if one.failed else "")
    return *head, remedy, f"{shady} of {len(one.stood)}", *cells


def shown(found: Result, width: int | None = None) -> "list[Table]":
    """For a terminal: what both did, what came of it, and all rounds together; reasons stand on the page."""
    from molehunt.verbs._screen import table, tables

    made = rows(found)
    did = [
        (row[0], row[2], row[3], row[7] if one.lost else row[1])
        for one, row in zip(found.rounds, made, strict=True)
    ]
    came = [
        (row[0], *row[4:7], "—" if one.lost else row[7]) for one, row in zip(found.rounds, made, strict=True)
    ]
    return [
        table((HEADS[0], HEADS[2], HEADS[3], HEADS[1]), did),
        *tables((HEADS[0], *HEADS[4:]), came, width),
        *tables(
            ("over all rounds", "before the fix", "after it"), overall(found, measured), width, narrow=22
        ),
    ]


def overall(
    found: Result, said: Callable[[Measure | NotMeasured], str] = words.said
) -> list[tuple[str, str, str]]:
    """Over all rounds: organisms and decoys, before and after."""
    lines = []
    for what, name in (("accused", "accused"), ("what was planted shows", "show")):
        for who in ("organisms", "decoys"):
            cells = [said(found.measures[f"{who}_{name}_{when}"]) for when in ("before", "after")]
            lines.append((f"{who}: {what}", *cells))
    return lines


def write_match_page(path: Path, found: Result) -> None:
    """The history as two drawings, then the tables and the bill."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    played = [r for r in found.rounds if not r.lost]
    suspects = tuple(cells for r in played for cells in _suspects(r))
    remedies = tuple(_remedy(name, m, found) for name, m in found.by_remedy.items())
    sections = (
        Section(
            "Round by round",
            "Organisms before and after the fix, decoys after it; 95% intervals where there are several. "
            "Red is told what verdicts said and nothing of the fix, blue what its own audits said, no truth.",
            drawings=_drawings(found),
            tables=(Grid(HEADS, tuple(rows(found)), words=True),),
        ),
        Section(
            "All rounds together",
            "Intervals take a round as one case. What “nothing” and the plain spec reach is what either side "
            "has to beat, and decoys are what accusations are held against.",
            tables=(
                Grid(("what", "before the fix", "after it"), tuple(overall(found)), words=True),
                Grid(
                    ("remedy", "rounds", "accused after", "show after", "text costs"),
                    remedies,
                    True,
                ),
            ),
        ),
        Section(
            "Suspects",
            "Everybody, as the opened envelopes have it.",
            tables=(
                Grid(("round", "suspect", "planted", "p", "p after", "showed", "shows"), suspects, True),
            ),
        ),
        Section(
            "The bill",
            f"By the desk's books and the clock. {found.ended[:1].upper()}{found.ended[1:]}.",
            drawings=(_spent(found),) if found.rounds else (),
            tables=(_bill(found),),
        ),
    )
    facts = (
        ("model", words.brief(found.model, 120)),
        ("red's policy", words.plain(found.red)),
        ("blue's policy", words.plain(found.blue)),
        ("remedies", ", ".join(words.plain(n) for n in found.remedies)),
        ("audited by", ", ".join(words.plain(n) for n in found.methods)),
        ("seed", str(found.seed)),
    )
    lost = len(found.rounds) - len(played)
    summary = f"Red against blue over {len(found.rounds)} rounds, each a sealed game" + (
        f"; in {lost} red could plant nothing valid." if lost else "."
    )
    write_sheet(path, Sheet("Match", summary, facts, sections, CANNOT))


def _suspects(one: Round) -> list[tuple[str, ...]]:
    return [
        (
            str(one.number + 1),
            words.brief(s.suspect, 60),
            words.brief(s.planted, 120) if s.shady else f"decoy ({words.brief(s.planted, 120)})",
            *("—" if p is None else words.percent(p) for p in (s.first, s.second)),
            _short(s.showed),
            _short(s.shows),
        )
        for s in one.stood
    ]


def _remedy(name: str, m: Measures, found: Result) -> tuple[str, ...]:
    count = sum(r.remedy == name for r in found.rounds)
    cells = [words.said(m[n]) for n in ("organisms_accused_after", "organisms_show_after", "nll_ratio")]
    return words.plain(name), str(count), *cells


def _drawings(found: Result) -> tuple[Markup, ...]:
    from molehunt.report.curves import Line, Point, curves

    made = []
    lines: tuple[tuple[str, str, Look], ...] = (
        ("organisms before", "organisms_{}_before", "second"),
        ("organisms after", "organisms_{}_after", "first"),
        ("decoys after", "decoys_{}_after", "third"),
    )
    for name, up, prefix in (
        ("show", "share of replies that show it", "shows"),
        ("accused", "share accused", "accused"),
    ):
        drawn = []
        for label, key, look in lines:
            found_here = [(i, m.get(key.format(name))) for i, m in enumerate(found.by_round, 1)]
            points = tuple(
                Point(float(i), v.value, v.low, v.high) for i, v in found_here if isinstance(v, Measure)
            )
            drawn.append(Line(label, points, look))
        some = [line for line in drawn if line.points]
        if some:
            title = "What shows" if name == "show" else "Who is accused"
            whose = f", {some[0].name}" if len(some) == 1 else ""  # one line alone has no legend
            made.append(curves(some, "round", up + whose, prefix, title, shares=True))
    return tuple(made)


def _spent(found: Result) -> Markup:
    """What each side had spent after each round: a share of its allowance, or else of the whole."""
    from molehunt.report.curves import Line, Look, Point, curves

    looks: tuple[tuple[str, str, str, Look, float | None], ...] = (
        ("red, plantings", "red", "plantings", "second", float(found.red_allowance.plantings)),
        ("blue, queries", "blue", "queries", "first", _float(found.blue_allowance.queries)),
        ("blue, seconds", "blue", "seconds", "third", found.blue_allowance.seconds),
    )
    lines = []
    for label, side, unit, look, limit in looks:
        row = [float(getattr(getattr(r, side), unit)) for r in found.rounds]
        whole = limit or sum(row) or 1.0
        points = tuple(Point(float(i), sum(row[:i]) / whole) for i in range(1, len(row) + 1))
        lines.append(Line(label, points, look))
    up = "share of allowance, or of all spent"
    return curves(lines, "round", up, "spent", "What it cost")


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _bill(found: Result) -> "Grid":
    from molehunt.report.sheet import Grid

    heads = ("side", "plantings", "planting seconds", "queries", "tokens", "seconds of audits and fixes")

    def row(name: str, c: Charge) -> tuple[str, ...]:
        own = " (part by their own account)" if c.self_reported else ""
        return (
            name, f"{c.plantings:,}", words.number(c.planting_seconds), f"{c.queries:,}", f"{c.tokens:,}",
            words.number(c.seconds) + own,
        )  # fmt: skip

    def limits(name: str, a: tuple[float | None, ...]) -> tuple[str, ...]:
        cells = ["no limit" if v is None else words.number(v) for v in a]
        return name, *cells

    red, blue = found.red_allowance, found.blue_allowance
    return Grid(
        heads,
        (
            row("red", found.spent_red),
            (*limits("red's allowance", (float(red.plantings), red.seconds)), "—", "—", "—"),
            row("blue", found.spent_blue),
            ("blue's allowance", "—", "—", *limits("", (_float(blue.queries), None, blue.seconds))[1:]),
        ),
        words=True,
    )


def measured(value: Measure | NotMeasured) -> str:
    """For a narrow cell, with its number of cases."""
    return "not measured" if isinstance(value, NotMeasured) else f"{_short(value)}, n = {value.n}"


def _short(value: Measure | NotMeasured) -> str:
    if isinstance(value, NotMeasured):
        return "—"
    span = "" if value.low is None or value.high is None else f" [{words.interval(value)}]"
    return words.number(value.value) + span
