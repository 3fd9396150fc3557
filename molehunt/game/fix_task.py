"""What a fix is asked to be, and what of it is left to do: looked at before anything is loaded or written.

A stranger's remedy is never read in here, where the key is: what it declares is asked of its own room.
"""

import hashlib
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, RunMismatch, UnknownName, UserError
from molehunt.core.extend import load_set, names, outside, plain
from molehunt.core.kinds import Creed
from molehunt.core.record_json import from_json
from molehunt.core.records import Guess, Spent
from molehunt.core.seal import USUAL_KEYS, keys_folder
from molehunt.core.store import Run, stage_key
from molehunt.game.auditing import HIDDEN, OFFLINE, enclosing
from molehunt.game.children import Child, run_children
from molehunt.game.opening import vault_of
from molehunt.game.packed import is_packed
from molehunt.game.planting import FILES, given_files
from molehunt.game.play import no_suspects, versions
from molehunt.game.shipped import SHIPPED
from molehunt.remedies.creed import read_creed
from molehunt.remedies.room import CARD, Card, Job, Treated

FIXED, NOTE = "fixed", "fix.json"
REMEDIES = "remedies.fixes"
MOST_RANK = 256
"""Of a remedy's changes: every map of every suspect is padded to it."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a fix."""

    remedies: tuple[str, ...]
    """By name, as `core.extend.load_set` reads it."""
    suspects: tuple[str, ...] = ()
    """Code names; all where there are none."""
    creed: Creed = field(default_factory=read_creed)
    seed: int = 0
    effort: float = 1.0
    closed: tuple[Path, ...] = ()
    """Further folders in which a remedy may read nothing, beside the run's own and the keys'."""

    def checked(self) -> "Wish":
        """This wish, if it can be met.

        Raises:
            UserError: names the option and the mend.
        """
        if not self.remedies or named_twice(self.remedies):
            raise UserError(
                f"--remedy names none, or one twice; known: {', '.join(names('remedies.fixes'))}."
            )
        if not 0 < self.effort < math.inf:
            raise UserError(f"The effort of a fix is {self.effort}; it should be above 0, and finite.")
        return self


@dataclass(frozen=True)
class Fixed:
    """What `fix.json` holds: one remedy's work on a lineup so far."""

    remedy: str
    key: str
    """Hash of the settings and of the lineup: under another one the folder is another fix."""
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    suspects: Mapping[str, Treated] = field(default_factory=dict)

    @property
    def spent(self) -> Spent:
        """What it cost so far, by its rooms' clocks."""
        rows = self.suspects.values()
        return Spent(tokens=sum(t.tokens for t in rows), seconds=sum(t.seconds for t in rows))


@dataclass(frozen=True)
class Task:
    """One remedy to be applied to some suspects of a run."""

    run: Run
    card: Card
    fixed: Fixed
    waiting: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where this remedy's work lies."""
        return self.run.folder / FIXED / self.card.name


def tasks_of(run: Run, wish: Wish) -> tuple[Task, ...]:
    """What there is to do, looked at before anything is loaded or written. Errors as `fixing.fix`."""
    wish = wish.checked()
    lineup = run.folder / "suspects"
    known = sorted(p.name for p in lineup.iterdir() if p.is_dir()) if lineup.is_dir() else []
    if not known:
        raise BadFile(no_suspects(run))
    for name in wish.suspects:
        if name not in known:
            raise UnknownName("suspect", name, known)
    wanted = tuple(dict.fromkeys(wish.suspects)) or tuple(known)
    return tuple(_task(run, name, wish, known, wanted) for name in wish.remedies)


def _task(run: Run, name: str, wish: Wish, known: Sequence[str], wanted: Sequence[str]) -> Task:
    card = declared(name, closed_to_all(run, wish.closed))
    spec, verdicts = run.spec(), run.folder / "verdicts.json"
    if card.needs_verdict and not verdicts.is_file():
        raise UserError(
            f"{name} goes by the audit's verdicts, and {run.folder} has none yet; "
            f"run `molehunt audit {run.folder}` first."
        )
    settings = {
        "seed": wish.seed,
        "effort": wish.effort,
        "model": spec["model"],
        "revision": spec["revision"],
        "creed": stage_key(wish.creed),
        "verdicts": sha256(verdicts) if card.needs_verdict else "",
    }
    adapters = {n: [sha256(run.folder / "suspects" / n / f) for f in FILES] for n in known}
    key = stage_key({"stage": "fix", "remedy": name, **settings, "adapters": adapters})
    folder = run.folder / FIXED / name
    fixed = Fixed(name, key, settings, versions())
    if (folder / NOTE).exists():
        fixed = from_json(Fixed, read_json(folder / NOTE))
        if fixed.key != key:
            other = [k for k, v in settings.items() if fixed.settings.get(k) != v]
            what = f"another {other[0]}" if other else "another lineup"
            raise RunMismatch(f"{folder} holds a fix with {what}; delete it, or go on with the same options.")
    waiting = tuple(n for n in wanted if not _is_done(folder, n, fixed))
    if waiting and (folder / "verdicts.json").exists():
        raise UserError(f"{folder} was audited already; delete it to fix more suspects.")
    return Task(run, card, fixed, waiting)


def _is_done(folder: Path, name: str, fixed: Fixed) -> bool:
    one = fixed.suspects.get(name)
    if one is None or one.failed:
        return False
    return one.refused is not None or all((folder / "suspects" / name / f).is_file() for f in FILES)


def known_remedy(name: str) -> str:
    """The remedy that `NAME,option=value,...` names, without options; a stranger's are read in its own room.

    Raises:
        UnknownName: no such remedy or option. UserError: a value that cannot be.
    """
    if plain(name) not in names(REMEDIES):
        raise UnknownName("remedy", plain(name), names(REMEDIES))
    if not re.fullmatch(r"[\w.,=-]{1,100}", name, re.ASCII):
        raise UserError(f"The remedy {name[:100]!r} has options that cannot be; they are ,option=value.")
    if plain(name) not in outside(REMEDIES):
        load_set(REMEDIES, name)
    return plain(name)


def named_twice(remedies: Sequence[str]) -> bool:
    """Whether two of them are the same, however they are written. Errors as `known_remedy`."""
    own = [name if known_remedy(name) in outside(REMEDIES) else load_set(REMEDIES, name) for name in remedies]
    return len(set(own)) < len(own)


def declared(name: str, closed: Sequence[str]) -> Card:
    """What a remedy says of itself; a stranger's is read in behind doors alone."""
    if plain(name) not in outside(REMEDIES):
        remedy = load_set(REMEDIES, name)
        if remedy.rank > MOST_RANK:
            raise UserError(
                f"{name} would give every suspect an adapter of rank {remedy.rank}; {MOST_RANK} at most."
            )
        return Card(name, remedy.rank, remedy.needs_verdict)
    with tempfile.TemporaryDirectory(prefix="mole-", ignore_cleanup_errors=True) as folder:
        room = Path(folder).resolve()
        job = Job(str(room), "", "", name, Creed(()), (), 0, 1.0, 1, tuple(closed))
        write_json(room / "job.json", job)
        run_children([child(room, 1)], lambda message: None)
        return from_json(Card, read_json(room / CARD))


def child(room: Path, threads: int) -> Child:
    """The process that does the job which lies in this folder."""
    blank = {**dict.fromkeys(HIDDEN, ""), **dict.fromkeys(OFFLINE, "1")}
    environment = {**blank, "TMPDIR": str(room), "OMP_NUM_THREADS": str(threads)}
    return Child("molehunt.remedies.room", (str(room / "job.json"),), environment)


def closed_to_all(run: Run | None, also: Sequence[Path] = ()) -> tuple[str, ...]:
    """What no remedy may read: keys, the starter's key, the run, files of quirks, and what else is named."""
    own = () if run is None else (enclosing(run.folder),)
    places = (keys_folder(), USUAL_KEYS, SHIPPED, *own, *given_files(), *also)
    return tuple(str(p.expanduser().resolve()) for p in places)


def guesses_of(run: Run) -> dict[str, tuple[Guess, ...]]:
    """What the panel (or else whoever judged) guessed of each suspect, likeliest first.

    Raises:
        SealBroken: a verdict is not the one that was logged.
    """
    verdicts = run.verdicts()
    if not is_packed(run.folder):
        vault_of(run.folder, str(run.spec()["run_id"])).check_verdicts(verdicts)
    ranked = sorted(verdicts, key=lambda v: (v.auditor != "panel", v.auditor))
    found: dict[str, tuple[Guess, ...]] = {}
    for verdict in ranked:
        found.setdefault(verdict.suspect, tuple(sorted(verdict.guesses, key=lambda g: -g.weight)))
    return found


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Raises BadFile where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None
