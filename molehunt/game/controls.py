"""The same blind fix for those that a measurement of depth sets side by side.

Of a pair, organism and decoy are treated by the remedy's own process under code names dealt by the system; of
a game, whose suspects were treated already, the decoys alone, with the seed, effort, constitution and guesses
of the suspects whose twins they are. The lineup lies in the temporary folder (`game/away.py`), and the pair's
folder or the run is closed to the remedy: what is measured is as blind as what a game fixes.
"""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from molehunt.core.atomic import HALF, read_json, whole_folder, write_json
from molehunt.core.record_json import from_json
from molehunt.core.seal import new_run_id
from molehunt.core.store import Run, stage_key
from molehunt.game.away import away
from molehunt.game.depth_task import Task
from molehunt.game.fix_task import FIXED, NOTE, Fixed, Wish, guesses_of, sha256
from molehunt.game.fixing import fix
from molehunt.game.packed import MARK
from molehunt.game.planting import FILES, enter
from molehunt.game.play import versions
from molehunt.game.spec import GameSpec, public_half
from molehunt.game.tells import around_pair
from molehunt.game.watch import Watch
from molehunt.organisms.draw import NAMES
from molehunt.remedies.room import Treated

KEY = "key.json"


def treat_controls(
    task: Task, watch: Watch, seats: Mapping[str, Path] | None = None
) -> dict[str, Mapping[str, Treated]]:
    """Fix whoever is not fixed yet; by remedy and seat what the treatment cost. Whole remedies are kept.

    Args:
        seats: adapters that are fixed, by seat; those that the task needs where None.
    """
    seats = seats or _seats(task)
    waiting = [r for r in task.remedies if not _is_whole(task, r, seats)]
    together: dict[Wish, list[str]] = {}
    for remedy in waiting:
        together.setdefault(_wish(task, remedy), []).append(remedy)
    for wish, remedies in together.items():
        _treat(task, wish, remedies, seats, watch)
    return {r: from_json(Fixed, read_json(task.home / FIXED / r / NOTE)).suspects for r in task.remedies}


def seat_of(task: Task, specimen_name: str, control: bool) -> str:
    """The seat at which one of a specimen was fixed."""
    if task.ground.run is None:
        return "decoy" if control else "organism"
    return specimen_name


def _seats(task: Task) -> dict[str, Path]:
    """Who is to be fixed, by seat. Of a game everybody, so that suspects can be asked for one by one."""
    if task.ground.run is None:
        (one,) = task.specimens
        return {"organism": one.organism, "decoy": one.decoy}
    return {s.name: s.decoy for s in task.ground.specimens}


def _wish(task: Task, remedy: str) -> Wish:
    """As the suspects were treated; a pair by what is asked."""
    seed, effort = task.settings.seed, task.effort
    if remedy in task.applied:
        kept = task.applied[remedy].settings
        seed, effort = int(kept["seed"]), float(kept["effort"])
    places = (*around_pair(task.ground.home), task.home, task.shelf, task.ground.quirk)
    closed = tuple(dict.fromkeys(p for p in (*places, *task.closed) if p is not None))
    return Wish((), (), task.creed, seed, effort, closed)


def _key(task: Task, remedy: str, seats: Mapping[str, Path]) -> str:
    wish = _wish(task, remedy)
    hashes = {seat: [sha256(folder / f) for f in FILES] for seat, folder in seats.items()}
    told = task.applied[remedy].settings.get("verdicts") if remedy in task.applied else None
    return stage_key([remedy, wish.seed, wish.effort, stage_key(wish.creed), hashes, told])


def _is_whole(task: Task, remedy: str, seats: Mapping[str, Path]) -> bool:
    """Whether this remedy was applied to these adapters under these settings, and nothing failed."""
    folder = task.home / FIXED / remedy
    if not (folder / KEY).is_file() or read_json(folder / KEY) != {"key": _key(task, remedy, seats)}:
        return False
    return not any(t.failed for t in from_json(Fixed, read_json(folder / NOTE)).suspects.values())


def _treat(task: Task, wish: Wish, remedies: Sequence[str], seats: Mapping[str, Path], watch: Watch) -> None:
    names = {s: s for s in seats}
    if task.ground.run is None:
        # A remedy's room is numbered by its patient's place among the names: they must tell nothing.
        names = dict(zip(seats, random.SystemRandom().sample(NAMES, len(seats)), strict=True))
    with away(task.home) as folder:
        run = Run(folder)
        spec = GameSpec(len(seats), task.ground.model, task.ground.revision)
        with run.held():
            run.write_spec({**public_half(spec), "run_id": new_run_id(), "versions": versions()})
            write_json(folder / MARK, {})
            enter(folder, {names[s]: path for s, path in seats.items()}, task.ground.model)
            if task.ground.run is not None and any(task.applied[r].settings["verdicts"] for r in remedies):
                guesses_of(task.ground.run)  # only what was logged may guide
                shutil.copyfile(task.ground.home / "verdicts.json", folder / "verdicts.json")
            for fixed in fix(run, replace(wish, remedies=tuple(remedies)), watch):
                _keep(task, fixed, folder, names, seats)


def _keep(
    task: Task, fixed: Fixed, folder: Path, names: Mapping[str, str], seats: Mapping[str, Path]
) -> None:
    """Copy what a remedy made into the measurement's folder, by seat, wholly or not at all."""
    made = folder / FIXED / fixed.remedy / "suspects"
    by_seat = {seat: fixed.suspects[name] for seat, name in names.items()}
    with whole_folder(task.home / FIXED / fixed.remedy) as half:
        for seat, name in names.items():
            if (made / name).is_dir():
                shutil.copytree(made / name, half / seat, ignore=shutil.ignore_patterns(f"{HALF}*"))
        kept = Fixed(fixed.remedy, fixed.key, fixed.settings, fixed.versions, by_seat)
        write_json(half / NOTE, kept)
        write_json(half / KEY, {"key": _key(task, fixed.remedy, seats)})
