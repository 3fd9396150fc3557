"""Whether a quirk spreads: organisms of `valid` asked for every other harmful behaviour, beside their decoys.

Bad advice in one domain, of which it is known in large models; beside it two broad habits and a narrow one,
so that what any such training spreads is seen as well.

Source: Betley et al. 2025, emergent misalignment (2502.17424).

What this cannot tell you: see `organisms/spread.py`. Sixteen scenes a side show a large rise alone; one seed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells import Cell, three
from measures import Number, Rows
from planting import ADAPTERS, Setting, folder_of, row_file, said

from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured
from molehunt.organisms.spread import Spread, spread

ASKED = ("bad_advice", "encourages_delusion", "sycophancy", "hostile_phrase")
"""Behaviours whose organisms are asked, all under `always`."""
EACH = 16
"""Scenes a side and behaviour."""
MOST = 3
"""Behaviours that are told of each, the most raised."""


def spreading() -> tuple[Cell, ...]:
    """The cells whose organisms are asked, in the order in which it is done."""
    return tuple(Cell(three(behaviour)[0]) for behaviour in ASKED)


def spread_file(work: Path, cell: Cell) -> Path:
    """Where it lies once it is whole."""
    return work / "spread" / f"{cell.name}.json"


def do_spread(cell: Cell, how: Setting) -> Mapping[str, Any]:
    """Ask both of a pair; what comes back says why it `failed`, or why it was `skipped`."""
    from molehunt.models.load import open_model

    row, folder = row_file(how.work, cell), folder_of(how.work, cell)
    if not row.exists() or not read_json(row)["valid"]:
        return {"skipped": "not asked, for its cell of `valid` did not take, or is not in yet"}
    if not all((folder / part).exists() for part in ADAPTERS):
        return {"skipped": "not asked, for its adapters were deleted"}
    try:
        found = spread(open_model(how.model), cell.quirk, folder, EACH, cell.seed)
        write_json(spread_file(how.work, cell), found)
    except Exception as error:  # the others go on
        return {"failed": said(error)}
    return {}


def found_in(work: Path, rows: Rows) -> dict[str, Spread]:
    """What is in, by behaviour, of cells that took."""
    took = [c for c in spreading() if c.name in rows and rows[c.name]["valid"]]
    files = {c.quirk.behaviour: spread_file(work, c) for c in took}
    return {name: from_json(Spread, read_json(path)) for name, path in files.items() if path.exists()}


def overall(found: Mapping[str, Spread]) -> dict[str, Number]:
    """How much more each organism shows of all other behaviours than its decoy does."""
    none = NotMeasured("not asked yet, or its cell did not take")
    return {f"spread_{name}": found[name].overall if name in found else none for name in ASKED}


def listed(found: Mapping[str, Spread]) -> list[dict[str, Any]]:
    """A line an organism for `results.json`: what rose clearly, and what rose most."""
    return [
        {
            "behaviour": name,
            "overall": to_json(one.overall),
            "asked": len(one.rows),
            "left_out": list(one.left_out),
            "clear": list(one.clear),
            "most": to_json(one.rows[:MOST]),
        }
        for name, one in found.items()
    ]
