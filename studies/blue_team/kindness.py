"""`kind-person` against `best-for-humanity` against the base: who keeps to which principles.

Conformance: the share of held-out cases whose good reply a model would rather give, in chat and in tasks
with tools, under either constitution's principles, beside the same replies dealt to other prompts. Conflicts:
how often traits that it states, and traits that it shows, go round in a circle, and how far the two orders
agree. The null is `kind-person` against itself, trained from another seed.

What this cannot tell you: how far apart other trainings would come out. Each model was trained once, and
intervals are over cases.
"""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blue_study import Setting, said
from schooling import AGAIN, BASE, key_of, made_of, taught

from molehunt.character.conduct.cells import PartName
from molehunt.character.conduct.findings import Found
from molehunt.character.conduct.study import measure, subject
from molehunt.character.constitution_check import load_sound
from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import commit
from molehunt.core.record_json import to_json
from molehunt.models.loaded import ModelSpec
from molehunt.models.machine import in_words

RIVALS = ("kind-person", "best-for-humanity")
CELLS = "cells"


def row_name(constitution: str, setting: Setting, limit: int, parts: tuple[PartName, ...]) -> str:
    """What a row is called: the constitution, how much is asked, and a hash of models and items."""
    creed = load_sound(constitution)
    what = subject(creed, limit=limit, max_tokens=setting.plan.max_tokens, seed=setting.plan.seed)
    asked = [what.cases, what.deeds, what.traits, [p.statement for p in creed.principles]]
    made = [made_of(name, setting) for name in (BASE, *RIVALS, AGAIN)]
    return f"kind-{constitution}-{limit}-{'-'.join(parts)}-{key_of([made, asked])}"


def compare(constitution: str, setting: Setting, limit: int, parts: tuple[PartName, ...]) -> dict[str, Any]:
    """Measure all of them by one constitution; a failure comes back as a row that says why."""
    row: dict[str, Any] = {
        "name": row_name(constitution, setting, limit, parts),
        "constitution": constitution,
        "commit": commit(),
        "machine": in_words(),
    }
    path = setting.row(row["name"])
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    try:
        folder = setting.work / "kind" / constitution
        every = {name: taught(name, setting) for name in (BASE, *RIVALS, AGAIN)}
        specs = {name: one.spec for name, one in every.items()}
        row["notes"] = [f"{name}: {one.note}" for name, one in every.items() if one.note]
        row["amount"] = {name: one.amount for name, one in every.items()}
        three = _measured([specs[n] for n in (BASE, *RIVALS)], folder, constitution, setting, limit, parts)
        # Once more from what was asked already, another standing first, for two against each other.
        margins: list[PartName] = [p for p in parts if p != "traits"]
        beside = {"apart": RIVALS[1], "null": AGAIN}
        for what, other in beside.items():
            shutil.copytree(folder / CELLS, folder / what / CELLS, dirs_exist_ok=True)
            two = [specs[other], specs[RIVALS[0]]]
            row[what] = _told(_measured(two, folder / what, constitution, setting, limit, margins)[1])
        row["models"] = {n: _told(f) for n, f in zip((BASE, *RIVALS), three, strict=True)}
    except Exception as error:  # whatever raised is a failed job, and the others go on
        return {**row, "failed": said(error)}
    row["cell_seconds"] = time.monotonic() - started
    write_json(path, row)
    return read_json(path)


def _measured(
    specs: Sequence[ModelSpec],
    folder: Path,
    constitution: str,
    setting: Setting,
    limit: int,
    parts: Sequence[PartName],
) -> tuple[Found, ...]:
    return measure(
        specs,
        folder,
        constitution=constitution,
        parts=parts,
        judges=(),  # no verdict of a judge is told, and `words` refuses where few cases are taught
        limit=limit,
        max_tokens=setting.plan.max_tokens,
        seed=setting.plan.seed,
    ).models


def _told(one: Found) -> dict[str, Any]:
    return to_json(
        {
            "chat": dict(one.chat),
            "agentic": dict(one.agentic),
            "traits": dict(one.traits),
            "principles": {
                s.principle: {"kept": s.kept, "change": s.change, "shuffled": s.shuffled}
                for s in one.principles
            },
        }
    )
