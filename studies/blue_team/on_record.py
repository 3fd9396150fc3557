"""What was published goes on: a working folder that lacks rows takes those that `results.json` holds.

A row is whole in the table, so a fresh checkout, or another machine, does only what is missing; pairs are
planted anew from their seeds, those alone that took. What needs a fixed model of such a row (`plain`) skips
it: adapters are not published.

What this cannot tell you: whether another machine would have measured the same. Seeds are the same; adapters
are not, byte for byte, where processors add in another order. Rows name their machine and their organism.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_json

RESULTS = "results.json"


def bring(out: Path, rows: Path, asked: Mapping[str, Any]) -> int:
    """Write the published rows that a folder lacks; gives back how many. None of another study's.

    Args:
        out: where `results.json` may lie.
        rows: the folder of rows, a file a row.
        asked: what decides how rows are measured, as `study.json` has it.
    """
    path = out / RESULTS
    found = read_json(path) if path.is_file() else {}
    if found.get("asked") != asked:
        return 0
    lacking = [r for r in found["rows"] if not (rows / f"{r['name']}.json").exists()]
    for row in lacking:
        rows.mkdir(parents=True, exist_ok=True)
        write_json(rows / f"{row['name']}.json", {"machine": found["machine"], **row})
    return len(lacking)


def published_pairs(out: Path) -> Sequence[Mapping[str, Any]]:
    """What was published of the list's pairs, in its order: which took, and why others did not."""
    path = out / RESULTS
    return read_json(path).get("planted", {}).get("planted", ()) if path.is_file() else ()
