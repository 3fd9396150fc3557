"""Every behaviour of the catalogue, planted: which take, and does a second opinion see them too?

    python studies/red_team/run.py [--parts doubted valid] [--cells 10] [--work DIR] [--dry-run]

Cells are fixed in advance (`cells.py`), planted two at a time with one thread each, what tells most first,
and kept one by one, adapters too (some 20 MB a cell of the default model; `--forget` deletes them): stop it
whenever you like, the same command goes on. `results.json` and the tables in `README.md` beside this file are
made anew after every cell. A cell that raised is counted, and tried again in the next sitting.
"""

import contextlib
import datetime
import hashlib
import multiprocessing
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import PARTS, Cell, Part, cells
from measures import causes, measures
from planting import begin, plant_cell, row_file
from table import into_page, table

from molehunt.core.atomic import canonical, read_json, sweep, write_json
from molehunt.core.errors import RunMismatch
from molehunt.core.record_json import to_json
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Study:
    """What is planted, and where it lies."""

    parts: tuple[Part, ...] = PARTS
    """valid: every behaviour under three conditions. doubted: what scouting gave up. grid: sixty drawn pairs.
    seeds: eight cells from two seeds. replay: two cells twice from one seed."""
    cells: int | None = None
    """At most so many cells of each part, from its beginning; none for all."""
    work: Path = Path("runs/studies/red_team")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    """Base model."""
    steps: int = GameSpec.steps
    """Steps that planting starts from; conditions and behaviours multiply them."""
    workers: int = 2
    """Processes, one thread each."""
    forget: bool = False
    """Delete the adapters of whole cells; other studies read them."""
    dry_run: bool = False
    """Say what is left to do and what it would cost, and do nothing."""


def main() -> None:
    """Plant what is missing; write the tables after each cell."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    if study.dry_run:
        print(cost(study))
        return
    prepare(study)
    write(study, {})
    failed: dict[str, str] = {}
    todo = left(study)
    with watching() as watch, _pool(study.workers) as pool:
        how = study.work, study.model, study.steps, study.forget
        futures = {pool.submit(plant_cell, c, *how): c for c in todo}
        watch.bar("cells", 0.0 if todo else 1.0, f"0 of {len(todo)}")
        for done, future in enumerate(as_completed(futures), 1):
            row, cell = future.result(), futures[future]
            if "failed" in row:
                failed[cell.name] = row["failed"]
                watch.say(f"{cell.name}: {row['failed']}")
            watch.bar("cells", done / len(todo), f"{done} of {len(todo)}: {cell.quirk.label()}")
            write(study, failed)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Planters; when the block is left early, by an interrupt say, they end at once."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=begin)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def asked(study: Study) -> tuple[Cell, ...]:
    """Every cell of the parts that were asked for, each once, in the order of the study."""
    chosen = (c for part in PARTS if part in study.parts for c in cells(part)[: study.cells])
    return tuple({c.name: c for c in chosen}.values())


def left(study: Study) -> list[Cell]:
    """Cells that are not whole yet."""
    return [c for c in asked(study) if not row_file(study.work, c).exists()]


def prepare(study: Study) -> None:
    """Make the working folder, or check that it is of the same model and steps.

    Raises:
        RunMismatch: it holds cells of another model or of other steps.
    """
    study.work.mkdir(parents=True, exist_ok=True)
    spec, path = {"model": study.model, "steps": study.steps}, study.work / "study.json"
    if path.exists() and read_json(path) != spec:
        raise RunMismatch(
            f"{study.work} holds cells of {read_json(path)}, not of {spec}; choose another --work."
        )
    write_json(path, spec)
    sweep(study.work)


def cost(study: Study) -> str:
    """What is left to do, in cells and first-try steps, and hours by the pace of the cells that are in."""
    from molehunt.organisms.learnable import steps_for

    todo = left(study)
    steps = sum(steps_for(c.quirk, study.steps) for c in todo)
    paces = [row["cell_seconds"] / row["steps"] for row in rows_of(study).values()]
    said = f"{len(todo)} of {len(asked(study))} cells are left, {steps} steps at their first tries"
    if not paces:
        return f"{said}; what they would cost is not measured, for no cell is in."
    hours = statistics.fmean(paces) * steps / study.workers / 3600
    return (
        f"{said}; about {hours:.1f} hours at the mean pace of {len(paces)} cells that are in, retries aside."
    )


def rows_of(study: Study) -> dict[str, Any]:
    """Every whole row by its cell's name, whatever parts were asked for."""
    every = {c.name: c for part in PARTS for c in cells(part)}.values()
    files = {c.name: row_file(study.work, c) for c in every}
    return {name: read_json(path) for name, path in files.items() if path.exists()}


def write(study: Study, failed: dict[str, str]) -> None:
    """Write `results.json` and the tables in `README.md` from the rows that are in."""
    rows = rows_of(study)
    every: Sequence[Cell] = asked(study)
    result = {
        "date": datetime.date.today().isoformat(),
        "seed": "of a cell: 31 bits of the SHA-256 of 'molehunt', 'studies/red_team', quirk, number",
        "cells_hash": hashlib.sha256(canonical([c.name for p in PARTS for c in cells(p)])).hexdigest()[:16],
        "commit": commit(),
        "machine": _machine(),
        "model": study.model,
        "steps": study.steps,
        "cells": {"in": sum(c.name in rows for c in every), "of": len(every), "failed": failed},
        "measures": to_json(measures(rows, failed)),
        "causes": causes(rows, failed),
        "rows": list(rows.values()),
    }
    study.out.mkdir(parents=True, exist_ok=True)
    if rows or failed:
        write_json(study.out / "results.json", result)
    into_page(study.out / "README.md", table(result))


def _machine() -> str:
    from molehunt.models.machine import this_machine

    here = this_machine()
    return f"{here.processor}, {here.dtype}"


def commit() -> str:
    """The commit that is checked out, with a mark where the package was changed since."""
    here = {"capture_output": True, "text": True, "cwd": HERE}
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **here).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", "../../molehunt"], **here).stdout.strip()
    return (head or "unknown") + ("+changes" if changed else "")


if __name__ == "__main__":
    main()
