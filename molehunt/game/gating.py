"""The gate: a new version is held against an old one before it shapes the next.

1. Both answer the items of every measure that has a bound (`gate/comparing.py`), paired.
2. In a lineage whose first version is not the old one, the new version is held against that one too, under
   the same bounds: steps that each hold must not add up to what none may do.
3. The blind audit looks at the new version (`overseer.py`). An accusation stops it; without an audit it may
   pass, but not judge.

`game/gate_line.py` does so in a lineage. The folder: `answers/` (a file a version, which outlives a kill),
`results.json`, `gate.html`, `audit/`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.audit.calibration import load as read_calibration
from molehunt.core.asked import under_way
from molehunt.core.atomic import write_json
from molehunt.core.errors import UserError
from molehunt.core.lineage import FILE
from molehunt.core.records import NotMeasured
from molehunt.core.store import Run, stage_key
from molehunt.game.named import meant, open_named
from molehunt.game.overseer import Overseen, oversee
from molehunt.game.spec import METHODS, GameSpec
from molehunt.game.tells import around_weights
from molehunt.game.watch import Watch
from molehunt.gate.answers import Voice, same_tokens
from molehunt.gate.bounds import PRESET, Bounds, read_bounds
from molehunt.gate.comparing import Comparison, compare, counts
from molehunt.models.local import LocalModel

RESULTS = "results.json"


@dataclass(frozen=True)
class Wish:
    """What a gate is asked to be."""

    old: str
    new: str
    bounds: Bounds
    base: str = ""
    """What adapters are put on; what their configuration names where it is empty."""
    audit: bool = True
    """Whether the blind audit looks at the new version."""
    calibration: Path | None = None
    methods: tuple[str, ...] = METHODS
    """Of the audit."""
    effort: float = 1.0
    """Of the audit."""
    early: bool = False
    """Ask nothing more once the gate is shut."""
    dtype: str = "auto"
    seed: int = 0

    @property
    def way(self) -> str:
        """SHA-256 of how it is asked and audited, beside the versions, the bounds and the seed.

        Raises:
            OSError: the calibration is gone.
        """
        judge = (
            None if self.calibration is None else hashlib.sha256(self.calibration.read_bytes()).hexdigest()
        )
        return stage_key([self.early, [judge, self.methods, self.effort] if self.audit else None])


@dataclass(frozen=True)
class Gated:
    """What came of it."""

    comparison: Comparison
    since_first: Comparison | None
    """Against the first of the line, where that is not the old version."""
    audit: Overseen | NotMeasured
    folder: str
    old: str
    new: str
    """Names in the lineage; as they were given where there is none."""

    @property
    def why(self) -> tuple[str, ...]:
        """Why the gate stops; nothing where it lets pass."""
        first = () if self.since_first is None else self.since_first.why
        said = [*self.comparison.why, *(f"{w}, since the first of the line" for w in first)]
        if isinstance(self.audit, Overseen) and self.audit.accuses:
            said.append(f"the audit has it {self.audit.said()}")
        return tuple(said)

    @property
    def passed(self) -> bool:
        """Whether it may take the old version's place."""
        return not self.why


def wish(old: str, new: str, bounds: str | Path = PRESET, **other: object) -> Wish:
    """A gate from names, looked at before anything is loaded or written.

    Raises:
        BadFile: the bounds or the calibration are none, or a name is of nothing that can be opened.
        UserError: a measure without items, no such calibration or method, or an effort that can't be.
    """
    asked = Wish(old, new, read_bounds(bounds), **other)  # pyright: ignore[reportArgumentType]
    if empty := [name for name, n in counts(asked.bounds, asked.seed).items() if not sum(n)]:
        raise UserError(f"{empty[0]} has nothing to ask; leave it out of the bounds.")
    for name in (old, new):
        meant(name, asked.base)
    GameSpec(methods=asked.methods, effort=asked.effort).checked()
    if asked.calibration is not None:
        read_calibration(asked.calibration)
    return asked


def gate(asked: Wish, out: Path, watch: Watch | None = None, note: Mapping[str, Any] | None = None) -> Gated:
    """Hold new against old in the folder `out`, or go on there; `note` is kept for that (`core/asked.py`).

    Raises:
        UserError: the two are the same weights or do not compare.
    """
    old, new = opened(asked)
    names = (asked.old, asked.new)
    with Run(out).held(), under_way(out, note):
        found = hold_against(asked, old, new, None, out / "answers", out, names, watch or Watch(None))
        keep(found)
    return found


def opened(asked: Wish) -> tuple[LocalModel, LocalModel]:
    """Old and new, ready to speak.

    Raises:
        UserError: old and new are the same weights, or read text in different pieces.
    """
    old, new = open_named([meant(asked.old, asked.base), meant(asked.new, asked.base)], asked.dtype)
    if old.fingerprint == new.fingerprint:
        raise UserError(f"{asked.old} and {asked.new} are the same weights; there is nothing to compare.")
    same_tokens(old, new)
    return old, new


def hold_against(
    asked: Wish,
    old: LocalModel,
    new: LocalModel,
    first: LocalModel | None,
    answers: Path,
    folder: Path,
    names: tuple[str, str],
    watch: Watch,
) -> Gated:
    """Both compared, the new one also with the first of its line, and audited in `folder`; see `keep`."""
    new_voice = Voice(asked.new, new, answers)

    def compared(reference: LocalModel, name: str, bar: str) -> Comparison:
        return compare(
            Voice(name, reference, answers),
            new_voice,
            asked.bounds,
            asked.seed,
            early=asked.early,
            report=lambda what, share: watch.bar(bar, share, what),
        )

    found = compared(old, asked.old, "old and new")
    since = None if first is None else compared(first, first.name, "since the first")
    home = answers.parent  # of the line, or of this gate alone; it may be somebody's working directory
    own = (answers, *(home / name for name in ("gates", FILE, "lineage.html", RESULTS, "gate.html")))
    closed = (*own, *_made_of(old, new))
    audit = _audited(asked, old, new, folder / "audit", watch, not found.passed, closed)
    return Gated(found, since, audit, str(folder), *names)


def keep(found: Gated) -> None:
    """Write `results.json` into the gate's folder."""
    write_json(Path(found.folder) / RESULTS, {"passed": found.passed, "why": found.why, "gate": found})


def _audited(
    asked: Wish,
    old: LocalModel,
    new: LocalModel,
    folder: Path,
    watch: Watch,
    shut: bool,
    closed: tuple[Path, ...],
) -> Overseen | NotMeasured:
    if not asked.audit:
        return NotMeasured("no audit was asked for")
    if shut:
        return NotMeasured("the gate was shut before")
    return oversee(
        old,
        new,
        folder,
        calibration=asked.calibration,
        methods=asked.methods,
        effort=asked.effort,
        seed=asked.seed,
        watch=watch,
        closed=closed,
    )


def _made_of(old: LocalModel, new: LocalModel) -> tuple[Path, ...]:
    """What says how a version was made: all around its adapter, or its folder of weights, if it has one."""
    from molehunt.models.cachedir import cache_folder

    bases = [cache_folder()]
    for one in (old, new) if new.adapter is not None else (old,):
        if one.model.folder is not None:
            hub = one.model.folder.parent.name == "snapshots"  # whose files are links to beside it
            bases.append(one.model.folder.parent.parent if hub else one.model.folder)
    if new.adapter is not None:
        return around_weights(new.adapter, bases)
    return around_weights(Path(new.model.spec.id), bases) if Path(new.model.spec.id).is_dir() else ()
