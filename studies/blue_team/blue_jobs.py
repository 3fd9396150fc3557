"""What is left to do, a job at a time, part by part, and what it would cost."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import kindness
import weighing
from beside_base import hold
from blue_cells import CORE, NOTHING, Cell, fixes, hidden, seeds
from blue_study import Part, Setting, Study, setting_of
from fathoming import adapters, asked, fathom
from marks import best
from published import ASKED
from samples import Sample

from molehunt.core.atomic import read_json, write_json
from molehunt.core.records import NotMeasured
from molehunt.game.depth_task import cost as reckon
from molehunt.game.depth_task import task_of
from molehunt.game.published_rows import of_one_machine
from molehunt.game.side_by_side import failed_in
from molehunt.models.machine import in_words

Rows = Mapping[str, Mapping[str, Any]]
COMPARED: tuple[Part, ...] = ("moral", "kind")
"""Parts whose rows set one model beside the others. They need no pair."""


@dataclass(frozen=True)
class Job:
    """Something that a worker does, kept once it is whole; it says `failed` and why where it raised."""

    name: str
    does: Callable[..., Mapping[str, Any]]
    args: tuple[Any, ...]


def needs_pairs(study: Study) -> bool:
    """Whether any part that was asked for is about planted pairs, or pairs were named."""
    return bool(study.pairs) or not set(study.parts) <= set(COMPARED)


def cells_of(study: Study, samples: Sequence[Sample], part: Part, rows: Rows) -> list[Cell]:
    """Cells of a part that measures depth; of `seeds` none before it is known which remedies are best."""
    crossed = samples[: study.organisms]
    if part == "fixes":
        found = fixes(crossed, study.remedies)
    elif part == "hidden":
        found = hidden(samples, study.a_side)
    elif part == "seeds":
        found = seeds(crossed, study.best or best(fixes(crossed, study.remedies), rows), study.more)
    else:
        found = []
    return found[: study.cells]


def jobs(study: Study, samples: Sequence[Sample], part: Part, rows: Rows) -> list[Job]:
    """Every job of a part, in the order in which they are done."""
    how = setting_of(study)
    if part == "moral":
        asks = (how, study.moralchoice, study.dilemmas, study.stories)
        return [Job(weighing.row_name(n, *asks), weighing.weigh, (n, *asks)) for n in weighing.EVERY]
    if part == "kind":
        asks = (how, study.limit, study.conduct)
        return [Job(kindness.row_name(n, *asks), kindness.compare, (n, *asks)) for n in kindness.RIVALS]
    if part == "plain":
        ways = [r for r in study.remedies[:CORE] if r != NOTHING]
        held = [Cell(s, r) for r in ways for s in samples[: study.plain]]
        # Of a row that was published, the fixed models stayed elsewhere.
        there = [c for c in held if "fate" in rows.get(c.name, {}) and _fixed(c, how, rows)]
        return [Job(f"plain-{c.name}", hold, (c, how)) for c in there[: study.cells]]
    return [Job(c.name, fathom, (c, how)) for c in cells_of(study, samples, part, rows)]


def _fixed(cell: Cell, how: Setting, rows: Rows) -> bool:
    """Whether the fixed control lies here, or was held already."""
    control = adapters(cell.sample, how.home(cell), cell.way)["control"]
    return f"plain-{cell.name}" in rows or control.exists()


def planted_elsewhere(samples: Sequence[Sample], rows: Rows) -> int:
    """How many rows are of an organism that was planted from the same seed elsewhere, or in other code."""
    here = {s.name: s.organism for s in samples}
    known = [r for r in rows.values() if r.get("organism") and r.get("pair") in here]
    return sum(r["organism"] != here[r["pair"]] for r in known)


def rows_of(work: Path) -> dict[str, Any]:
    """Every whole row by name, whatever was asked for."""
    return {p.stem: read_json(p) for p in sorted((work / "rows").glob("*.json"))}


def note_asked(study: Study) -> None:
    """Keep what this sitting asks of models that are compared: a later one that asks none goes by it."""
    names = {p: [j.name for j in jobs(study, (), p, {})] for p in COMPARED if p in study.parts}
    # Until one of these is in, the tables keep what was asked before.
    there = rows_of(study.work).keys() | failed_in(study.work).keys()
    now = {p: some for p, some in names.items() if there & set(some) or p not in compared(study.work)}
    if now:
        write_json(study.work / ASKED, {**compared(study.work), **now})


def told_of(work: Path) -> dict[str, Any]:
    """Whole rows by name; of `moral` and `kind` those alone that were asked for last.

    Rows of a pilot, and of words or dilemmas that are others now, stay on disk and are not told.
    """
    return {n: r for n, r in rows_of(work).items() if is_told(work, n)}


def is_told(work: Path, name: str) -> bool:
    """Whether a row, or what kept it from being one, belongs into the tables."""
    others = tuple(f"{part}-" for part in COMPARED)
    return not name.startswith(others) or any(name in names for names in compared(work).values())


def compared(work: Path) -> dict[str, list[str]]:
    """Names of the rows that were asked for last of models that are compared, by part."""
    path = work / ASKED
    return read_json(path) if path.exists() else {}


def cost(study: Study, samples: Sequence[Sample]) -> str:
    """What is left to do: cells by the pace of those that are in, else as `molehunt depth` reckons them."""
    rows, how, lines = rows_of(study.work), setting_of(study), []
    for part in study.parts:
        every = cells_of(study, samples, part, rows)
        if not every:
            lines.append(f"{part}: {_others(study, samples, part, rows)}")
            continue
        todo = [c for c in every if c.name not in rows]
        done, machine = _paces(rows, [c.name for c in every])
        said = f"{part}: {len(todo)} of {len(every)} cells are left"
        if done:
            hours = statistics.fmean(done) * len(todo) / study.workers / 3600
            said += f"; about {hours:.1f} hours at the mean pace of {len(done)} cells that are in{machine}"
        elif todo:
            said += f"; {_reckoned(todo, how)}"
        lines.append(f"{said}.")
    return "\n".join(lines)


def _others(study: Study, samples: Sequence[Sample], part: Part, rows: Rows) -> str:
    if part == "seeds":
        return "it waits until `fixes` is whole, and says then which remedies are best."
    if part == "plain":
        return "it goes by the cells of `fixes`, and takes those that are in."
    names = [j.name for j in jobs(study, samples, part, rows)]
    left = sum(n not in rows for n in names)
    said = f"{left} of {len(names)} jobs are left"
    done, machine = _paces(rows, names)
    if not left:
        return f"{said}."
    if not done:
        return f"{said}; what they would cost is not known, for none is in."
    hours = statistics.fmean(done) * left / study.workers / 3600
    return f"{said}; about {hours:.1f} hours at the mean pace of {len(done)} that are in{machine}."


def _paces(rows: Rows, names: Sequence[str]) -> tuple[list[float], str]:
    """Seconds of those that are in, by one machine, and its name: this one's where it did any."""
    timed = [rows[n] for n in names if rows.get(n, {}).get("cell_seconds")]
    mine, machine = of_one_machine(timed, in_words())
    return [float(r["cell_seconds"]) for r in mine], machine


def _reckoned(cells: Sequence[Cell], how: Setting) -> str:
    """By counting, of a cell one after the other on all cores; relearning in half of planting's steps."""
    found = [reckon(task_of(replace(asked(c, how), shelf=None))).minutes_usual for c in cells]
    known = [m for m in found if not isinstance(m, NotMeasured)]
    if len(known) < len(found):
        return "what they would cost is not known"
    each = f"{sum(known) / len(known):.0f} minutes a cell"
    return f"about {sum(known) / 60:.1f} hours, {each}, one after the other, each pair read anew"
