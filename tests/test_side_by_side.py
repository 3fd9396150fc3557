"""Jobs side by side: one that loses its process is begun again, and takes nothing from the others."""

import os
import signal
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from molehunt.game import side_by_side
from molehunt.game.side_by_side import each


@dataclass(frozen=True)
class Job:
    """A function and what it is handed."""

    does: Any
    args: tuple[Any, ...]


def note(folder: Path, name: str) -> int:
    """How often this was begun, this time included."""
    (folder / f"{name}-{len(list(folder.iterdir()))}").touch()
    return len(list(folder.glob(f"{name}-*")))


def well(folder: Path) -> Mapping[str, Any]:
    return {"begun": note(folder, "well"), "process": os.getpid()}


def killed(folder: Path, times: int) -> Mapping[str, Any]:
    begun = note(folder, f"killed{times}")
    if begun <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"begun": begun}


def raising() -> Mapping[str, Any]:
    raise KeyError("x")


def test_a_dead_worker_costs_its_own_job_a_try_and_no_other_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "ENDS", 2)
    jobs = [Job(killed, (tmp_path, 99)), Job(well, (tmp_path,)), Job(raising, ()), Job(killed, (tmp_path, 1))]
    with closing(each(jobs, 2)) as ended:
        told = {jobs.index(job): found for job, found in ended}
    assert len(told) == 4, "every job is told of, once"
    assert "ended under it 2 times" in told[0]["failed"]
    assert len(list(tmp_path.glob("killed99-*"))) == 2
    assert told[1]["begun"] == 1 and told[1]["process"] != os.getpid()
    assert told[2]["failed"] == "KeyError: 'x'" and told[3] == {"begun": 2}


def test_nothing_to_do_is_nothing_begun() -> None:
    assert list(each([], 2)) == []
