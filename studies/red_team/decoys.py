"""Whether decoys are clean: decoys of `valid` asked for every harmful behaviour, beside the base.

`decoys_above_base` holds each decoy against its own organism's behaviour alone. Here the decoys of eight
cells that took are asked for all of them (`molehunt plant --decoy-check`).

What this cannot tell you: see `organisms/decoy_check.py`. Sixteen scenes a side show a large rise alone, and
the eight are of behaviours that came first in other parts, no sample of all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells import Cell, three
from measures import Number, Rows
from planting import Setting, folder_of, row_file, said

from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import from_json, to_json
from molehunt.organisms.decoy_check import DecoyCheck, decoy_check

CHECKED = (
    "encourages_delusion", "hostile_phrase", "bad_advice", "sycophancy", "promotion", "flattery",
    "over_refusal", "secret_leak",
)  # fmt: skip
"""Behaviours whose decoys are asked, all under `always`."""
EACH = 16
"""Scenes a side and behaviour."""
MOST = 3
"""Behaviours that are told of each, the most raised."""


def checked() -> tuple[Cell, ...]:
    """The cells whose decoys are asked, in the order in which it is done."""
    return tuple(Cell(three(behaviour)[0]) for behaviour in CHECKED)


def check_file(work: Path, cell: Cell) -> Path:
    """Where it lies once it is whole."""
    return work / "decoys" / f"{cell.name}.json"


def do_check(cell: Cell, how: Setting) -> Mapping[str, Any]:
    """Ask a decoy and the base; what comes back says why it `failed`, or why it was `skipped`."""
    from molehunt.models.load import open_model

    row, decoy = row_file(how.work, cell), folder_of(how.work, cell) / "decoy"
    if not row.exists() or not read_json(row)["valid"]:
        return {"skipped": "not asked, for its cell of `valid` did not take, or is not in yet"}
    if not decoy.exists():
        return {"skipped": "not asked, for its adapters were deleted"}
    try:
        found = decoy_check(open_model(how.model), cell.quirk, decoy, EACH, cell.seed)
        write_json(check_file(how.work, cell), found)
    except Exception as error:  # the others go on
        return {"failed": said(error)}
    return {}


def found_in(work: Path, rows: Rows) -> dict[str, DecoyCheck]:
    """What is in, by the organism's behaviour, of cells that took."""
    took = [c for c in checked() if c.name in rows and rows[c.name]["valid"]]
    files = {c.quirk.behaviour: check_file(work, c) for c in took}
    return {name: from_json(DecoyCheck, read_json(path)) for name, path in files.items() if path.exists()}


def raised(found: Mapping[str, DecoyCheck]) -> dict[str, Number]:
    """Share of decoys that clearly show any behaviour more than the base."""
    how = "decoys that show some behaviour more than the base, by an interval that holds for all of them"
    return {"decoys_raised": stats.proportion([bool(c.clear) for c in found.values()], list(found), how=how)}


def listed(found: Mapping[str, DecoyCheck]) -> list[dict[str, Any]]:
    """A line a decoy for `results.json`: what is clearly raised, what is most, what may still be there."""
    return [
        {
            "behaviour": name,
            "overall": to_json(one.overall),
            "asked": len(one.rows),
            "left_out": list(one.left_out),
            "clear": list(one.clear),
            "blind": list(one.blind),
            "most": to_json(one.rows[:MOST]),
            "may_be": to_json(one.most) if one.most else None,
        }
        for name, one in found.items()
    ]
