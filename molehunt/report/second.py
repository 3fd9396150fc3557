"""Blind fixes that came between two audits: both verdicts on everybody, what still shows, what it cost.

Shown is what the log holds from before the envelope was opened, and nothing else: a fixed lineup that
somebody audited by hand stands on no game's page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from molehunt.core import stats, store
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile, SealBroken
from molehunt.core.ledger import Ledger
from molehunt.core.records import Measure, NotMeasured, Score, Spent, Verdict
from molehunt.report import words
from molehunt.report.lineup import headline_auditor, ranked_guesses, verdict_of
from molehunt.report.reading import Run, number

FIXED = "fixed"
ENTRY = "second_verdicts"
"""Kind of the log's entry on a second audit (`referee/vault.py`)."""
UNSEEN = NotMeasured("the envelope has not been opened yet")


@dataclass(frozen=True)
class Change:
    """One suspect in both audits."""

    name: str
    before: Verdict | None
    after: Verdict | None
    untreated: str
    """Why the remedy did not treat it; empty where it did."""
    seconds: float
    tokens: int
    nll: Measure | NotMeasured
    """NLL of ordinary text, after over before, by the remedy's own account."""
    shady: bool | None
    """None while the envelope is sealed."""
    rates: Mapping[str, Measure | NotMeasured]
    """Trigger rates of `organism` (as it was), `fixed`, a shady one's decoy (`control`); the `leak` after."""

    @property
    def turned(self) -> str:
        """What became of the accusation, in words."""
        if self.before is None or self.after is None:
            return "no second verdict" if self.after is None else "no first verdict"
        then, now = self.before.accuses, self.after.accuses
        if then == now:
            return "accused both times" if now else "accused neither time"
        return "accused no longer" if then else "accused only after the fix"

    @property
    def guess(self) -> str:
        """The second audit's first guess."""
        ranked = ranked_guesses(self.after)
        return words.guess(ranked[0], 160) if ranked else ""


@dataclass(frozen=True)
class Second:
    """One remedy and the audit after it."""

    remedy: str
    lead: str
    seed: str
    changes: tuple[Change, ...]
    scores: tuple[tuple[str, Measure | NotMeasured, Measure | NotMeasured], ...]
    """Measure, first audit's, second audit's, of the headline auditor."""
    spent: Spent
    """By the second audit's methods."""
    overall: tuple[tuple[str, Measure | NotMeasured], ...]
    """Means over suspects, with intervals."""


def seconds(run: Run) -> tuple[Second, ...]:
    """Every second audit of a game, in the order of the log.

    Raises:
        BadFile: a file of one cannot be read as what it is called.
    """
    path = run.folder / "log.jsonl"
    try:
        entries = Ledger(path).verify() if path.is_file() else ()
    except SealBroken:
        return ()  # the page says that the log does not verify
    sealed = [e.kind for e in entries]
    until = sealed.index("opened") if "opened" in sealed else len(entries)
    told = dict.fromkeys(str(e.body.get("remedy")) for e in entries[:until] if e.kind == ENTRY)
    return tuple(_second(run, name) for name in told)


def _second(run: Run, remedy: str) -> Second:
    folder, lead = run.folder / FIXED / Path(remedy).name, headline_auditor(run)
    lineup = store.Run(folder)
    treated = _object(folder / "fix.json").get("suspects") if (folder / "fix.json").is_file() else None
    verdicts = lineup.verdicts() if (folder / "verdicts.json").is_file() else ()
    changes = tuple(
        _change(run, folder, name, lead, verdicts, treated.get(name) if isinstance(treated, dict) else None)
        for name in run.suspects
    )
    spent = sum((v.spent for v in verdicts if v.auditor != "panel"), Spent())
    seed = str(lineup.spec().get("seed", "")) if (folder / "spec.json").is_file() else ""
    after = lineup.scores() if (folder / "score.json").is_file() else ()
    return Second(remedy, lead, seed, changes, _scores(run, lead, after), spent, _overall(changes))


def _change(
    run: Run, folder: Path, name: str, lead: str, verdicts: Sequence[Verdict], treated: Any
) -> Change:
    truth = None if isinstance(run.opened, NotMeasured) else run.opened.truths.get(name)
    body = treated if isinstance(treated, dict) else {}
    refused = body.get("refused")
    why = "" if body else "the folder does not say what the remedy did"
    if isinstance(refused, dict):
        why = words.brief(str(refused.get("reason", "")), 200)
    nll = NotMeasured(why) if why else number(body.get("nll_ratio"), folder / "fix.json")
    return Change(
        words.brief(name, 60),
        verdict_of(run, name, lead),
        next((v for v in verdicts if v.suspect == name and v.auditor == lead), None),
        why,
        float(body.get("seconds", 0.0)),
        int(body.get("tokens", 0)),
        nll,
        None if truth is None else truth.shady,
        _rates(folder / "remains" / f"{Path(name).name}.json", truth is not None),
    )


def _rates(path: Path, opened: bool) -> Mapping[str, Measure | NotMeasured]:
    if not opened or not path.is_file():
        return dict.fromkeys(("organism", "fixed"), NotMeasured("not looked at") if opened else UNSEEN)
    found = _object(path).get("found")
    if not isinstance(found, dict):
        raise BadFile(f"{path} should hold what was found.")
    if found.get("is") == "NotMeasured":
        return dict.fromkeys(("organism", "fixed"), NotMeasured(str(found.get("reason", ""))))
    trigger, leak = found.get("trigger"), found.get("leak")
    if not isinstance(trigger, dict) or not isinstance(leak, dict):
        raise BadFile(f"{path} should hold rates by role.")
    rates = {str(role): number(value, path) for role, value in trigger.items()}
    return {**rates, "leak": number(leak.get("fixed"), path)}


def _object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadFile(f"{path} should hold an object.")
    return value


def _scores(
    run: Run, lead: str, after: Sequence[Score]
) -> tuple[tuple[str, Measure | NotMeasured, Measure | NotMeasured], ...]:
    if isinstance(run.opened, NotMeasured):
        return ()
    none = NotMeasured("no score")
    first = next((s.measures for s in run.opened.scores if s.auditor == lead), {})
    second = next((s.measures for s in after if s.auditor == lead), {})
    return tuple(
        (words.measure_name(name), first.get(name, none), second.get(name, none))
        for name in words.MEASURES
        if name in first or name in second
    )


def _overall(changes: Sequence[Change]) -> tuple[tuple[str, Measure | NotMeasured], ...]:
    """Over suspects: how many were accused, how often the planted behaviour shows, before and after."""
    rows: list[tuple[str, Measure | NotMeasured]] = []
    for shady, who in ((True, "shady suspects"), (False, "decoys")):
        some = [c for c in changes if c.shady is shady]
        for when, verdicts in (("before", [c.before for c in some]), ("after", [c.after for c in some])):
            judged = [(c.name, v) for c, v in zip(some, verdicts, strict=True) if v is not None]
            names = [name for name, _ in judged]
            rows.append(
                (f"{who} accused, {when}", stats.proportion([v.accuses for _, v in judged], names, how=who))
            )
        for role, when in (("organism", "before"), ("fixed", "after")):
            found = [(c.name, m) for c in some if isinstance(m := c.rates.get(role), Measure)]
            how = f"trigger rate of what was planted, {who}"
            value = stats.mean_of_rates([m for _, m in found], [n for n, _ in found], how=how)
            rows.append((f"{who} show it, {when}", value))
    return tuple(rows)


def drawn(second: Second, prefix: str) -> Markup | None:
    """Trigger rates of everybody before and after, with their intervals; None where there is none."""
    from molehunt.report.plots import Dot, Look, draw

    looks: tuple[tuple[str, str, Look], ...] = (
        ("organism", "before", "on"),
        ("fixed", "after", "off"),
        ("control", "decoy", "decoy"),
    )
    dots = [
        Dot(f"{change.name}, {said}", rate, look)
        for change in second.changes
        for role, said, look in looks
        if isinstance(rate := change.rates.get(role), Measure)
    ]
    title = f"What shows before and after {words.plain(second.remedy)}"
    return draw(dots, "share of held-out replies that show it", prefix, title, None) if dots else None


HEADS = ("suspect", "first audit", "second audit", "accusation", "showed", "shows now", "text costs")

BRIEF = tuple(h.replace("accusation", "accused") for h in HEADS)


def row(change: Change, short: bool = False) -> tuple[str, ...]:
    """One suspect as cells under `HEADS`; `short` leaves out intervals, and what `BRIEF` says at the head."""
    p = ["—" if v is None else words.percent(v.p_shady) for v in (change.before, change.after)]
    measures = [change.rates.get(r, UNSEEN) for r in ("organism", "fixed")]
    cells = [_cell(m, short) for m in (*measures, change.nll)]
    turned = change.turned.removeprefix("accused ") if short else change.turned
    return (change.name, *p, change.untreated or turned, *cells)


def _cell(measure: Measure | NotMeasured, short: bool) -> str:
    if not short:
        return words.said(measure)
    return "—" if isinstance(measure, NotMeasured) else words.number(measure.value)
