"""Verdicts from outside the run's own audit: a person's, or another team's.

Each auditor's lie whole in `handed_in/NAME.json`; from there they are hashed into the log and set
beside the methods' own in `verdicts.json`. A kill between those steps is mended by `settle`, which
every later stage calls. Once the envelope is open nothing more is taken.
"""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.extend import names
from molehunt.core.pattern import compiled
from molehunt.core.record_json import from_json
from molehunt.core.records import Verdict
from molehunt.core.store import Run
from molehunt.game.opening import ledger_of, vault_of

HANDED_IN = "handed_in"
TAKEN = ("panel", "chance", "truth")
"""Auditors' names that mean something already, beside those of the methods."""


def is_open(run: Run) -> bool:
    """Whether this run's envelope was opened.

    Raises:
        SealBroken: the log does not verify.
    """
    return any(e.kind == "opened" for e in ledger_of(run.folder, str(run.spec()["run_id"])).verify())


def refuse_if_open(run: Run) -> None:
    """Verdicts are taken while a lineup is sealed, and not later.

    Raises:
        UserError: nothing is sealed here yet, or the envelope is open.
    """
    if not (run.folder / "vault.sealed").exists():
        raise UserError(
            f"{run.folder} holds no sealed lineup; plant one with `molehunt play --until planted`."
        )
    if is_open(run):
        raise UserError(f"The envelope of {run.folder} is open; a verdict can no longer be handed in.")


def hand_in(run: Run, auditor: str, verdicts: Sequence[Verdict]) -> None:
    """Put an auditor's verdicts on record; one on the same suspect replaces the one before.

    Raises:
        UserError: the envelope is open, the name is taken, a probability lies outside 0 to 1, a number cannot
            be, or a guess's pattern is none.
        UnknownName: a suspect who does not stand in the lineup.
    """
    refuse_if_open(run)
    free_name(auditor)
    _fit_to_hand_in(run, verdicts)
    path = run.folder / HANDED_IN / f"{auditor}.json"
    kept = {v.suspect: v for v in (_read(path) if path.exists() else ())}
    # Rows of evidence count in the auditor's own file, which is not here.
    own = {v.suspect: dataclasses.replace(v, auditor=auditor, evidence=()) for v in verdicts}
    write_json(path, [v for _, v in sorted({**kept, **own}.items())])
    settle(run)


def settle(run: Run) -> None:
    """Bring `verdicts.json` and the log up to what was handed in; nothing where the envelope is open."""
    files = sorted((run.folder / HANDED_IN).glob("*.json"))
    if not files or is_open(run):
        return
    vault = vault_of(run.folder, str(run.spec()["run_id"]))
    outside = {path.stem: _read(path) for path in files}
    for auditor, verdicts in outside.items():
        vault.log_verdicts(auditor, verdicts)
    there = run.verdicts() if (run.folder / "verdicts.json").exists() else ()
    own = [v for v in there if v.auditor not in outside]
    run.write_verdicts([*own, *(v for verdicts in outside.values() for v in verdicts)])


def bring_back(run: Run, file: Path, team: str) -> tuple[str, ...]:
    """Hand in the verdicts that another team wrote (their `verdicts.json`), each auditor as `TEAM.AUDITOR`.

    Returns:
        The auditors' names.

    Raises:
        BadFile: the file holds no verdicts, or an auditor judges one suspect twice.
    """
    refuse_if_open(run)
    theirs: dict[str, dict[str, Verdict]] = {}
    for verdict in _read(file):
        mine = theirs.setdefault(f"{team}.{verdict.auditor}", {})
        if verdict.suspect in mine:
            raise BadFile(f"{file} holds two verdicts of {verdict.auditor!r} on {verdict.suspect!r}.")
        mine[verdict.suspect] = verdict
    if not theirs:
        raise BadFile(f"{file} holds no verdicts.")
    for auditor, mine in theirs.items():  # all are looked at before any is taken
        free_name(auditor)
        _fit_to_hand_in(run, list(mine.values()))
    for auditor, verdicts in sorted(theirs.items()):
        hand_in(run, auditor, [dataclasses.replace(v, auditor=auditor) for v in verdicts.values()])
    return tuple(sorted(theirs))


def _fit_to_hand_in(run: Run, verdicts: Sequence[Verdict]) -> None:
    lineup = sorted(p.name for p in (run.folder / "suspects").iterdir() if p.is_dir())
    for verdict in verdicts:
        if verdict.suspect not in lineup:
            raise UnknownName("suspect", verdict.suspect, lineup)
        if not 0.0 <= verdict.p_shady <= 1.0:
            raise UserError(
                f"The probability for {verdict.suspect} is {verdict.p_shady}; it goes from 0 to 1."
            )
        spent = (verdict.spent.queries, verdict.spent.tokens, verdict.spent.seconds)
        numbers = (*(g.weight for g in verdict.guesses), *spent, verdict.accuses_above or 0.0)
        if not all(math.isfinite(n) for n in numbers):
            raise UserError(
                f"The verdict on {verdict.suspect} holds a number that is none (NaN or infinite)."
            )
        if min(numbers) < 0 or (verdict.accuses_above or 0.0) > 1:
            raise UserError(
                f"The verdict on {verdict.suspect} has a weight or cost below 0, or accuses above 1."
            )
        for guess in verdict.guesses:
            for one in (guess.what, guess.when):
                if one.kind == "pattern":
                    compiled(one.text)


def free_name(auditor: str) -> str:
    """The name, if an auditor from outside may be called so.

    Raises:
        UserError: it is no plain name, or a method's.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", auditor):
        raise UserError(
            f"{auditor[:80]!r} is no auditor's name: letters, digits, '.', '-' and '_', 64 at most."
        )
    if auditor in (*TAKEN, *names("audit.methods")) or auditor.startswith("baseline"):
        raise UserError(f"An auditor here is already called {auditor!r}; choose another name.")
    return auditor


def _read(path: Path) -> tuple[Verdict, ...]:
    value = read_json(path)
    if not isinstance(value, list):
        raise BadFile(f"{path} should hold a list of verdicts.")
    try:
        return tuple(from_json(Verdict, v) for v in value)
    except BadFile as error:
        raise BadFile(f"{path} does not hold verdicts: {error}") from None
