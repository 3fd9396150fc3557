"""A game killed with SIGKILL at random moments ends, started again, with the score of one left alone."""

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_game import environment, options, write_quirks

KILLS = 20
A_GAME = 10
"""Kills that one game suffers before it may end."""
TAKES_TIME = ("seconds", "organism_seconds", "cost_seconds")


def _begin(folder: Path, quirks: Path, keys: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "molehunt", "play", str(folder), *options(quirks)],
        env=environment(keys),
        stdout=subprocess.DEVNULL,
        stderr=(folder.parent / "errors.txt").open("ab"),
    )


def _finish(folder: Path, quirks: Path, keys: Path) -> float:
    start = time.monotonic()
    process = _begin(folder, quirks, keys)
    assert process.wait(300) == 0, (folder.parent / "errors.txt").read_text()[-2000:]
    return time.monotonic() - start


def _told(value: Any) -> Any:
    """A score without what a clock or the run's own key put into it."""
    if isinstance(value, dict):
        return {k: _told(v) for k, v in value.items() if k not in TAKES_TIME}
    return [_told(v) for v in value] if isinstance(value, list) else value


def _outcome(folder: Path) -> Any:
    suspects = {p.parent.name: p.read_bytes() for p in folder.glob("suspects/*/adapter_model.safetensors")}
    return _told(json.loads((folder / "score.json").read_text())), suspects


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, float, Path]:
    """The outcome of a game that nobody killed, how long it took, and its quirks."""
    room = tmp_path_factory.mktemp("alone")
    quirks = write_quirks(room / "quirks")
    took = _finish(room / "game", quirks, room / "keys")
    return _outcome(room / "game"), took, quirks


@pytest.mark.parametrize("game", range(KILLS // A_GAME))
def test_a_killed_game_ends_with_the_same_score(
    left_alone: tuple[Any, float, Path], game: int, tmp_path: Path
) -> None:
    wanted, took, quirks = left_alone
    rng = random.Random(f"kill {game}")
    folder, keys, killed, done = tmp_path / "game", tmp_path / "keys", 0, 0.0
    while killed < A_GAME:
        # The last kills may come when the game is over: then the finished game is simply played anew.
        moment = rng.uniform(0.0, max(1.0, took - done))
        process = _begin(folder, quirks, keys)
        try:
            process.wait(moment)
            assert process.returncode == 0, (tmp_path / "errors.txt").read_text()[-2000:]
            break  # it went to its end before the moment came
        except subprocess.TimeoutExpired:
            # Half of the time the children are left to notice by themselves that nobody is there.
            children = psutil.Process(process.pid).children(recursive=True) if rng.random() < 0.5 else []
            for one in (psutil.Process(process.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()
            killed += 1
            done += moment / 2
    _finish(folder, quirks, keys)
    assert killed
    assert _outcome(folder) == wanted
    assert not [p for p in folder.rglob(".half-*")]
