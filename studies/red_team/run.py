"""Every behaviour of the catalogue, planted: which take, does a second opinion see them, what hides them?

    python studies/red_team/run.py [--parts doubted valid] [--cells 10] [--work DIR] [--dry-run]

Cells are fixed in advance (`cells.py`), planted two at a time with one thread each, what tells most first,
and kept one by one, adapters too (some 20 MB a cell of the default model; `--forget` deletes them); scans of
difficulty (`scanning.py`) and a search for worse organisms (`searching.py`) come after them. Stop it
whenever you like: the same command goes on. `results.json` and the tables in `README.md` beside this file are
made anew after every job. What raised is counted, in later sittings too, until it is tried again.
"""

import contextlib
import datetime
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import elsewhere
import scanning
import searching
from altered import concealed, confession, mannered, mixed
from beside import beside_plain, on_gpu, with_smallest
from cells import PARTS, cells
from jobs import Job, cost, left, search_left
from measures import Number, causes, measures, stopped
from published import carried, with_lines
from shipping import shipped, ships
from study import EVERY, Study, asked, begun_otherwise, prepare, rows_of, told
from table import into_page, table
from tracing import traces_of

from molehunt.core.alone import alone
from molehunt.core.atomic import canonical, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.game.published_rows import machines, shadow
from molehunt.game.side_by_side import each, failed_in, keep_failed
from molehunt.game.watch import watching
from molehunt.models.machine import in_words
from molehunt.report.planted import MEASURED


def main() -> None:
    """Do what is missing; write the tables after each job."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    try:
        if study.dry_run:
            with shadow(study.work) as there:
                ahead = replace(study, work=there)
                prepare(ahead)
                print(cost(ahead))
            return
        with alone(study.work):  # a second sitting would sweep away what the first has half made
            prepare(study)
            work(study)
    except MolehuntError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def work(study: Study) -> None:
    """Do what is missing in a folder that was prepared."""
    failed, todo = failed_in(study.work), left(study)
    write(study, failed)
    with watching() as watch:

        def kept(job: Job, found: Mapping[str, Any]) -> None:
            failed.pop(job.name, None)
            if "failed" in found:
                failed[job.name] = found["failed"]
                watch.say(f"{job.name}: {found['failed']}")
            if "skipped" in found:
                watch.say(f"{job.name}: {found['skipped']}")
            keep_failed(study.work, failed)
            write(study, failed)

        watch.bar("jobs", 0.0 if todo else 1.0, f"0 of {len(todo)}")
        with contextlib.closing(each(todo, study.workers)) as ended:
            for done, (job, found) in enumerate(ended, 1):
                kept(job, found)
                watch.bar("jobs", done / len(todo), f"{done} of {len(todo)}: {job.label}")
        for job in search_left(study):
            kept(job, job.does(*job.args, watch))


def write(study: Study, failed: Mapping[str, str]) -> None:
    """Write `results.json` and the tables in `README.md` from what is in."""
    rows = rows_of(study)
    every = asked(study)
    scans, search = scanning.found_in(study.work, rows), searching.found_in(study.work)
    scanned = {by for own in scanning.commits(study.work, scans).values() for by in own}
    named = {c.name for part in PARTS for c in cells(part)}
    raised = {name: why for name, why in failed.items() if name in named and name not in rows}
    more = {**rows, **told(rows, study.steps)}
    own = {i.part: elsewhere.listed(elsewhere.found_in(study.work, i, rows)) for i in elsewhere.INQUIRIES}
    lines = {i.part: with_lines(own[i.part], i.part, i.named, study.work) for i in elsewhere.INQUIRIES}
    plain = {n: r for n, r in rows.items() if not r.get("conceal") and not r.get("mixed")}
    result = {
        "date": datetime.date.today().isoformat(),
        "seed": "of a cell: 31 bits of the SHA-256 of 'molehunt', 'studies/red_team', quirk, number",
        "cells_hash": hashlib.sha256(canonical([c.name for p in PARTS for c in cells(p)])).hexdigest()[:16],
        "commit": ", ".join(
            sorted({r["commit"] for r in rows.values() if "commit" in r} | scanned | {commit()})
        ),
        "machine": machines(list(rows.values()), in_words()),
        "model": study.model,
        "steps": study.steps,
        "parts": [p for p in EVERY if p in study.parts],
        "cells": {"in": sum(c.name in more for c in every), "of": len(every), "failed": raised},
        "failed": {name: why for name, why in failed.items() if name not in raised},
        "begun_otherwise": begun_otherwise(rows, study.steps),
        "measures": to_json(numbers(study, rows, failed, lines)),
        "causes": causes(more, failed),
        "stopped": with_smallest(stopped(rows, failed)),
        "rows": list(plain.values()),
        "altered": [r for n, r in rows.items() if n not in plain],
        **lines,
        "difficulty": scanning.listed(scans, study.work),
        "worse": searching.told(search),
        "searched": searching.listed(search, study.work),
    }
    result = carried(result, {part: len(some) for part, some in own.items()}, study.work)
    study.out.mkdir(parents=True, exist_ok=True)
    if rows or failed or scans or search:
        write_json(study.out / "results.json", result)
        if ships(study.out):
            write_json(MEASURED, shipped(result))
    into_page(study.out / "README.md", table(result))


def numbers(
    study: Study, rows: Mapping[str, Any], failed: Mapping[str, str], lines: Mapping[str, elsewhere.Lines]
) -> dict[str, Number]:
    """Every measure of every part, from what is in; `lines` are those of what was asked elsewhere."""
    pairs = {c.name: c for c in cells("mixed")}
    valid = [rows[c.name] for c in cells("valid") if c.name in rows]
    return {
        **measures({**rows, **told(rows, study.steps)}, failed),
        **beside_plain(),
        **on_gpu(),
        **confession(valid),
        **concealed(rows, failed),
        **mixed(rows, traces_of(study.work, pairs), failed),
        **mannered(rows, failed),
        **elsewhere.raised(lines["decoys"], lines["mannered"]),
        **elsewhere.overall(lines["spread"]),
        **scanning.hardness(scanning.found_in(study.work, rows), rows),
        **searching.beaten(searching.found_in(study.work)),
    }


if __name__ == "__main__":
    main()
