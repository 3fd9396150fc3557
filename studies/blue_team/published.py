"""What was published goes on: a working folder that lacks rows takes those that `results.json` holds.

A fresh checkout, or another machine, does only what is missing; pairs are planted anew from their seeds,
those alone that took. What needs the fixed models of a row (`plain`) skips one that was brought: adapters are
not published. Such rows are of organisms planted elsewhere, and the page says how many.

What this cannot tell you: see `molehunt/game/published_rows.py`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import RunMismatch
from molehunt.game.published_rows import bring_rows

RESULTS, ASKED = "results.json", "asked.json"


def bring(out: Path, work: Path, asked: Mapping[str, Any]) -> int:
    """Write the published rows that a folder lacks, and what was asked of models; gives back how many rows.

    Args:
        out: where `results.json` may lie.
        work: the working folder.
        asked: what decides how rows are measured, as `study.json` has it.

    Raises:
        RunMismatch: they were measured otherwise.
    """
    path = out / RESULTS
    if not path.is_file():
        return 0
    found = read_json(path)
    if not isinstance(found, dict) or not {"asked", "compared", "cells", "rows", "machine"} <= found.keys():
        raise RunMismatch(f"{path} is no table of this version of the study; choose another --out.")
    there = found["asked"]
    if other := [name for name, one in asked.items() if there.get(name) != one]:
        raise RunMismatch(f"{path} holds rows of another {', '.join(other)}; choose another --out.")
    compared = read_json(work / ASKED) if (work / ASKED).exists() else {}
    write_json(work / ASKED, {**compared, **found["compared"]})
    whole = {row["name"] for row in found["rows"]}
    failed = {n: why for n, why in found["cells"]["failed"].items() if n not in whole}
    return bring_rows(found, found["rows"], "name", failed, work)


def published_pairs(out: Path) -> Sequence[Mapping[str, Any]]:
    """What was published of the list's pairs, in its order: which took, and why others did not."""
    return published_list(out).get("planted", ())


def published_list(out: Path) -> Mapping[str, Any]:
    """The same as it stands in the table; empty where none was planted."""
    path = out / RESULTS
    return read_json(path).get("planted", {}) if path.is_file() else {}
