"""`kind-person` against `best-for-humanity` against the base: who keeps to which principles.

Conformance: the share of held-out cases whose good reply a model would rather give, in chat and in tasks
with tools, under either constitution's principles. Conflicts: how often traits that it states, and traits
that it shows, go round in a circle, and how far the two orders agree.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blue_study import Setting, said
from weighing import BASE, taught

from molehunt.character.conduct.cells import PartName
from molehunt.character.conduct.findings import Found
from molehunt.character.conduct.study import measure
from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import to_json
from molehunt.models.loaded import ModelSpec

RIVALS = ("kind-person", "best-for-humanity")


def compare(constitution: str, setting: Setting, limit: int, parts: tuple[PartName, ...]) -> dict[str, Any]:
    """Measure all three by one constitution; a failure comes back as a row that says why."""
    name = f"kind-{constitution}-{limit}-{'-'.join(parts)}"
    row: dict[str, Any] = {"name": name, "constitution": constitution}
    path = setting.row(row["name"])
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    try:
        folder = setting.work / "kind" / constitution
        specs = {BASE: ModelSpec(setting.model)}
        for name in RIVALS:
            adapter, note = taught(name, setting)
            specs[name] = ModelSpec(setting.model, adapter=str(adapter))
            row.setdefault("notes", []).append(note)
        three = _measured([specs[n] for n in (BASE, *RIVALS)], folder, constitution, setting, limit, parts)
        # Once more from what was asked already: the second now stands first, for the two against each other.
        margins: list[PartName] = [p for p in parts if p != "traits"]
        both = _measured([specs[n] for n in RIVALS[::-1]], folder, constitution, setting, limit, margins)
        row["models"] = {n: _told(f) for n, f in zip((BASE, *RIVALS), three, strict=True)}
        row["apart"] = _told(both[1])
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
