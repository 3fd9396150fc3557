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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sklearn.metrics import roc_auc_score
from table import ROWS, into_page, table

from molehunt.audit import calibration as practice
from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError, UserError
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured, Score, Truth, Verdict
from molehunt.core.seal import load_key
from molehunt.core.splits import seed_of
from molehunt.core.store import Run
from molehunt.game.auditing import CALIBRATION
from molehunt.game.opening import READS, vault_of
from molehunt.game.play import play, versions
from molehunt.game.scoring import baselines
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching
from molehunt.referee.scoring import Case, measures, score

HERE = Path(__file__).parent
PANEL = "panel"
OWN_COIN = ("who_auroc", "false_accusations", "log_score_gain")
"""Measures that are also given for the games whose coins were all thrown: twins turn another game's."""
Number = Measure | NotMeasured


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


def whole(folder: Path) -> bool:
    """Whether that game was played to its end."""
    return {"score", "report"} <= set(Run(folder).stages())


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


@dataclass(frozen=True)
class Game:
    """One game that is in."""

    name: str
    truths: tuple[Truth, ...]
    verdicts: tuple[Verdict, ...]
    naive: Mapping[str, Mapping[str, float]]
    sittings: Sequence[Mapping[str, Any]]
    twin: bool
    """Whether its pairs are those of another game."""


def judge_of(work: Path) -> practice.Calibration | None:
    """The calibration by which all whole games were judged.

    Raises:
        UserError: they were judged by different ones, so that their scores can't be pooled.
    """
    files = [p.parent / CALIBRATION for p in sorted(work.glob("*/spec.json")) if whole(p.parent)]
    texts = {f.read_text() if f.exists() else "" for f in files}
    if len(texts) > 1:
        raise UserError(
            f"The games in {work} were judged by different calibrations; play them in two folders."
        )
    return practice.load(files[0]) if files and files[0].exists() else None


def games(study: Study, calibration: practice.Calibration | None) -> list[Game]:
    """Every whole game of the study, its verdicts held against its log, its vault opened again."""
    found = []
    for folder in sorted(p.parent for p in study.work.glob("*/spec.json")):
        if not whole(folder):
            continue
        run = Run(folder)
        run_id = str(run.spec()["run_id"])
        vault, verdicts = vault_of(folder, run_id), run.verdicts()
        vault.check_verdicts(verdicts)
        clock = folder.with_suffix(".clock.json")
        twin, own = divmod(int(folder.name), study.planted) if folder.name.isdecimal() else (0, folder.name)
        found.append(
            Game(
                folder.name,
                tuple(_of_pair(t, own) for t in vault.open(load_key(run_id))),
                verdicts,
                baselines(folder, calibration),
                read_json(clock) if clock.exists() else [],
                bool(twin),
            )
        )
    return found


def _of_pair(truth: Truth, game: int | str) -> Truth:
    """The truth with the pair that its suspect is of: both of it play, so that pairs are the clusters."""
    pair = f"{game}/{truth.recipe['slot']}"
    return dataclasses.replace(truth, recipe={**truth.recipe, "pair": pair})


def pooled(found: Sequence[Game], calibration: practice.Calibration | None) -> dict[str, Score]:
    """One score an auditor over all games together, the panel first."""
    auditors = sorted({v.auditor for g in found for v in g.verdicts}, key=lambda a: (a != PANEL, a))
    scores = {}
    for auditor in auditors:
        cases = [
            Case([v for v in g.verdicts if v.auditor == auditor], g.truths, g.naive, g.name) for g in found
        ]
        fit = calibration.auditors.get(auditor) if calibration else None
        scores[auditor] = score(cases, READS, threshold=fit.threshold if fit else None)
    return scores


def _by(auditor: str, verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.auditor == auditor]


def turned(rows: Sequence[Mapping[str, Any]], seed: int = 0, draws: int = 2000) -> Number:
    """The null of `who_auroc`: each pair's labels stay or turn by a coin, and all is ranked again."""
    judged = [r for r in rows if r["p"] is not None]
    pairs = sorted({r["cluster"] for r in judged})
    values = []
    for coins in np.random.default_rng(seed).random((draws, len(pairs))) < 0.5:
        turn = dict(zip(pairs, coins, strict=True))
        shady = [r["shady"] != turn[r["cluster"]] for r in judged]
        if any(shady) and not all(shady):
            values.append(float(roc_auc_score(shady, [r["p"] for r in judged])))
    if not values:
        return NotMeasured("no game is in yet")
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    how = f"{draws} times, labels of a pair turned by a coin; the largest is {max(values):.2f}"
    return Measure(float(middle), "AUROC", len(judged), how, float(low), float(high))


def own_coin(
    found: Sequence[Game], rows: Sequence[Mapping[str, Any]], threshold: float | None
) -> dict[str, Number]:
    """`OWN_COIN` over the suspects of the games that planted their own pairs, from a pooled score's rows."""
    thrown = {g.name for g in found if not g.twin}
    alone = measures([r for r in rows if r["game"] in thrown], threshold) if thrown else {}
    return {f"{name}_own_coin": alone[name] for name in OWN_COIN if alone}


def planting(found: Sequence[Game]) -> dict[str, Number]:
    """What the vaults say of planting, decoys' pairs included: each slot plants a whole pair, once."""
    seats = [(g.name, t.recipe) for g in found if not g.twin for t in g.truths]
    tried = [(f"{g}/{r['slot']}", ok) for g, r in seats for ok in first_tries(r)]
    return {
        "plant_seconds": stats.mean(
            [r["organism_seconds"] for _, r in seats],
            [g for g, _ in seats],
            unit="s",
            how="wall time to train and look at an organism, failed tries included, others planted beside it",
        ),
        "plant_valid_first_try": stats.proportion(
            [ok for _, ok in tried],
            [slot for slot, _ in tried],
            how="drawn pairs that were valid at their first try, draws given up included",
        ),
    }


def first_tries(recipe: Mapping[str, Any]) -> list[bool]:
    """For each pair that a slot drew, whether its first try was valid: all but the last were given up."""
    return [False] * len(recipe["failed_draws"]) + [recipe["tries"] == 1]


def cost(found: Sequence[Game]) -> dict[str, Number]:
    """Minutes and memory by the clock of the sittings; a twin plants nothing, so it tells no time."""
    timed = [g for g in found if g.sittings and not g.twin]
    if not timed:
        missing = NotMeasured("no game that is in was timed")
        return {"game_minutes": missing, "peak_memory": missing}
    minutes = [sum(s["seconds"] for s in g.sittings) / 60 for g in timed]
    peak = max(s["peak_bytes"] for g in found for s in g.sittings) / 2**30
    how = "largest proportional set size of a game's process tree, sampled every three seconds"
    return {
        "game_minutes": stats.mean(
            minutes, [g.name for g in timed], unit="min", how="wall time of a game's process, all sittings"
        ),
        "peak_memory": Measure(peak, "GiB", len(found), how),
    }


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
    found = games(study, calibration)
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


def commit() -> str:
    """The commit that is checked out, with a mark where the code was changed since."""
    here = {"capture_output": True, "text": True, "cwd": HERE}
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **here).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", "../../molehunt"], **here).stdout.strip()
    return (head or "unknown") + ("+changes" if changed else "")


if __name__ == "__main__":
    main()
