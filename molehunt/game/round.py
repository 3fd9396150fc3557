"""One round of a match, as its opened envelope leaves it: a record, and the views that follow from it.

What a side may see of earlier rounds: red its own specs and coins, and the probabilities that verdicts
published; blue its own remedies and audits, and what a fix cost. Neither sees what the other did, blue no
truth at all, not even of rounds that were opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.kinds import Seen, Turn
from molehunt.core.records import Measure, NotMeasured, Verdict
from molehunt.core.store import Run
from molehunt.game.fix_task import FIXED, Fixed
from molehunt.game.remains import read_remains
from molehunt.game.trial import Charge
from molehunt.organisms.axes import Choice

PANEL = "panel"


@dataclass(frozen=True)
class Stood:
    """One suspect of a round."""

    suspect: str
    shady: bool
    planted: str
    """In words."""
    first: float | None
    """The lead auditor's probability before the fix; None where it gave none."""
    accused: bool
    second: float | None
    """After it."""
    accused_again: bool
    showed: Measure | NotMeasured
    """Trigger rate of what was planted (a decoy: what it was matched to) before the fix."""
    shows: Measure | NotMeasured
    """And after it."""
    nll: Measure | NotMeasured
    """NLL of ordinary text, after over before the fix."""


@dataclass(frozen=True)
class Round:
    """One line of the history."""

    number: int
    choice: Choice
    changed: str
    """What red changed, in words."""
    remedy: str
    """What blue chose; empty in a lost round."""
    stood: tuple[Stood, ...]
    red: Charge
    blue: Charge
    lost: str = ""
    """Why red could plant nothing valid; empty where it could."""
    failed: str = ""
    """What blue's remedy raised; then nobody was audited again. Empty where it did not."""


def red_turn(one: Round) -> Turn:
    """What red sees of a round."""
    seen = tuple(
        Seen(s.first, s.accused, s.second, None if s.second is None else s.accused_again, s.shady)
        for s in one.stood
        if s.first is not None
    )
    return Turn(list(one.choice), seen, bool(one.lost))


def blue_turn(one: Round) -> Turn:
    """What blue sees of it."""
    seen = tuple(
        Seen(
            s.first,
            s.accused,
            s.second,
            None if s.second is None else s.accused_again,
            nll=s.nll.value if isinstance(s.nll, Measure) else None,
        )
        for s in one.stood
        if s.first is not None
    )
    return Turn(one.remedy, seen)


def lead_verdicts(run: Run) -> dict[str, Verdict]:
    """The panel's verdicts by suspect; without a panel those of the first auditor by name."""
    verdicts = run.verdicts() if (run.folder / "verdicts.json").is_file() else ()
    auditors = sorted({v.auditor for v in verdicts}, key=lambda a: (a != PANEL, a))
    return {v.suspect: v for v in verdicts if v.auditor == auditors[0]}


def stood(run: Run, remedy: str, fixed: Fixed) -> tuple[Stood, ...]:
    """Everybody of an opened round, by name."""
    first, second = lead_verdicts(run), lead_verdicts(Run(run.folder / FIXED / remedy))
    rates = {r.suspect: r.found for r in read_remains(run, remedy)}
    found = []
    for truth in sorted(run.opened(), key=lambda t: t.suspect):
        name, none = truth.suspect, NotMeasured("not looked at")
        shown = rates.get(name, none)
        trigger = {} if isinstance(shown, NotMeasured) else shown.trigger
        why = shown if isinstance(shown, NotMeasured) else none
        one, two = first.get(name), second.get(name)
        planted = truth.quirk or truth.harmless
        treated = fixed.suspects.get(name)
        found.append(
            Stood(
                name,
                truth.shady,
                planted.label() if planted else "nothing",
                None if one is None else one.p_shady,
                one is not None and one.accuses,
                None if two is None else two.p_shady,
                two is not None and two.accuses,
                trigger.get("organism", why),
                trigger.get("fixed", why),
                none if treated is None else treated.nll_ratio,
            )
        )
    return tuple(found)


def audit_charge(folders: Sequence[Path], methods: Sequence[str]) -> Charge:
    """What these methods' audits of lineups cost, by the desk's books."""
    spent = [
        v.spent
        for folder in folders
        if (folder / "verdicts.json").is_file()
        for v in Run(folder).verdicts()
        if v.auditor in methods
    ]
    total = Charge()
    for one in spent:
        total = total + one
    return total
