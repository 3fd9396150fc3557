"""Scores of every auditor beside chance and the naive baselines, a panel for each measure."""

from dataclasses import dataclass
from typing import Literal

from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.report.lineup import headline_auditor
from molehunt.report.reading import Numbers, Run, finite

Kind = Literal["headline", "method", "baseline"]
Table = tuple[str, Kind, Numbers]


@dataclass(frozen=True)
class Entry:
    """One auditor or baseline under one measure."""

    label: str
    kind: Kind
    measure: Measure | NotMeasured

    @property
    def drawable(self) -> bool:
        """Whether there is a finite number to draw."""
        return isinstance(self.measure, Measure) and finite(self.measure.value)


@dataclass(frozen=True)
class Standing:
    """One measure: everybody's number."""

    name: str
    title: str
    better: str
    unit: str
    entries: tuple[Entry, ...]
    known: bool
    """Whether it is one of the measures that the page draws; the rest stand in the table."""

    @property
    def drawable(self) -> tuple[Entry, ...]:
        """Entries with a finite number."""
        return tuple(e for e in self.entries if e.drawable)


def standings(run: Run) -> tuple[Standing, ...]:
    """The measures that answer the game's questions first, then all else; none before opening."""
    if isinstance(run.opened, NotMeasured):
        return ()
    lead = headline_auditor(run)
    tables: list[Table] = []
    for score in sorted(run.opened.scores, key=lambda s: s.auditor != lead):
        kind: Kind = "headline" if score.auditor == lead else "method"
        tables.append((score.auditor, kind, score.measures))
    for name, numbers in run.opened.baselines.items():
        tables.append((name, "baseline", numbers))
    repeated = {f"log_score_{name}" for name in run.opened.baselines} | {
        f"{m}_chance" for m in words.MEASURES
    }
    names = dict.fromkeys(name for _, _, numbers in tables for name in numbers if name not in repeated)
    order = {name: i for i, name in enumerate(words.MEASURES)}
    return tuple(_standing(n, tables) for n in sorted(names, key=lambda n: order.get(n, len(order))))


def _standing(name: str, tables: list[Table]) -> Standing:
    entries = [Entry(words.plain(who), kind, table[name]) for who, kind, table in tables if name in table]
    dealt = tables[0][2].get(f"{name}_chance") if tables else None
    if dealt is not None:
        entries.append(Entry("chance", "baseline", dealt))
    unit = next((e.measure.unit for e in entries if isinstance(e.measure, Measure)), "")
    return Standing(
        name, words.measure_name(name), words.better(name), unit, tuple(entries), name in words.MEASURES
    )
