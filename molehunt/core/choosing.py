"""A policy's turn in a match, in a process of its own: `python -m molehunt.core.choosing JOB.json`.

It shuts its doors (`core/doors.py`), reads one side's policy in by name, lets it choose from its view, and
writes the choice beside the job. Keys, red folders and the whole match, its earlier rounds included, are
closed to it; red policies may not enter the blue team's rooms, nor blue ones the red team's. So what a side
knows of the other is what stands in its view.

What this cannot stop: see `core/doors.py`.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import read_json, write_json
from molehunt.core.doors import SHUT, shut
from molehunt.core.errors import MolehuntError, UserError
from molehunt.core.extend import load
from molehunt.core.kinds import View
from molehunt.core.record_json import from_json

SIDES = {"red": "organisms.reds", "blue": "remedies.blues"}
"""Where the policies of each side lie."""
BARRED = {
    "red": (*(r for r in SHUT if r != "molehunt.organisms"), "molehunt.audit", "molehunt.remedies"),
    "blue": (*SHUT, "molehunt.audit", "molehunt.catalogue"),
}
"""Rooms that each side's policies may not enter."""
CHOICE = "choice.json"


@dataclass(frozen=True)
class Job:
    """One policy's turn."""

    side: str
    policy: str
    view: View
    closed: tuple[str, ...]
    """Folders in which nothing may be read."""


def main() -> None:
    """Read the job, choose, say what went wrong in one line."""
    try:
        path = Path(sys.argv[1])
        job = from_json(Job, read_json(path))
        path.unlink()  # it lies where policies may read, and names what is closed to them
        shut([Path(p) for p in job.closed], [path.parent], rooms=BARRED[job.side], who="A policy")
        try:
            choice = load(SIDES[job.side], job.policy).choose(job.view)
            text = json.dumps(choice, allow_nan=False)
        except MolehuntError:
            raise
        except (
            Exception
        ) as error:  # A stranger's policy may raise anything, or reach for a door that is shut.
            what = f"{type(error).__name__}: {str(error)[:300]}"
            raise UserError(f"The {job.side} policy {job.policy!r} could not choose: {what}") from None
        write_json(path.parent / CHOICE, json.loads(text))
    except MolehuntError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}), flush=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
