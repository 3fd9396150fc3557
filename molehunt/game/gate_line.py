"""Gates in a lineage: each is recorded with the hash of its results, and moves what is current or does not.

A version that passes becomes the current one; where one is stopped, the last good one stays. Nothing is
deleted. Weights that were stopped under some bounds are not asked again under the same, from another version
or with other items, until they pass by luck; and what was rolled back does not come back. The folder:
`lineage.json`, `answers/` (a file a version), and a folder a gate in `gates/`, with the files that
`game/gating.py` names; another audit of the same version is another folder, so that what was recorded stays.
"""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from molehunt.core import lineage as line
from molehunt.core.asked import under_way
from molehunt.core.errors import UserError
from molehunt.core.lineage import Edge, Lineage
from molehunt.core.records import NotMeasured
from molehunt.core.store import Run
from molehunt.game.gating import RESULTS, Gated, Wish, hold_against, keep, opened
from molehunt.game.named import Name, meant, open_named
from molehunt.game.overseer import Overseen
from molehunt.game.watch import Watch
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.local import LocalModel


def gate_in_line(
    asked: Wish,
    home: Path,
    watch: Watch | None = None,
    *,
    made_by: Mapping[str, str] | None = None,
    note: Mapping[str, Any] | None = None,
) -> tuple[Gated, Lineage]:
    """As `gating.gate`, recorded in the lineage of `home`; without one it is begun with the old version.

    `made_by` holds hashes of what made the new version: recipe, rows, code. `note` is kept for going on
    (`core/asked.py`).

    Raises:
        UserError: the old version is not in the lineage or not good, or the new one was stopped there before.
    """
    watch = watch or Watch(None)
    there = (home / line.FILE).is_file()
    before = line.read_lineage(home) if there else None
    old, new = opened(asked)
    first = None
    if before is not None:  # whoever may not come to this gate hears so before the first version is opened
        _, name_old, _ = _met(before, asked, home, old, new, made_by)
        first = None if name_old == before.first else _first(before, home, asked.dtype, (old, new))
    with Run(home).held():
        if (home / line.FILE).is_file() != there:
            raise UserError(f"Another gate began or took away the lineage of {home}; run this one again.")
        before = line.read_lineage(home) if there else line.begun(checkpoint_of(old, home), _now())
        known, name_old, name_new = _met(before, asked, home, old, new, made_by)
        how = f"{asked.seed}-{asked.bounds.sha256[:8]}-{asked.way[:8]}"
        folder = home / "gates" / f"{name_old}-{name_new}-{how}"
        names = (name_old, name_new)
        with under_way(home, note):
            found = hold_against(asked, old, new, first, home / "answers", folder, names, watch)
            if found.passed and (stopped := _stopped(known, name_new, asked)) is not None:
                raise _no_second_try(stopped)  # another audit, or none, lets it off what this one said
            keep(found)
        edge = _edge(found, asked, home, folder)
        if _same(known.last_edge(name_new), edge):
            return found, known
        after = line.recorded(known, edge)
        line.write_lineage(home, after)
    return found, after


def roll_back(home: Path, why: str, to: str = "") -> Lineage:
    """Point the current version at the last good one before it, or at the good version `to`.

    Raises:
        UserError: there is none to go back to, or no reason is given. BadFile: there is no lineage.
        UnknownName: no such version.
    """
    line.read_lineage(home)
    with Run(home).held():
        after = line.rolled_back(line.read_lineage(home), why, _now(), to)
        line.write_lineage(home, after)
    return after


def _met(
    before: Lineage,
    asked: Wish,
    home: Path,
    old: LocalModel,
    new: LocalModel,
    made_by: Mapping[str, str] | None,
) -> tuple[Lineage, str, str]:
    """The lineage with both in it, and their names there; refuses what may not be gated from or again."""
    name_old = before.name_of(old.fingerprint)
    if name_old is None:
        raise UserError(
            f"{asked.old} does not stand in the lineage of {home}; begin from {before.current}, which is "
            "current there, or in another folder (--lineage DIR; --out DIR records nothing)."
        )
    if why := before.why_bad(name_old):
        raise UserError(f"{asked.old} is no version to go on from. {why}")
    known, new_one = line.met(before, checkpoint_of(new, home, made_by, parent=old.fingerprint))
    if new_one in (known.first, *known.forebears(name_old)):
        raise UserError(f"{name_old} comes from {new_one}; the new version has to be the later one.")
    if why := known.withdrawn(new_one):
        raise UserError(
            f"{new_one} was rolled back ({why[:200]}); the same weights don't come back. Train anew."
        )
    stopped = _stopped(known, new_one, asked)
    if stopped is not None and (stopped.old, stopped.seed) != (name_old, asked.seed):
        raise _no_second_try(stopped)
    return known, name_old, new_one


def _stopped(known: Lineage, new: str, asked: Wish) -> Edge | None:
    """The last gate, from whatever version, that stopped the new one under the same bounds."""
    edges = (e for e in reversed(known.edges) if (e.new, e.bounds) == (new, asked.bounds.sha256))
    return next((e for e in edges if not e.passed), None)


def _no_second_try(stopped: Edge) -> UserError:
    return UserError(
        f"{stopped.new} was stopped under these bounds already, from {stopped.old} with --seed "
        f"{stopped.seed}; the same weights are not asked again until they pass. Train anew."
    )


def first_of(known: Lineage, home: Path) -> Name:
    """What the first of the line is opened by. Errors as `named.meant`."""
    first = known.versions[known.first]
    where = str(home / first.adapter) if first.adapter else first.base
    return replace(meant(where, first.base, first.revision or None), said=known.first)


def _first(known: Lineage, home: Path, dtype: str, beside: tuple[LocalModel, LocalModel]) -> LocalModel:
    (first,) = open_named([first_of(known, home)], dtype, beside)
    if first.fingerprint != known.versions[known.first].fingerprint:
        raise UserError(
            f"{known.first}, the first of the line, is not what it was; restore its weights, or open it in "
            "the same precision with --dtype."
        )
    return first


def _edge(found: Gated, asked: Wish, home: Path, folder: Path) -> Edge:
    audit = found.audit
    return Edge(
        old=found.old,
        new=found.new,
        passed=found.passed,
        why=found.why,
        audit=audit.reason if isinstance(audit, NotMeasured) else audit.said(),
        cleared=isinstance(audit, Overseen) and not audit.accuses,
        results=str((folder / RESULTS).relative_to(home)),
        sha256=hashlib.sha256((folder / RESULTS).read_bytes()).hexdigest(),
        bounds=asked.bounds.sha256,
        seed=asked.seed,
        at=_now(),
    )


def _same(before: Edge | None, now: Edge) -> bool:
    """Whether a gate was recorded before just so: the same command again is no news."""
    return before is not None and replace(before, at=now.at) == now


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
