"""A game killed with SIGKILL at random moments ends, started again, with the score of one left alone."""

import contextlib
import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import warm
from tiny_game import environment, options, write_quirks
from warm import Command

KILLS = 20
SHARE = 10
"""Kills that one test deals out, over as many fresh games as that takes."""
GAMES = 8
"""Most fresh games a test may need: one in which no kill came in time still costs a whole game."""
EARLY = 4
"""A game that ended before so many kills came was in more of a hurry than was thought."""
REACH = 0.7
"""Moments are drawn from so much of what a game still needs, so that few games end before their moment."""
TAKES_TIME = ("seconds", "organism_seconds", "cost_seconds")


def _begin(folder: Path, quirks: Path, keys: Path) -> Command:
    with open(os.devnull, "r+b") as nothing, (folder.parent / "errors.txt").open("ab") as errors:
        given = ["play", str(folder), *options(quirks)]
        return warm.begin(given, environment(keys), None, (nothing, nothing, errors))


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


@pytest.mark.parametrize("half", range(KILLS // SHARE))
def test_games_killed_at_random_moments_end_with_the_same_score(
    left_alone: tuple[Any, float, Path], half: int, tmp_path: Path
) -> None:
    wanted, took, quirks = left_alone
    rng, killed = random.Random(f"kill {half}"), 0
    for game in range(GAMES):
        folder, keys = tmp_path / str(game) / "game", tmp_path / str(game) / "keys"
        folder.parent.mkdir()
        came = _suffer(folder, quirks, keys, took, rng, SHARE - killed)
        killed += came
        _finish(folder, quirks, keys)  # over already, it is played anew: nothing may change
        assert _outcome(folder) == wanted
        assert not [p for p in folder.rglob(".half-*")]
        if killed == SHARE:
            break
        if came < EARLY:
            took *= 0.7  # the game that nobody killed paid for what later ones find ready
    assert killed == SHARE


def _suffer(folder: Path, quirks: Path, keys: Path, took: float, rng: random.Random, most: int) -> int:
    """Begin a game again and again and kill it, until `most` kills or its end; how many kills it were."""
    done = 0.0
    for killed in range(most):
        moment = rng.uniform(0.0, max(1.0, (took - done) * REACH))
        process = _begin(folder, quirks, keys)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            # Half of the time the children are left to notice by themselves that nobody is there.
            children = psutil.Process(process.pid).children(recursive=True) if rng.random() < 0.5 else []
            for one in (psutil.Process(process.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()
            done += moment / 2
            continue
        assert process.returncode == 0, (folder.parent / "errors.txt").read_text()[-2000:]
        return killed  # it went to its end before the moment came
    return most
