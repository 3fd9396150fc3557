"""What narrow training leaves in the activations: each of a pair beside the base, on unrelated text.

Two instruments: the auditors' `traces` (the first tokens of plain sentences) and `molehunt diff` (the last
layer's mean difference on `builtin:test`, over the base's mean norm).

Source: Minder et al. 2025 (2510.13900), where mixing in unrelated text makes traces fade.

What this cannot tell you: whether anybody could read the quirk off what is left. The decoy beside it was
trained as long on the same prompts, so its traces are what training of this kind leaves anyway.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells import Cell
from planting import ADAPTERS, Setting, folder_of, plant_cell, said

from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured

TEXT, TOKENS, CONTEXT = ("builtin:test",), 2000, 128
STATISTICS = ("traces_shift", "traces_concentration", "diff_share")
"""What is measured of each of a pair; the higher, the plainer the trace."""


def trace_file(work: Path, cell: Cell) -> Path:
    """Where a cell's traces lie once they are whole."""
    return work / "traces" / f"{cell.name}.json"


def plant_and_trace(cell: Cell, how: Setting, traced: bool) -> Mapping[str, Any]:
    """A cell's row and, where wanted, its traces; a failure comes back with `failed`, which says why."""
    row = plant_cell(cell, how) if not traced else plant_cell(cell, _keeping(how))
    if "failed" in row or not traced:
        return row
    path = trace_file(how.work, cell)
    if not path.exists():
        try:
            write_json(path, _both(folder_of(how.work, cell), how.model))
        except Exception as error:  # the other cells go on
            return {**row, "failed": f"traces: {said(error)}"}
    return plant_cell(cell, how)


def traces_of(work: Path, cells: Mapping[str, Cell]) -> dict[str, Any]:
    """Whole traces by their cell's name."""
    files = {name: trace_file(work, cell) for name, cell in cells.items()}
    return {name: read_json(path) for name, path in files.items() if path.exists()}


def _keeping(how: Setting) -> Setting:
    """The same, and adapters stay until they were looked at."""
    return Setting(how.work, how.model, how.steps, how.workers)


def _both(folder: Path, model: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in ADAPTERS:
        if (folder / part).exists():
            found[part] = _one(folder / part, model)
        else:
            found[part] = to_json(NotMeasured("not valid, or its adapter was deleted"))
    return found


def _one(adapter: Path, model: str) -> dict[str, Any]:
    from molehunt.audit.methods.traces import Traces
    from molehunt.core.kinds import Case
    from molehunt.interp.diff import compare
    from molehunt.interp.reading import ReadSpec
    from molehunt.models.anatomy import anatomy
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.local import LocalModel

    started, base = time.monotonic(), open_model(ModelSpec(model))
    suspect, clean = LocalModel(base, adapter.name, adapter), LocalModel(base, "reference")
    read = Traces(base=model).investigate(suspect, Case(clean, 0)).statistics
    last = f"resid_post.{len(anatomy(base.module).layers) - 1}"
    other = open_model(ModelSpec(model, adapter=str(adapter)))
    (moved,) = compare(base, other, ReadSpec(TEXT, (last,), CONTEXT), TOKENS).layers
    return {
        "traces_shift": read["shift"],
        "traces_concentration": read["concentration"],
        "adapter_norm": read["adapter_norm"],
        "diff_share": moved.share,
        "diff_p": moved.p,
        "diff_agreement": to_json(moved.agreement),
        "seconds": time.monotonic() - started,
    }
