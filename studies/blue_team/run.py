"""How deep do blind fixes go, does depth tell hidden from removed, and what did training do to values?

    python studies/blue_team/run.py [--parts fixes hidden] [--pairs DIR] [--moralchoice DIR] [--dry-run]

Without `--pairs` the organisms are cells of `studies/red_team` (`organisms.py`), planted where they lack.
Cells are done in an order fixed in advance (`blue_cells.py`), two at a time with one thread each, and kept
one by one: stop it whenever you like, the same command goes on. `results.json` and the tables in `README.md`
beside this file are made anew after every job. What raised is counted, and tried again in the next sitting.
"""

import contextlib
import datetime
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from blue_cells import CORE, NOTHING, fixes, hidden, seeds
from blue_jobs import (
    COMPARED,
    Job,
    compared,
    cost,
    is_told,
    jobs,
    needs_pairs,
    note_asked,
    planted_elsewhere,
    rows_of,
    told_of,
)
from blue_measures import (
    of_best,
    of_hidden,
    of_nothing,
    of_plain,
    of_remedy,
    of_time,
    rows_in,
)
from blue_page import into_page, page
from blue_study import Study, checked, decides, prepare, unnamed
from marks import ahead, alike, best
from organisms import own_wishes
from published import published_list, published_pairs
from samples import Sample, lacking, listed, lying, samples_of
from values_measures import of_kind, of_moral

from molehunt.core.alone import alone
from molehunt.core.atomic import write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.game.published_rows import machines, shadow
from molehunt.game.side_by_side import each, failed_in, keep_failed
from molehunt.game.watch import Watch, watching
from molehunt.models.machine import in_words

HERE = Path(__file__).parent


def main() -> None:
    """Do what is missing, part by part; write the tables after each job."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    try:
        checked(study)
        if study.dry_run:
            with shadow(study.work) as there:
                ahead = replace(study, work=there)
                prepare(ahead)
                print("\n".join(filter(None, (_cost(ahead), unnamed(study)))))
            return
        with alone(study.work), watching() as watch:
            prepare(study)
            samples, planted = _pairs(study, watch)
            work(study, samples, planted, watch)
    except MolehuntError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _pairs(study: Study, watch: Watch) -> tuple[Sequence[Sample], Mapping[str, Any]]:
    """The pairs that the parts need, planted where they are missing; nothing where no part needs any."""
    published = published_pairs(study.out)
    if not needs_pairs(study):
        return listed(study.model, study.planted, study.steps, published), {}
    with _held(study):
        return samples_of(
            study.pairs, study.quirks, study.model, study.planted, study.steps, watch, published
        )


def _held(study: Study) -> contextlib.AbstractContextManager[None]:
    """The lock of whoever else plants there, where pairs lack: planters sweep away what is half made."""
    source = study.planted.parent.resolve()
    todo = not study.pairs and lacking(own_wishes(study.model, study.planted, study.steps))
    return alone(source) if todo and source != study.work.resolve() else contextlib.nullcontext()


def work(study: Study, samples: Sequence[Sample], planted: Mapping[str, Any], watch: Watch) -> None:
    """Every part that was asked for."""
    whole = rows_of(study.work)  # a sitting may have ended between a row and this note
    failed = {n: why for n, why in failed_in(study.work).items() if n not in whole}
    write(study, samples, planted, failed)
    for part in study.parts:
        rows = rows_of(study.work)
        todo = [j for j in jobs(study, samples, part, rows) if j.name not in rows]
        watch.bar(part, 0.0 if todo else 1.0, f"0 of {len(todo)}")
        for done, (job, told) in enumerate(_done(todo, study.workers), 1):
            failed.pop(job.name, None)
            if "failed" in told:
                failed[job.name] = str(told["failed"])
                watch.say(f"{job.name}: {told['failed']}")
            keep_failed(study.work, failed)
            watch.bar(part, done / len(todo), f"{done} of {len(todo)}: {job.name}")
            write(study, samples, planted, failed)


def _done(todo: Sequence[Job], workers: int) -> Iterator[tuple[Job, Mapping[str, Any]]]:
    """Jobs and what they told, as they come; with one worker in this process."""
    if workers == 1:
        for job in todo:
            yield job, job.does(*job.args)
        return
    with contextlib.closing(each(todo, workers)) as ended:
        yield from ended


def write(
    study: Study, samples: Sequence[Sample], planted: Mapping[str, Any], failed: Mapping[str, str]
) -> None:
    """Write `results.json` and the tables in `README.md` from the rows that are in."""
    note_asked(study)
    rows = told_of(study.work)
    names = [j.name for part in study.parts for j in jobs(study, samples, part, rows)]
    look, crossed = study.look, fixes(samples[: study.organisms], study.remedies)
    front, organisms = ahead(crossed, rows)
    result = {
        "date": datetime.date.today().isoformat(),
        "seed": "0 to the number of further seeds, a cell's own; planting's as in studies/red_team",
        "commit": ", ".join(sorted({r["commit"] for r in rows.values() if "commit" in r} | {commit()})),
        "machine": machines(list(rows.values()), in_words()),
        "model": study.model,
        "asked": decides(study),
        "look": f"{look.scenes} scenes a side, {look.quick} in looks, {look.orders} orders, "
        f"ratios cut at {look.ceiling:g}",
        "parts": list(study.parts),
        "remedies": list(study.remedies),
        "cells": {
            "in": sum(n in rows for n in names),
            "of": len(names),
            "failed": {n: why for n, why in failed.items() if is_told(study.work, n)},
        },
        "crossed": [c.name for c in crossed],
        "frontier": {"remedies": list(front), "organisms": organisms},
        "measures": to_json(numbers(study, samples, rows)),
        "planted": dict(planted or published_list(study.out)),
        "compared": compared(study.work),
        "planted_elsewhere": planted_elsewhere(samples, rows),
        "rows": [{"name": name, **row} for name, row in rows.items()],
    }
    study.out.mkdir(parents=True, exist_ok=True)
    if rows or failed:
        write_json(study.out / "results.json", result)
    into_page(study.out / "README.md", page(result, rows))


def numbers(study: Study, samples: Sequence[Sample], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Every measure of every part, from what is in."""
    crossed = fixes(samples[: study.organisms], study.remedies)
    mine = rows_in(crossed, alike(crossed, rows))
    known = {c.name for c in hidden(samples, study.a_side)}
    again = seeds(samples[: study.organisms], best(crossed, rows), study.more)
    return {
        **of_best(crossed, rows, again),
        **of_hidden([r for n, r in rows.items() if n in known]),
        **of_nothing(mine),
        **of_plain([r for n, r in rows.items() if n.startswith("plain-")]),
        **of_time([r for r in rows.values() if "way" in r and not r["name"].startswith("plain-")]),
        **{name: m for w in study.remedies for name, m in of_remedy(w, mine).items()},
        **of_moral({r["model"]: r for n, r in rows.items() if n.startswith("moral-")}),
        **of_kind({r["constitution"]: r for n, r in rows.items() if n.startswith("kind-")}),
    }


def _cost(study: Study) -> str:
    """What is left to do; pairs that are not planted yet are counted, and nothing is planted."""
    if not needs_pairs(study):
        return cost(study, ())
    if study.pairs:
        how = (study.quirks, study.model, study.planted, study.steps)
        samples, _ = samples_of(study.pairs, *how, Watch(None))
        return cost(study, samples)
    if samples := lying(study.model, study.planted, study.steps):
        known = {row["wish"] for row in published_pairs(study.out) if not row["valid"]}
        wishes = own_wishes(study.model, study.planted, study.steps)
        lacks = len([w for w in lacking(wishes) if w.name not in known])
        first = f"{lacks} of {len(wishes)} pairs are to be planted first; this goes without them."
        return "\n".join(filter(None, (first if lacks else "", cost(study, samples))))
    core = len([r for r in study.remedies[:CORE] if r != NOTHING])
    counts = {
        "fixes": study.organisms * len(study.remedies),
        "hidden": 2 * study.a_side,
        "plain": core * study.plain,
    }
    cells = [f"{count} of `{part}`" for part, count in counts.items() if part in study.parts]
    pairs = (
        f"No pair is planted yet: the list's come first. Then cells: {', '.join(cells) or 'of `seeds`'}, "
        f"less those that {study.out} holds; what a cell costs is reckoned once a pair is there."
    )
    rest = replace(study, parts=tuple(p for p in study.parts if p in COMPARED))
    return "\n".join(filter(None, (pairs, cost(rest, ()))))


if __name__ == "__main__":
    main()
