"""What is left to do, a job at a time, and what it would cost."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import elsewhere
import scanning
import searching
from cells import Cell, cells
from planting import folder_of, is_of, row_file
from study import Study, asked, rows_of, told, traced
from tracing import plant_and_trace, trace_file

from molehunt.core.errors import MolehuntError
from molehunt.game.published_rows import of_one_machine
from molehunt.models.machine import in_words
from molehunt.organisms.plan import Plan


@dataclass(frozen=True)
class Job:
    """Something that a planter does, kept once it is whole; it says `failed` and why where it raised."""

    name: str
    label: str
    does: Callable[..., Mapping[str, Any]]
    args: tuple[Any, ...]


def left(study: Study) -> list[Job]:
    """Jobs that are not whole yet, in the order in which planters do them."""
    how, looked_at, rows = study.setting, traced(study), rows_of(study)
    known = told(rows, study.steps)
    jobs = [
        Job(c.name, c.quirk.label(), plant_and_trace, (c, how, c.name in looked_at))
        for c in _likeliest_first(asked(study), rows)
        if (not row_file(study.work, c).exists() and c.name not in known)
        or (c.name in looked_at and not trace_file(study.work, c).exists() and _has_adapters(study, c, rows))
    ]
    jobs += [
        Job(f"{one.word}-{c.name}", f"{one.word} of {c.quirk.label()}", elsewhere.ask, (one, c, how))
        for one in elsewhere.INQUIRIES
        if one.part in study.parts
        for c in one.cells[: study.cells]
        if not elsewhere.file_of(study.work, one, c).exists()
        and _comes(study, c, one.ready)
        and _has_adapters(study, c, rows)
    ]
    jobs += [
        Job(s.name, f"difficulty of {s.quirk.label()}", scanning.do_scan, (s, how, study.seeds))
        for s in scans_left(study)
    ]
    return jobs


def _has_adapters(study: Study, cell: Cell, rows: Mapping[str, Any]) -> bool:
    """Whether a cell's pair lies here, or will: of rows that were published, adapters stayed elsewhere."""
    return cell.name not in rows or is_of(folder_of(study.work, cell), rows[cell.name])


def search_left(study: Study) -> list[Job]:
    """The search of `worse`, where it is asked for and not whole: by itself, for it takes all cores."""
    if "worse" not in study.parts or searching.whole(study.setting, study.budget):
        return []
    return [Job("worse", "worse", searching.search, (study.setting, study.budget))]


def _likeliest_first(todo: Sequence[Cell], rows: Mapping[str, Mapping[str, Any]]) -> list[Cell]:
    """In the study's order, but cells of `valid` come last of behaviours that did not take in one of them.

    They cannot count among those that are valid under all their conditions any more. How it took concealed or
    mixed says nothing of that. The grid keeps its order.
    """
    movable = {c.name for c in cells("valid")}
    plain = [rows[name] for name in movable if name in rows]
    lost = {r["behaviour"] for r in plain if not r["valid"]}
    return sorted(todo, key=lambda c: c.quirk.behaviour in lost and c.name in movable)


def _took(row: Mapping[str, Any]) -> bool:
    return bool(row["valid"])


def _comes(study: Study, cell: Cell, ready: Callable[[Mapping[str, Any]], bool] = _took) -> bool:
    """Whether a cell is ready, or is in this sitting: who needs it looks again."""
    rows = rows_of(study)
    to_come = {c.name for c in asked(study)} - rows.keys()
    return cell.name in to_come or (cell.name in rows and ready(rows[cell.name]))


def scans_left(study: Study) -> list[scanning.Scan]:
    """Scans that are not whole, of quirks whose cell took, or is in this sitting: a scan looks again."""
    if "difficulty" not in study.parts:
        return []
    rows = rows_of(study)
    return [
        s
        for s in scanning.scans()[: study.cells]
        if _comes(study, s.cell) and not scanning.whole(s, study.setting, study.seeds, rows)
    ]


def cost(study: Study) -> str:
    """What is left to do: cells by the pace of those that are in, scans and the search as they reckon it."""
    from molehunt.organisms.learnable import steps_for

    jobs = left(study)
    todo = [j.args[0] for j in jobs if j.does is plant_and_trace]
    steps = sum(steps_for(c.quirk, study.steps) for c in todo if not row_file(study.work, c).exists())
    timed, machine = of_one_machine(list(rows_of(study).values()), in_words())
    paces = [row["cell_seconds"] / steps_of(row) for row in timed]
    said = f"{len(todo)} of {len(asked(study))} cells are left, {steps} steps at their first tries"
    if paces:
        hours = statistics.fmean(paces) * steps / study.workers / 3600
        said += (
            f"; about {hours:.1f} hours at the mean pace of {len(paces)} cells that are in{machine}, "
            "retries and traces aside."
        )
    else:
        said += "; what they would cost is not measured, for no cell is in."
    return "\n".join([said, *_scans_cost(study), *_search_cost(study)])


def steps_of(row: Mapping[str, Any]) -> float:
    """Steps of all tries of a row's organism, which holds those of the last."""
    return sum(row["steps"] / Plan.growth**before for before in range(row["tries"]))


def _scans_cost(study: Study) -> list[str]:
    """Scans at the pace of their own cells, or the mean pace: seconds of all that a pair took, a step."""
    from molehunt.game.difficulty import cost as reckon

    todo, rows = scans_left(study), rows_of(study)
    if not todo:
        return []
    each = [reckon(scanning.task_of(s, rows, study.steps, study.seeds), study.model) for s in todo]
    trials = sum(c.trials for c in each), sum(c.trials_most for c in each)
    said = f"{len(todo)} scans of difficulty are left at most, {trials[0]} to {trials[1]} trials; "
    timed, _ = of_one_machine(list(rows.values()), in_words())
    paces = {row["cell"]: row["cell_seconds"] / steps_of(row) for row in timed}
    if not paces:
        said += "what they would cost is not known, for no cell is in"
    else:
        own = [paces.get(s.cell.name, statistics.fmean(paces.values())) for s in todo]
        low = sum(p * c.steps / 2 for p, c in zip(own, each, strict=True)) / study.workers / 3600
        high = sum(p * c.steps_most / 2 for p, c in zip(own, each, strict=True)) / study.workers / 3600
        said += f"about {low:.1f} to {high:.1f} hours at the pace of their own cells, or of all that are in"
    return [f"{said}. Quirks that don't take, or whose cell is not in yet, are not scanned."]


def _search_cost(study: Study) -> list[str]:
    from molehunt.core.records import NotMeasured
    from molehunt.game.worse_cost import cost as reckon

    if not search_left(study):
        return []
    try:
        found = reckon(searching.task_of(study.setting, study.budget))
    except MolehuntError as error:
        return [f"The search of `worse` cannot begin: {error}"]
    said = f"A search of {found.plantings} plantings and {found.plantings_fresh} anew is left"
    if isinstance(found.seconds, NotMeasured) or isinstance(found.seconds_most, NotMeasured):
        return [f"{said}; what it would cost is not known."]
    return [
        f"{said}; about {found.seconds / 3600:.1f} to {found.seconds_most / 3600:.1f} hours on all cores."
    ]
