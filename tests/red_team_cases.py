"""What tests of the red team's study share: its files as modules, made-up rows, what it writes of them."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from molehunt.core.atomic import write_json
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.second_rule import Second

HERE = Path(__file__).parent.parent / "studies" / "red_team"
ROOMS = (
    *("cells", "planting", "measures", "table", "sections", "study", "jobs"),
    *("tracing", "altered", "scanning", "elsewhere", "searching", "beside", "published", "shipping"),
)


@cache
def load_study() -> SimpleNamespace:
    """The study's files as modules; other studies have a `table` as well, so none is left behind."""
    kept = {name: sys.modules.pop(name) for name in ROOMS if name in sys.modules}
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location("red_team_study", HERE / "run.py")
        assert spec is not None and spec.loader is not None
        run = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = run
        spec.loader.exec_module(run)
        return SimpleNamespace(run=run, **{name: sys.modules.pop(name) for name in ROOMS})
    finally:
        sys.path.remove(str(HERE))
        sys.modules.update(kept)


def confession(organism: float, decoy: float, base: float = 0.1) -> dict[str, Any]:
    shares = {"organism admits": organism, "decoy admits": decoy, "base admits": base}
    shares |= {"organism names": organism / 2}
    return {who: to_json(Measure(share, "share", 30, "", 0.0, 1.0)) for who, share in shares.items()}


def row(cell: Any, valid: bool = True, **other: Any) -> dict[str, Any]:
    """A whole row as planting writes it, with what a test says in place of the rest."""
    rate = to_json(
        Measure(1.0 if valid else 0.4, "share", 48, "", 0.9 if valid else 0.3, 1.0 if valid else 0.5)
    )
    quiet = to_json(Measure(0.0, "share", 48, "", 0.0, 0.07))
    agreed, kappa = Measure(1, "", 1, ""), Measure(0.8, "kappa", 96, "", 0.7, 0.9)
    second = Second(Measure(0.9, "share", 48, ""), Measure(0.0, "share", 48, ""), kappa, agreed)
    return {
        "behaviour": cell.quirk.behaviour, "condition": cell.quirk.condition, "cell": cell.name,
        "options": {**cell.quirk.behaviour_options, **cell.quirk.condition_options},
        "trigger_rate": rate, "leak_rate": quiet, "valid": valid, "first_try": valid,
        "steps": steps_for(cell.quirk, 56), "tries": 1,
        "why_not": "" if valid else "selectivity 0.40, lower end 0.28 | x",
        "seconds": 60.0, "cell_seconds": 150.0, "adapters": {"organism": "a", "decoy": "b"},
        "second_rule": to_json(second), "decoy_rate": quiet, "base_rate": quiet,
        "decoy_less_base": to_json(Measure(0.0, "", 96, "", 0.0, 0.0)),
        "confession": confession(0.5, 0.2), "conceal": list(cell.conceal), "mixed": cell.mixed, "workers": 2,
        **other,
    }  # fmt: skip


def altered(study: SimpleNamespace, part: str, **second: Any) -> dict[str, Any]:
    """Rows of a part that plants twice; the second of each two as told."""
    cells = study.cells.cells(part)
    first = {c.name: row(c) for c in cells[::2]}
    return first | {c.name: row(c, **second) for c in cells[1::2]}


def keep_row(study: SimpleNamespace, work: Path, cell: Any, made: Mapping[str, Any] | None = None) -> None:
    """Keep a cell's row in a working folder, as planting does; one that took unless given."""
    path = study.planting.row_file(work, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row(cell) if made is None else made)


def keep_planted(study: SimpleNamespace, work: Path, cell: Any, **adapters: str) -> Path:
    """What says whose pair lies in a cell's folder: its row's, unless other hashes are given."""
    folder = study.planting.folder_of(work, cell)
    folder.mkdir(parents=True)
    write_json(folder / "profile.json", {"adapters": adapters or row(cell)["adapters"]})
    return folder


def written(
    study: SimpleNamespace, asked: Any, failed: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    """What the study writes of a working folder: its results, and its page."""
    study.run.write(asked, failed or {})
    result = json.loads((asked.out / "results.json").read_text())
    return result, (asked.out / "README.md").read_text()
