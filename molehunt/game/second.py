"""Between the first audit and the envelope: one blind fix for everybody, and a second audit of what it made.

1. Every suspect gets the same remedy (`fixing.py`): whoever fixes cannot know who is shady.
2. The fixed lineup, `RUN/fixed/REMEDY`, is audited by the same methods, with the same budget and calibration
   and a seed of its own, in the same locked room, to which the run around it is closed.
3. Its verdicts are hashed into the run's log, in one entry. Only then may the envelope open.

After that the referee scores both audits (`score_second`), and `remains.py` measures what still shows.

What this cannot tell you: odds come from practice on models that nobody had fixed, so a probability after a
fix is believed on trust. A suspect that is no longer accused may carry what was planted all the same: whether
it was removed or hidden says `molehunt depth`. Which remedy is chosen may rest on the first audit, and on
nothing else.
"""

import dataclasses
from pathlib import Path

from molehunt.core.errors import FixFailed, SealBroken, UserError
from molehunt.core.on_record import before_opening, second_audits
from molehunt.core.record_json import to_json
from molehunt.core.records import Truth
from molehunt.core.store import Run, stage_key
from molehunt.game.auditing import CALIBRATION, salt_of
from molehunt.game.fix_task import FIXED, Fixed, Wish, sha256
from molehunt.game.fixing import fix
from molehunt.game.handing_in import is_open
from molehunt.game.opening import ledger_of, vault_of
from molehunt.game.packed import audit_packed
from molehunt.game.planting import FILES
from molehunt.game.scoring import score_run
from molehunt.game.spec import Until
from molehunt.game.watch import Watch


def fit_to_fix(folder: Path, wish: Wish, until: Until) -> None:
    """Look before anything is written at the fix that a game is to go on with.

    Raises:
        UserError: no such remedy, some suspects only, a game that stops before its audit, or one whose
            envelope is open.
    """
    wish.checked()
    if wish.suspects:
        raise UserError("A game fixes every suspect alike: name none.")
    if until == "planted":
        raise UserError("--fix comes after the audit, and --until planted stops before it; leave one out.")
    run = Run(folder)
    if (folder / "log.jsonl").exists() and is_open(run):
        late = [r for r in wish.remedies if r not in audited_again(run)]
        if late:
            raise UserError(
                f"The envelope of {folder} is open, so a second audit after {late[0]} comes too late; "
                f"`molehunt fix` and `molehunt depth` take this game as it is, or play a new one with --fix."
            )


def audited_again(run: Run) -> tuple[str, ...]:
    """The remedies after which an audit stands in the log, from before the envelope was opened.

    Raises:
        SealBroken: the log does not verify.
    """
    return second_audits(ledger_of(run.folder, str(run.spec()["run_id"])).verify())


def fix_stage(run: Run, wish: Wish, watch: Watch) -> None:
    """Fix everybody, audit again, put the verdicts on record, remedy by remedy. Whole ones are kept.

    Raises:
        FixFailed: a remedy raised on somebody; nothing is opened.
        RunMismatch: the lineup was fixed by other settings.
    """
    for remedy in wish.remedies:
        one = dataclasses.replace(wish, remedies=(remedy,))
        stage, key = f"second audit: {remedy}", _key(run, one)
        if run.done(stage, key):
            continue
        if is_open(run):
            raise UserError(f"The envelope of {run.folder} is open; it can't be fixed otherwise now.")
        (fixed,) = fix(run, one, watch)
        _all_treated(fixed)
        verdicts = ()
        lineup = Run(run.folder / FIXED / remedy)
        if (lineup.folder / "suspects").is_dir():
            own = run.folder / CALIBRATION
            salt = salt_of(run.folder, str(run.spec()["run_id"]))
            with lineup.held():
                audit_packed(lineup, watch, own if own.exists() else None, salt, f"after {remedy}")
            verdicts = lineup.verdicts()
        vault_of(run.folder, str(run.spec()["run_id"])).log_second(remedy, verdicts)
        run.finish(stage, key)


def score_second(run: Run, opened: tuple[Truth, ...], watch: Watch) -> None:
    """Score every second audit that is on record, and measure what still shows.

    Raises:
        SealBroken: a verdict or a fixed adapter is not the one that was logged.
    """
    from molehunt.game.remains import measure_remains

    vault = vault_of(run.folder, str(run.spec()["run_id"]))
    for remedy in audited_again(run):
        lineup = Run(run.folder / FIXED / remedy)
        verdicts = lineup.verdicts() if (lineup.folder / "verdicts.json").exists() else ()
        vault.check_verdicts(verdicts, remedy)
        check_fixed(run, remedy)
        stage, key = f"second score: {remedy}", stage_key({"verdicts": to_json(verdicts)})
        if verdicts and not run.done(stage, key):
            score_run(lineup, verdicts, opened, int(run.spec()["seed"]))
            run.finish(stage, key)
        measure_remains(run, remedy, opened, watch)


def check_fixed(run: Run, remedy: str) -> None:
    """Hold the fixed adapters against what was logged when they were made.

    Raises:
        SealBroken: one is another, or is missing.
    """
    entries = before_opening(ledger_of(run.folder, str(run.spec()["run_id"])).verify())
    made = [e for e in entries if e.kind == "fixed" and e.body.get("remedy") == remedy]
    for name, wanted in (made[-1].body["adapters"] if made else {}).items():
        path = run.folder / FIXED / remedy / "suspects" / name / FILES[1]
        if not path.is_file() or sha256(path) != wanted:
            raise SealBroken(f"What {remedy} made of {name!r} is not the adapter that was logged.")


def _key(run: Run, wish: Wish) -> str:
    """Of all that a fix and its audit rest on."""
    adapters = {p.parent.name: sha256(p) for p in sorted(run.folder.glob(f"suspects/*/{FILES[1]}"))}
    asked = {**to_json(wish), "closed": []}
    return stage_key({"stage": "second audit", "wish": asked, "adapters": adapters, "spec": run.spec()})


def _all_treated(fixed: Fixed) -> None:
    failed = {n: t.failed for n, t in fixed.suspects.items() if t.failed is not None}
    if failed:
        name, why = min(failed.items())
        raise FixFailed(
            f"{fixed.remedy} failed on {name} ({why}); nothing was opened: run the same command to try "
            "again, or open the game as it is with `molehunt score`."
        )
