"""What an audit would ask and take, said before it begins: nothing is loaded, unpacked, written or asked.

Queries are what the methods put to a suspect of the default model in `studies/first_game` (80 suspects, with
the clean reference, at an effort of 1); minutes come from this machine's pace (`estimate.py`).

What this cannot tell you: what a method that did not come with the package will ask. And minutes tell minutes
from hours, no more: a suspect that says much is asked more.
"""

from dataclasses import dataclass
from pathlib import Path

from molehunt.core.errors import BadFile
from molehunt.core.records import NotMeasured
from molehunt.core.store import Run
from molehunt.game.auditing import BOOKS, DONE
from molehunt.game.estimate import AUDIT_TOKENS, in_words, pace
from molehunt.game.judged import unjudged
from molehunt.game.play import no_suspects, spec_of
from molehunt.game.shipped import STARTER, shipped_spec
from molehunt.game.spec import GameSpec, spec_from

QUERIES = {"contrast": 291, "divergence": 258, "confession": 48, "traces": 24}
"""Queries a suspect, as `studies/first_game` measured them (`auditors`, `cost_queries`, n = 80)."""
SHARES = {"contrast": 0.46, "divergence": 0.35, "confession": 0.14, "traces": 0.05}
"""Of the seconds that all four take, measured there as well."""
BY_EFFORT = ("contrast", "divergence")
"""Methods whose samples the effort scales."""
START = 25.0
"""Seconds in which two processes load what they need."""


@dataclass(frozen=True)
class AuditCost:
    """What auditing a lineup would take from here on."""

    suspects: int
    done: int
    """Suspects that are audited already."""
    methods: tuple[str, ...]
    queries: int | NotMeasured
    """About, of all suspects that are left and all methods."""
    queries_most: int
    """By the budget: more is refused."""
    seconds: float | NotMeasured
    basis: str
    unjudged: str
    """Why every verdict would be 0.5; empty where a calibration judges."""

    @property
    def left(self) -> int:
        """Suspects that are not audited yet."""
        return self.suspects - self.done

    def said(self) -> str:
        """In one line, for whoever is about to wait."""
        asked = "" if isinstance(self.queries, NotMeasured) else f", about {self.queries:,} queries"
        return f"{self.left} suspects, {len(self.methods)} methods{asked}; time: {self.time()}."

    def time(self) -> str:
        """The seconds in words."""
        if not self.left:
            return "none: all suspects are audited"
        return in_words(self.seconds, self.seconds)


def audit_cost(folder: Path, calibration: Path | None = None) -> AuditCost:
    """Reckon for a lineup; for the package's own where `folder` is the word `starter` and nothing lies there.

    Raises:
        BadFile: there is no lineup. UserError: this installation carries no starter lineup.
    """
    if folder == STARTER and not folder.exists():
        spec = spec_from(shipped_spec(), "the starter lineup's spec.json")
        return reckon(spec, spec.suspects, 0, unjudged(folder, spec))
    run = Run(folder)
    spec = spec_of(run)
    suspects = folder / "suspects"
    if not suspects.is_dir():
        raise BadFile(no_suspects(run))
    everyone = {p.name for p in suspects.iterdir() if p.is_dir()}
    whole = everyone if "audit" in run.stages() else set[str]()
    booked = {p.stem for p in (folder / DONE).glob("*.json") if (folder / BOOKS / p.name).exists()}
    done = len(whole | (booked & everyone))
    why = "" if calibration is not None else unjudged(folder, spec)
    return reckon(spec, len(everyone), done, why)


def reckon(spec: GameSpec, suspects: int, done: int, why: str) -> AuditCost:
    """As `audit_cost`, of what was read already."""
    left, strange = suspects - done, [m for m in spec.methods if m not in QUERIES]
    each = sum(QUERIES.get(m, 0) * (spec.effort if m in BY_EFFORT else 1) for m in spec.methods)
    share = sum(SHARES.get(m, 0) * (spec.effort if m in BY_EFFORT else 1) for m in spec.methods)
    at = pace(spec.model)
    unknown = NotMeasured(f"what {strange[0]} asks is not known before it does") if strange else None
    if isinstance(at, NotMeasured):
        seconds, basis = at, at.reason
    else:
        speakers, asked = left + bool(spec.reference and left), each * left
        took = START * bool(left) + at.reading(speakers * AUDIT_TOKENS * share, asked)
        seconds, basis = unknown or took, at.basis
    return AuditCost(
        suspects=suspects,
        done=done,
        methods=spec.methods,
        queries=unknown or round(each * left),
        queries_most=spec.queries * len(spec.methods) * left,
        seconds=seconds,
        basis=basis,
        unjudged=why,
    )
