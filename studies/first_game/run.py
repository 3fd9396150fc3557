"""Twenty games of four suspects, pooled: what the first game can do on the default model.

    python studies/first_game/run.py [--games 20] [--game.model default] [--work runs/studies/first_game]

Each game is played in a process and a run folder of its own; its red seed is fixed in advance
(`red_seed_of`). The first half plant their own pairs; each of the others is the twin of one of them and
plays the other of every pair (`molehunt/game/twins.py`). Stop it whenever you like: the same command goes
on, and the tables are made anew after every game from those that are in. Scores are taken over all games
together, so that chance deals guesses across games. Writes `results.json` and the table in `README.md`
beside this file.

Time is wall time of a game's own process, summed over its sittings; memory is the proportional set
size of its whole process tree, sampled every three seconds. Opening the vaults again needs their keys:
run it where the games were played.
"""

import dataclasses
import datetime
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pooling import (
    PANEL,
    Number,
    cost,
    first_tries,
    games,
    judge_of,
    own_coin,
    planting,
    pooled,
    turned,
    whole,
)
from table import ROWS, into_page, table

from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.core.splits import seed_of
from molehunt.game.play import play, versions
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Study:
    """How many games, of which kind, and where they lie."""

    games: int = 20
    """Games in all; those that are already whole are not played again."""
    planted: int = 10
    """Games that plant pairs of their own; game `planted + n` is the twin of game n."""
    pool: bool = False
    """Play nothing: make the tables anew from the games that are in."""
    work: Path = Path("runs/studies/first_game")
    """Folder of the games' run folders."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    game: GameSpec = field(default_factory=GameSpec)
    """Every game, but for its two seeds, which are set by its number."""


def red_seed_of(number: int) -> int:
    """The red team's seed of a game: 63 bits of a SHA-256 that anyone can take again."""
    return seed_of("molehunt", "studies/first_game", number)


def main() -> None:
    """Play what is missing, one game after the other; write the tables after each."""
    import tyro

    study = tyro.cli(Study, description=__doc__)
    for number in sorted(range(study.games), key=lambda n: (n % study.planted, n)):
        if not study.pool and not whole(study.work / f"{number:02d}"):
            sit(study, number)
            write(study)
    write(study)


def sit(study: Study, number: int) -> None:
    """One sitting of one game: play on to its end or failure, and keep its clock."""
    folder = study.work / f"{number:02d}"
    clock = folder.with_suffix(".clock.json")
    before = read_json(clock) if clock.exists() else []
    twin = study.work / f"{number - study.planted:02d}" if number >= study.planted else None
    spec = dataclasses.replace(study.game, seed=number, red_seed=red_seed_of(number), twin=twin)
    process = multiprocessing.get_context("spawn").Process(target=_play, args=(folder, spec), daemon=True)
    study.work.mkdir(parents=True, exist_ok=True)
    start, peak, turn = time.monotonic(), 0, 0
    process.start()
    while process.is_alive():
        process.join(timeout=1)
        turn += 1
        if turn % 3 == 0:  # reading it takes the system a tenth of a second, which the game would lose
            peak = max(peak, _memory(process.pid))
        if turn % 5 == 0 or not process.is_alive():
            # Written as it goes: a killed sitting loses five seconds of its clock at most.
            now = {"seconds": time.monotonic() - start, "peak_bytes": peak, "commit": commit()}
            write_json(clock, [*before, now])


def _play(folder: Path, spec: GameSpec) -> None:
    # A game whose clock is gone ends too: it would hold its folder against the next sitting.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    failure = folder.with_suffix(".failure.json")
    try:
        with watching() as watch:
            play(folder, spec, watch)
        failure.unlink(missing_ok=True)
    except MolehuntError as error:
        write_json(failure, f"{type(error).__name__}: {error}")
        print(f"game {folder.name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(130)


def _memory(pid: int | None) -> int:
    """Bytes of a process and all below it; shared pages count once where the system can tell."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                full = process.memory_full_info()
                total += getattr(full, "pss", full.rss)
            except psutil.Error:
                continue  # it ended between being listed and being read
    except psutil.Error:
        return 0
    return total


def help_seconds(runs: int = 7) -> Number:
    """Wall time of `molehunt --help` in a fresh process."""
    command = [sys.executable, "-c", "from molehunt.cli import main; main()", "--help"]
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        if subprocess.run(command, capture_output=True).returncode:
            return NotMeasured("`molehunt --help` failed")
        times.append(time.perf_counter() - start)
    return stats.mean(times, [str(i) for i in range(runs)], unit="s", how="wall time of a fresh process")


def write(study: Study) -> None:
    """Write `results.json` and the table in `README.md` from the games that are in."""
    calibration = judge_of(study.work)
    found = games(study.work, study.planted, calibration)
    scores = pooled(found, calibration)
    numbers: dict[str, Number] = {**planting(found), **cost(found), "help_seconds": help_seconds()}
    if PANEL in scores:
        rows, fit = scores[PANEL].suspects, calibration.auditors.get(PANEL) if calibration else None
        numbers |= {**scores[PANEL].measures, "who_auroc_turned": turned(rows)}
        numbers |= own_coin(found, rows, fit.threshold if fit else None)
    failed = {p.name[:2]: read_json(p) for p in sorted(study.work.glob("*.failure.json"))}
    missing = {name: NotMeasured("no game is in yet") for name, *_ in ROWS}
    result = {
        "date": datetime.date.today().isoformat(),
        "seed": {"audit": "the game's number", "red": [red_seed_of(n) for n in range(study.games)]},
        "commit": ", ".join(sorted({s["commit"] for g in found for s in g.sittings})) or commit(),
        "games": {"in": len(found), "of": study.games, "failed": failed},
        "machine": machine(),
        "calibration": dict(calibration.provenance) if calibration else None,
        "measures": to_json({**missing, **numbers}),
        "auditors": {name: to_json(s.measures) for name, s in scores.items() if name != PANEL},
        "suspects": to_json(scores[PANEL].suspects) if PANEL in scores else [],
        "pairs": [
            {"game": g.name, "lessons": t.recipe["lessons"], "first_tries": first_tries(t.recipe),
             "tries": t.recipe["tries"], "failed_draws": t.recipe["failed_draws"]}
            for g in found if not g.twin for t in g.truths
        ],
    }  # fmt: skip
    study.out.mkdir(parents=True, exist_ok=True)
    write_json(study.out / "results.json", result)
    into_page(study.out / "README.md", table(result))


def machine() -> dict[str, Any]:
    """What the games ran on."""
    from molehunt.models.machine import this_machine

    here = this_machine()
    memory = {"memory_gib": round(psutil.virtual_memory().total / 2**30, 1)}
    return {**dataclasses.asdict(here), "dtype": here.dtype, **memory, "versions": dict(versions())}


if __name__ == "__main__":
    main()
