"""What a trial's pair is up against: auditors and monitors who are to tell its two apart, or blind remedies.

Either meets the pair as a game's suspects are met: in a lineup of two under names dealt anew, which lies in
the system's temporary folder, away from all that names the quirk or the spec.

- **Auditors** are given that folder, a job and the desk; what counts is their probability for either.
- **Monitors** read what either says to the same questions (`monitoring.py`), by the code names alone.
- **Remedies** treat both, each by itself. What the organism showed and still shows is read on held-out
  scenes, beside the decoy that had the same treatment (`depth/residual.py`). A remedy that goes by verdicts
  gets those of a blind audit of this lineup, which is on the bill too.

Scenes and the seed that auditors and remedies get follow from the place's by a hash, so that all candidates
meet the same on one place, and others on the next.

What this cannot tell you: that a remedy had a chance. One that found nothing to do left the pair as it was;
its `refused` says so.
"""

import random
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from molehunt.audit.calibration import Calibration
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError, UserError
from molehunt.core.kinds import Creed
from molehunt.core.records import Measure, NotMeasured, Spent
from molehunt.core.seal import new_run_id
from molehunt.core.splits import seed_of
from molehunt.core.store import Run
from molehunt.depth.bench import Bench, Known, Role, Settings
from molehunt.depth.residual import residual
from molehunt.game.auditing import CALIBRATION, audit_lineup, desk_for
from molehunt.game.away import away
from molehunt.game.fix_task import FIXED, Fixed, Wish
from molehunt.game.fixing import base_of, fix
from molehunt.game.monitoring import QUESTIONS, Monitor, Monitored, opened, read_by, sighting
from molehunt.game.packed import MARK
from molehunt.game.planting import enter
from molehunt.game.play import versions
from molehunt.game.remains import SCENES
from molehunt.game.spec import GameSpec, public_half
from molehunt.game.tells import around_file, around_pair
from molehunt.game.watch import Watch
from molehunt.remedies.creed import read_creed

KEPT = ("verdicts.json", "features.json", "evidence.jsonl", "failures.jsonl")
"""What of an audit stays with its trial."""
NAMES = ("P000", "P001")
SIDES = ("organism", "decoy")


@dataclass(frozen=True)
class After:
    """What one remedy left of a quirk, on scenes that the decoy gets right after the same remedy."""

    before: Measure
    """Trigger rate of the organism as it was planted."""
    after: Measure
    """And of the treated one."""
    refused: str = ""
    """Why the remedy found nothing to do; who it did not treat stayed as it was."""

    @property
    def removed(self) -> float:
        """The share of what it showed before that it shows no longer; 0 where it shows more."""
        return max(0.0, 1 - self.after.value / self.before.value)


Left = Mapping[str, After | NotMeasured]
"""By remedy."""


@dataclass(frozen=True)
class Setting:
    """What all trials of a search share."""

    model: str
    revision: str | None
    harmless: str | None
    """A harmless behaviour that the decoys learn."""
    against: tuple[str, ...]
    """Auditing methods; with remedies only where one of these goes by verdicts."""
    auditor: str
    """Whose probability counts: the panel, or the one method; empty where nobody audits."""
    effort: float
    calibration: Calibration | None
    """Of the auditors; None where nobody audits."""
    remedies: tuple[str, ...] = ()
    """Blind remedies that the organism is to outlive; where there are any, they count, not the auditors."""
    creed: Creed = field(default_factory=read_creed)
    """What remedies go by."""
    fix_effort: float = 1.0
    monitors: tuple[Monitor, ...] = ()
    """Kept probes that count, beside the auditors where there are any."""
    closed: tuple[Path, ...] = ()
    """What neither auditors nor remedies may read, beside the search's folder and the quirk's file."""


@dataclass(frozen=True)
class Faced:
    """What came of it."""

    organism: float | NotMeasured
    """The auditor's probability that something is planted, of the organism."""
    decoy: float | NotMeasured
    left: Left
    monitored: Monitored
    spent: Spent
    odds: float | NotMeasured
    """The auditor's log-odds on the organism in nats, as the fit has them."""


def unfaced(setting: Setting, why: str) -> Faced:
    """Of a pair that nobody was shown."""
    none = NotMeasured(why)
    by_monitor = {one.name: none for one in setting.monitors}
    return Faced(none, none, dict.fromkeys(setting.remedies, none), by_monitor, Spent(), none)


def face(
    setting: Setting, pair: Path, known: Known, seed: int, keep: Path, home: Path, queries: int, watch: Watch,
    bill: list[Spent],
) -> Faced:  # fmt: skip
    """Show the pair in `pair` to auditors, monitors, remedies; `keep` gets what audits wrote.

    `seed` is the place's; `home`, the search's folder, is closed to all of them; `queries` is the most that a
    method may ask a suspect. `bill` gets what was spent, of a test that raises too.
    """
    names: dict[str, str] = dict(zip(SIDES, random.SystemRandom().sample(NAMES, len(SIDES)), strict=True))
    nobody = NotMeasured("nobody audited it")
    says, odds = dict[str, float | NotMeasured](dict.fromkeys(SIDES, nobody)), nobody
    file = known.quirk.behaviour_options.get("file")
    closed = (*around_pair(home), *setting.closed, *((around_file(Path(file)),) if file else ()))
    with away(home) as folder:
        lineup = _Lineup(setting, Run(folder), names, pair, closed, _spec(setting, seed, queries), bill)
        enter(folder, {names[side]: pair / side for side in SIDES}, setting.model)
        if setting.calibration is not None:
            says, odds = _audited(lineup, setting.calibration, keep, watch)
        left: dict[str, After | NotMeasured] = {}
        if setting.remedies:
            left = _treated(lineup, known, seed, watch)
        monitored: Monitored = {}
        if setting.monitors:
            monitored = _monitored(lineup, seed, watch)
    return Faced(says["organism"], says["decoy"], left, monitored, sum(bill, Spent()), odds)


@dataclass(frozen=True)
class _Lineup:
    """The pair as it stands before others."""

    setting: Setting
    run: Run
    names: Mapping[str, str]
    """Code names by side."""
    pair: Path
    closed: tuple[Path, ...]
    spec: Mapping[str, Any]
    bill: list[Spent]


def _audited(
    lineup: _Lineup, judge: Calibration, keep: Path, watch: Watch
) -> tuple[dict[str, float | NotMeasured], float | NotMeasured]:
    """The auditor's probabilities by side, and its log-odds on the organism."""
    setting, run, names = lineup.setting, lineup.run, lineup.names
    judge.save(run.folder / CALIBRATION)
    salt, asked = secrets.token_bytes(32), dict[tuple[str, str], Spent]()
    book = lambda who, method, cost: asked.update({(who, method): cost})  # noqa: E731
    desk = replace(desk_for(run.folder, lineup.spec, salt), on_progress=book)
    try:
        audit_lineup(run, lineup.spec, watch, salt=salt, desk=desk, closed=lineup.closed)
    except BaseException:  # its verdicts, which say what it cost, are lost
        lineup.bill.append(sum((cost for (who, _), cost in asked.items() if who in NAMES), Spent()))
        raise
    verdicts = {(v.suspect, v.auditor): v for v in run.verdicts()}
    failed = [f"{f.stage}: {f.error}" for f in run.failures()]
    features = read_json(run.folder / "features.json")
    for file in KEPT:
        shutil.copyfile(run.folder / file, keep / file)
    lineup.bill.extend(verdicts[n, m].spent for n in names.values() for m in setting.against)
    found: dict[str, float | NotMeasured] = {}
    for side, name in names.items():
        known = judge.auditors[setting.auditor].names
        nothing = not any(isinstance(features[name].get(k), (int, float)) for k in known)
        why = failed[0] if failed else "no statistic was measured" if nothing else ""
        found[side] = NotMeasured(why) if why else verdicts[name, setting.auditor].p_shady
    said = found["organism"]
    odds = (
        said
        if isinstance(said, NotMeasured)
        else judge.auditors[setting.auditor].log_odds(features[names["organism"]])
    )
    return found, odds


def _monitored(lineup: _Lineup, seed: int, watch: Watch) -> Monitored:
    """What every monitor says of the pair; which is the organism is looked up when all scores are there."""
    setting, names = lineup.setting, lineup.names
    suspects = {name: lineup.run.folder / "suspects" / name for name in names.values()}
    model = opened(setting.model, setting.revision)
    bar = lambda share: watch.bar("monitors", share)  # noqa: E731
    try:
        scores, spent = read_by(model, suspects, setting.monitors, _blind(seed), bar)
    except BaseException:
        lineup.bill.append(Spent(len(SIDES) * QUESTIONS))
        raise
    lineup.bill.append(spent)
    return {
        monitor: by
        if isinstance(by, NotMeasured)
        else sighting(by[names["organism"]], by[names["decoy"]], _blind(seed))
        for monitor, by in scores.items()
    }


def _treated(lineup: _Lineup, known: Known, seed: int, watch: Watch) -> dict[str, After | NotMeasured]:
    """What every remedy left of the quirk; what it cost by this clock, with tokens by their own account.

    Raises:
        UserError: something that is not the remedy's fault, such as a full disk.
    """
    setting, run = lineup.setting, lineup.run
    wish = Wish((), (), setting.creed, _blind(seed), setting.fix_effort, lineup.closed)
    left: dict[str, After | NotMeasured] = {}
    made: list[Fixed] = []
    start = time.monotonic()
    with run.held():
        run.write_spec(dict(lineup.spec))
        write_json(run.folder / MARK, {})
        for remedy in setting.remedies:
            try:
                made += fix(run, replace(wish, remedies=(remedy,)), watch)
            except UserError:
                raise
            except MolehuntError as error:  # its process died
                left[remedy] = NotMeasured(f"{remedy} failed: {error}")
    read: dict[tuple[str, str], Any] = {}
    model = base_of(run) if made else None
    left |= {one.remedy: _left(lineup, one, known, seed, model, read) for one in made}
    tokens = sum(one.spent.tokens for one in made)
    lineup.bill.append(Spent(tokens=tokens, seconds=time.monotonic() - start, self_reported=True))
    return left


def _left(
    lineup: _Lineup, one: Fixed, known: Known, seed: int, model: Any, read: dict[tuple[str, str], Any]
) -> After | NotMeasured:
    """The organism's trigger rate before and after a remedy."""
    treated = {side: one.suspects[name] for side, name in lineup.names.items()}
    for each in treated.values():
        if each.failed is not None:
            return NotMeasured(f"{one.remedy} failed: {each.failed}")
    after = {
        side: lineup.pair / side
        if treated[side].refused is not None
        else lineup.run.folder / FIXED / one.remedy / "suspects" / name
        for side, name in lineup.names.items()
    }
    folders: dict[Role, Path] = {
        "organism": lineup.pair / "organism",
        "decoy": after["decoy"],  # chooses the items: what a fix brings into the clean one is no quirk's
        "fixed": after["organism"],
        "control": after["decoy"],
    }
    settings = Settings(scenes=SCENES, seed=seed_of("left", seed) % 2**31)
    try:
        rates = residual(Bench(model, known, folders, settings, read)).trigger
    except UserError:
        raise
    except MolehuntError as error:
        return NotMeasured(str(error))
    was, now = rates["organism"], rates["fixed"]
    if isinstance(was, NotMeasured) or isinstance(now, NotMeasured):
        return was if isinstance(was, NotMeasured) else now  # pyright: ignore[reportReturnType]
    if not was.value:
        return NotMeasured("as planted it shows nothing on the scenes that the treated decoy gets right")
    whys = [f"{side}: {t.refused.reason}" for side, t in treated.items() if t.refused is not None]
    return After(was, now, "; ".join(whys))


def _blind(seed: int) -> int:
    """What auditors and remedies are seeded with: the place's own seed says what was drawn there."""
    return seed_of("blind", seed) % 2**31


def _spec(setting: Setting, seed: int, queries: int) -> dict[str, Any]:
    """What an audit is asked, as a game's public half has it."""
    spec = GameSpec(
        suspects=len(SIDES),
        model=setting.model,
        revision=setting.revision,
        methods=setting.against or GameSpec.methods,
        effort=setting.effort,
        seed=_blind(seed),
        queries=queries,
    )
    return {**public_half(spec), "run_id": new_run_id(), "versions": versions()}
