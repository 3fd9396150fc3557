"""Red against blue over rounds, each a game of its own, sealed and opened like any other.

1. Red's policy chooses a spec from what earlier rounds published; the pairs are planted by it, one of each
   enters the lineup by its coin, the truths are sealed.
2. Everybody is audited blind. Blue's policy chooses a remedy from its own audits, this round's and earlier
   ones.
3. Everybody is fixed blind by it and audited again (`second.py`); then the envelope opens, and the referee
   scores and measures what still shows.
4. A line of history says what came of it, and what it cost each side. The next round begins where both
   allowances cover one more like the dearest so far.

Each policy works in a process of its own (`core/choosing.py`): the match's folder, its opened rounds
included, is closed to it and to every audit and remedy. The same command goes on in the round that was broken
off; seconds that a killed process had spent are not charged.

Source: ours; after the red and blue teams of auditing games, Marks et al. 2025 (2503.10965).

What this cannot tell you: who would win with other policies, specs or remedies; what either side would do
with more rounds; whether a fix removed or hid (`molehunt depth MATCH/rounds/NN`). Quirks are drawn anew each
round, so that rounds differ by more than what both sides did.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from molehunt.core import asked
from molehunt.core.atomic import read_json, write_json
from molehunt.core.choosing import CHOICE, Job
from molehunt.core.errors import BadFile, FixFailed, RunMismatch, Unteachable, UserError
from molehunt.core.growing import append_lines, whole_lines
from molehunt.core.kinds import Seen, View
from molehunt.core.record_json import from_json, to_json
from molehunt.core.seal import USUAL_KEYS, keys_folder, new_run_id
from molehunt.core.splits import seed_of
from molehunt.core.store import Run
from molehunt.game import play as stages
from molehunt.game.auditing import HIDDEN, OFFLINE
from molehunt.game.children import Child, run_children
from molehunt.game.fix_task import FIXED, NOTE, Fixed, Wish
from molehunt.game.match_result import RESULTS, Result, result
from molehunt.game.match_task import Task, affordable, fit, spent
from molehunt.game.planter import DRAWS, read_planted, slot_folder
from molehunt.game.planting import given_files, note_given, private, red_folder, red_quirks, red_seed
from molehunt.game.round import Round, audit_charge, blue_turn, lead_verdicts, red_turn, stood
from molehunt.game.shipped import SHIPPED
from molehunt.game.spec import GameSpec
from molehunt.game.trial import Charge
from molehunt.game.watch import Watch
from molehunt.organisms.axes import Choice, Space
from molehunt.organisms.space import changed, plan_at

MATCH, HISTORY = "match.json", "history.jsonl"


def match(
    what: Task, folder: str | Path, watch: Watch | None = None, note: Mapping[str, Any] | None = None
) -> Result:
    """Play in `folder`, or go on there; more rounds may be asked for than were the last time.

    `note` is what the command was asked, kept in red's folder for going on (`core/asked.py`).

    Raises:
        RunMismatch: the folder holds another match. UserError: it holds something else.
    """
    watch, home = watch or Watch(None), Path(folder)
    fit(what, home)
    with Run(home).held():
        red_home = _begun(what, home)
        asked.keep(red_home, note)
        rounds = list(read_history(home))
        space, ended = what.space, "all rounds were played"
        while len(rounds) < what.rounds:
            queries = affordable(what, rounds)
            if isinstance(queries, str):
                ended = f"{queries} do not cover another round"
                break
            rounds.append(_round(what, home, red_home, space, rounds, queries, watch))
            append_lines(home / HISTORY, [to_json(rounds[-1])])
        watch.bar("match", 1.0, ended)
        found = result(what, rounds, ended)
        write_json(home / RESULTS, found)
        asked.keep(red_home, note, done=True)
    return found


def read_history(home: Path) -> tuple[Round, ...]:
    """Every round whose envelope was opened, and those that red lost.

    Raises:
        BadFile: a line is no round, or not the next.
    """
    found = tuple(from_json(Round, row) for _, row in whole_lines(home / HISTORY, cut=True))
    if [r.number for r in found] != list(range(len(found))):
        raise BadFile(f"{home / HISTORY} does not hold its rounds in order; restore it.")
    return found


def _begun(what: Task, home: Path) -> Path:
    """Write what is fixed, or hold it against what is asked; red's own folder."""
    path, plain = home / MATCH, "plain.json"
    if path.is_file():
        kept = read_json(path)
        if not isinstance(kept, dict) or {k: v for k, v in kept.items() if k not in ("id", "versions")} != (
            what.fixed
        ):
            raise RunMismatch(
                f"{home} holds another match; choose another folder, or go on with the same options."
            )
        match_id = str(kept["id"])
        if not red_folder(match_id).is_dir():
            raise BadFile(
                f"The red team's folder of {home} is not on this machine; go on where it was begun."
            )
    else:
        match_id = new_run_id()
        write_json(private(match_id) / plain, what.plan)
        write_json(path, {"id": match_id, "versions": stages.versions(), **what.fixed})
    red_home = private(match_id)
    if read_json(red_home / plain) != to_json(what.plan):
        raise RunMismatch(f"{home} was begun from another plain spec; give the same --plan and --steps.")
    note_given(red_home, [what.plan_file] if what.plan_file else [])
    red_seed(match_id, what.red_seed)
    red_quirks(match_id, what.game.quirks)
    what.judge.save(red_home / "calibration.json")
    return red_home


def _round(
    what: Task,
    home: Path,
    red_home: Path,
    space: Space,
    before: Sequence[Round],
    queries: int,
    watch: Watch,
) -> Round:
    number = len(before)
    here = home / "rounds" / f"{number:02d}"

    def tell(share: float, doing: str) -> None:
        watch.bar("match", (number + share) / what.rounds, f"round {number + 1}: {doing}")

    tell(0.0, "red chooses")
    choice, queries = _red_choice(what, home, red_home, space, before, queries)
    spec = _spec(what, red_home, space, choice, number, queries)
    tell(0.02, "planting")
    start, clock = time.monotonic(), red_home / f"clock-{number:02d}.json"
    said = changed(space, choice)
    try:
        stages.play(here, spec, watch, until="planted")
    except Unteachable as error:
        charge = Charge(plantings=_lost(here, what), planting_seconds=time.monotonic() - start)
        return Round(number, choice, said, "", (), charge, Charge(), str(error))
    if not clock.exists():
        write_json(clock, {"seconds": time.monotonic() - start})
    tell(0.5, "audit")
    stages.play(here, spec, watch, until="audited")
    tell(0.65, "blue chooses")
    remedy = _blue_choice(what, home, here, before, number)
    tell(0.67, f"fixing with {remedy}")
    wish = Wish((remedy,), (), what.creed, what.seed(number), what.fix_effort, (home.resolve(),))
    failed = ""
    try:
        stages.play(here, spec, watch, wish=wish)
    except FixFailed as error:  # blue's loss: the round ends without a second audit
        failed = str(error)
        stages.play(here, spec, watch)
    fixed = from_json(Fixed, read_json(here / FIXED / remedy / NOTE))
    red = Charge(plantings=_planted(here), planting_seconds=float(read_json(clock)["seconds"]))
    blue = audit_charge([here, here / FIXED / remedy], what.game.methods) + fixed.spent
    seen = stood(Run(here), remedy, fixed)
    return Round(number, choice, said, remedy, seen, red, blue, failed=failed)


def _spec(what: Task, red_home: Path, space: Space, choice: Choice, number: int, queries: int) -> GameSpec:
    """The round's game; its plan, quirks and coins are red's."""
    plan = red_home / f"plan-{number:02d}.json"
    write_json(plan, plan_at(space, what.plan, choice))
    secret = int(read_json(red_home / "seed.json"))
    return replace(
        what.game,
        plan=plan,
        seed=what.seed(number),
        red_seed=seed_of("match red", secret, number),
        queries=queries,
        quirks=red_home / "quirks" if what.game.quirks is not None else None,
        calibration=red_home / "calibration.json",
    )


def _red_choice(
    what: Task, home: Path, red_home: Path, space: Space, before: Sequence[Round], queries: int
) -> tuple[Choice, int]:
    """Red's spec, and the queries that the round was begun with: a round goes on as it began."""
    path = red_home / f"choice-{len(before):02d}.json"
    if not path.exists():
        red, _ = spent(before)
        limit = what.red_allowance
        left = {
            "plantings": float(limit.plantings - red.plantings),
            "seconds": None if limit.seconds is None else limit.seconds - red.planting_seconds,
        }
        turns = tuple(red_turn(r) for r in before)
        view = View(to_json(space), turns, (), left, what.seed(0))
        write_json(path, {"choice": choose("red", what.red, view, home), "queries": queries})
    kept = read_json(path)
    return _fitting(space, kept.get("choice"), what.red), int(kept["queries"])


def _fitting(space: Space, given: Any, policy: str) -> Choice:
    """A policy's choice, if it is one of the space."""
    sizes = [len(axis.values) for axis in space.axes]
    whole = isinstance(given, list) and all(type(i) is int for i in given) and len(given) == len(sizes)
    if not whole or not all(0 <= i < size for i, size in zip(given, sizes, strict=True)):
        raise UserError(f"The red policy {policy!r} chose no spec: {str(given)[:80]}.")
    return space.settled(tuple(given))


def _blue_choice(what: Task, home: Path, here: Path, before: Sequence[Round], number: int) -> str:
    path = home / "blue" / f"{number:02d}.json"
    if not path.exists():
        _, blue = spent(before)
        limit = what.blue_allowance
        left = {
            "queries": None if limit.queries is None else float(limit.queries - blue.queries),
            "seconds": None if limit.seconds is None else limit.seconds - blue.seconds,
        }
        now = tuple(Seen(v.p_shady, v.accuses) for _, v in sorted(lead_verdicts(Run(here)).items()))
        turns = tuple(blue_turn(r) for r in before if not r.lost)
        view = View(list(what.remedies), turns, now, left, what.seed(0))
        write_json(path, {"remedy": choose("blue", what.blue, view, home)})
    remedy = read_json(path).get("remedy")
    if remedy not in what.remedies:
        raise UserError(f"The blue policy {what.blue!r} chose no remedy of this match: {str(remedy)[:80]}.")
    return str(remedy)


def choose(side: str, policy: str, view: View, home: Path) -> Any:
    """One side's turn, in a process that sees the view and nothing else of the match.

    Raises:
        UserError: the policy raised, or reached for a door that is shut.
    """
    closed = tuple(
        str(p.expanduser().resolve()) for p in (keys_folder(), USUAL_KEYS, SHIPPED, home, *given_files())
    )
    with tempfile.TemporaryDirectory(prefix="mole-", ignore_cleanup_errors=True) as name:
        room = Path(name).resolve()
        write_json(room / "job.json", Job(side, policy, view, closed))
        blank = {**dict.fromkeys(HIDDEN, ""), **dict.fromkeys(OFFLINE, "1"), "TMPDIR": str(room)}
        run_children(
            [Child("molehunt.core.choosing", (str(room / "job.json"),), blank)], lambda message: None
        )
        return read_json(room / CHOICE)


def _planted(here: Path) -> int:
    """Pairs that a round took, those given up among them."""
    run = Run(here)
    red = red_folder(str(run.spec()["run_id"]))
    pairs = [read_planted(red, n) for n in range(int(run.spec()["suspects"]))]
    return sum(1 + len(p.failed) for p in pairs if p is not None)


def _lost(here: Path, what: Task) -> int:
    """Pairs that a lost round took, as far as they were noted: every draw of one place at least."""
    if not (here / "spec.json").is_file():
        return DRAWS
    red = red_folder(str(Run(here).spec()["run_id"]))
    given_up = [slot_folder(red, n) / "given_up.json" for n in range(what.game.suspects)]
    failed = sum(len(read_json(p)["failed"]) for p in given_up if p.is_file())
    return max(DRAWS, failed + len(list(red.glob("slot-*/pair.json"))))
