"""What `molehunt difficulty` found, as rows for a terminal and as pages: one quirk, or a whole library."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure, NotMeasured
from molehunt.organisms.least import (
    FACTORS,
    NEVER,
    POISONED,
    UNITS,
    Difficulty,
    Scan,
    Trial,
    between,
    bracket,
)
from molehunt.report import words

CANNOT = (
    "How hard the quirk is for another model, recipe or learning rate: one model and one plan were tried.",
    "What happens where two factors change together: the others stay as in planting.",
    "A least below which the quirk takes again: the search believes that more is not worse, and tries one "
    "value above the least. Where that failed, it is said.",
    "How many steps are needed for given examples: every step deals new rows, so a scan of steps is one of "
    "distinct rows as well.",
    "Values between those of the grid, or how nearly a trial failed: see the curve.",
)
HEADS = ("factor", "least that took (95%)", "by seed", "where more was worse")
SEED_HEADS = ("seed", "least that took", "last that failed", "the next value above")
TRIAL_HEADS = (
    "seed",
    "value",
    "distinct rows",
    "valid",
    "selectivity",
    "trigger rate",
    "leak rate",
    "seconds",
)
LIBRARY_HEADS = ("factor", "quirk", "model", "plan", "least that took (95%)", "middle seed")
LOOKS = ("first", "second", "third")


def rows(found: Difficulty) -> list[tuple[str, ...]]:
    """One row a factor."""
    return [
        (
            scan.factor,
            words.said(scan.difficulty),
            ", ".join(_least(one) for one in scan.leasts),
            _seeds(scan) or "nowhere seen",
        )
        for scan in found.scans
    ]


def library_rows(found: Sequence[Difficulty]) -> list[tuple[str, ...]]:
    """One row a factor and quirk; within a factor the hardest first, by the middle seed."""
    return [
        (
            scan.factor,
            words.quirk(one.quirk),
            one.model,
            planned(one),
            words.said(scan.difficulty),
            _middle(scan),
        )
        for factor in FACTORS
        for one, scan in ranked(found, factor)
    ]


def ranked(found: Sequence[Difficulty], factor: str) -> list[tuple[Difficulty, Scan]]:
    """The scans of one factor, hardest first: by the value that the middle seed needed, then by the mean."""
    scans = [(one, scan) for one in found for scan in one.scans if scan.factor == factor]

    def key(pair: tuple[Difficulty, Scan]) -> tuple[float, float, str]:
        mean = pair[1].difficulty
        return (
            -between(pair[1])[1],
            -mean.value if isinstance(mean, Measure) else -math.inf,
            words.quirk(pair[0].quirk),
        )

    return sorted(scans, key=key)


def write_difficulty_page(path: Path, found: Difficulty) -> None:
    """A curve a factor, what each seed needed, every trial."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    sections = []
    for scan in found.scans:
        seeds = tuple(
            (str(one.seed), _least(one), "—" if one.failed is None else f"{one.failed:g}", _above(one))
            for one in scan.leasts
        )
        trials = tuple(_trial_row(scan, one) for one in scan.trials)
        sections.append(
            Section(
                UNITS[scan.factor].capitalize(),
                f"Least that took: {words.said(scan.difficulty)}. {_way(scan)}{_broken(scan)}"
                f"{_means(scan.factor)}",
                drawings=(_curve(scan),),
                tables=(Grid(SEED_HEADS, seeds), Grid(TRIAL_HEADS, trials, words=True)),
            )
        )
    facts = (
        ("model", found.model),
        ("steps where not scanned", str(found.steps)),
        ("rank where not scanned", str(found.rank)),
        ("plan", planned(found)),
        ("decoys", words.quirk(found.harmless) if found.harmless else "nothing planted"),
    )
    summary = f"How hard it is to make {words.quirk(found.quirk)}: the least that makes a valid organism."
    write_sheet(path, Sheet("Difficulty", summary, facts, tuple(sections), CANNOT))


def write_library_page(path: Path, found: Sequence[Difficulty]) -> None:
    """All quirks under each factor, hardest first."""
    from molehunt.report.needs import Need, needs
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    sections = []
    for factor in FACTORS:
        scans = ranked(found, factor)
        if not scans:
            continue
        marks = [
            Need(
                f"{i}. {words.plain(one.quirk.behaviour)}, {words.plain(one.quirk.condition)}",
                tuple(bracket(scan, least) for least in scan.leasts),
            )
            for i, (one, scan) in enumerate(scans, 1)
        ]
        grid = [v for _, scan in scans for v in scan.values]
        drawn = (needs(marks, grid, UNITS[factor], factor, f"Least {factor}, by quirk and seed"),)
        mine = [row[1:] for row in library_rows(found) if row[0] == factor]
        lines = tuple((str(i), *row) for i, row in enumerate(mine, 1))
        sections.append(
            Section(
                UNITS[factor].capitalize(),
                "Hardest first, by what the middle seed needed. A dot is the least that took of a seed, with "
                "a line from the last that failed; an arrow points to what lies beyond what was tried, "
                f"and a cross says that it never took. {_means(factor)}",
                drawings=drawn,
                tables=(Grid(("place", *LIBRARY_HEADS[1:]), lines, words=True),),
            )
        )
    facts = (("quirks", str(len(found))), ("models", ", ".join(sorted({one.model for one in found}))))
    summary = "How hard each quirk is to make: the least of one factor that makes a valid organism."
    write_sheet(path, Sheet("Difficulty of a library", summary, facts, tuple(sections), CANNOT))


def planned(found: Difficulty) -> str:
    """What the plan has otherwise than planting's default."""
    said = "; ".join(f"{name} {value}" for name, value in found.changes.items())
    return words.brief(said, 300) if said else "planting's default"


def _trial_row(scan: Scan, one: Trial) -> tuple[str, ...]:
    measures = (one.selectivity, one.trigger, one.leak)
    said = "yes" if one.valid else f"no: {words.brief(one.why_not, 120)}"
    value = f"{one.at(scan.factor):g}"
    dealt = "not kept" if one.rows is None else str(one.rows)
    return str(one.seed), value, dealt, said, *(_short(m) for m in measures), words.number(one.seconds)


def _curve(scan: Scan) -> Any:
    """Selectivity against value; a value of 0 can't stand on a logarithmic axis and is left to the table."""
    from molehunt.organisms.profile import SELECTIVITY
    from molehunt.report.curves import Line, Point, curves

    marks = [v for v in scan.values if v > 0]
    lines = [Line("", tuple(Point(v, SELECTIVITY) for v in (marks[0], marks[-1])), "chance")]
    for i, seed in enumerate(sorted({one.seed for one in scan.trials})):
        mine = [one for one in scan.trials if one.seed == seed and one.at(scan.factor) > 0]
        points = tuple(
            Point(one.at(scan.factor), m.value, m.low, m.high)
            for one in mine
            for m in (one.selectivity,)
            if isinstance(m, Measure)
        )
        lines.append(Line(f"seed {seed}", points, LOOKS[i % len(LOOKS)]))
    return curves(lines, UNITS[scan.factor], "selectivity", scan.factor, f"Over {scan.factor}", marks)


def _way(scan: Scan) -> str:
    return f"Grid: {', '.join(f'{v:g}' for v in scan.values)}. Dashed: what validity asks for. "


def _broken(scan: Scan) -> str:
    if not scan.broken:
        return ""
    return f"More was worse on {_seeds(scan)}: the least is no threshold there. "


def _means(factor: str) -> str:
    """What a factor whose name does not say it is."""
    return POISONED if factor == "poisoned" else ""


def _seeds(scan: Scan) -> str:
    return ", ".join(f"seed {seed}" for seed in scan.broken)


def _least(one: Any) -> str:
    if not isinstance(one.value, NotMeasured):
        return f"{one.value:g}"
    return one.value.reason


def _above(one: Any) -> str:
    return {None: "none", True: "took as well", False: "did not take"}[one.next_took]


def _middle(scan: Scan) -> str:
    low, high = between(scan)
    if math.isinf(low):
        return NEVER
    if math.isinf(high):
        return f"above {low:g}"
    return f"{high:g} or less" if low == 0 else f"above {low:g}, {high:g} is enough"


def _short(value: Measure | NotMeasured) -> str:
    return "not measured" if isinstance(value, NotMeasured) else words.said(value)
