"""What `molehunt worse` found, as rows for a terminal and as a page."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured, Profile
from molehunt.game.against import After
from molehunt.game.fresh import WHERE
from molehunt.game.monitoring import Sighting
from molehunt.game.trial import Charge, Trial
from molehunt.game.worse_result import Result
from molehunt.report import words

if TYPE_CHECKING:
    from molehunt.report.sheet import Grid

CANNOT = (
    "That nothing hides better, or lasts longer: a few dozen specs of a written-out space were tried.",
    "How auditors and remedies do that were not searched against, or auditors that practise on such "
    "organisms first.",
    "What the winner's own trials are worth: it was chosen by them. Believe what was planted anew.",
    "Much from few pairs: an advantage that is not clear may still be there. Pairs that are not valid were "
    "not tested; their share stands beside it.",
    "That it hides rather than shows less: look at selectivity before and after.",
    "Whether a monitor catches a quirk as it happens: its questions are chosen blind, few lay on a trigger.",
    "Anything about harmful models: organisms are toys, planted on purpose in a small model.",
)
HEADS = ("planted anew", "plain spec", "winner")
SAID = {
    "auroc": "AUROC where both were valid",
    "valid": "valid pairs",
    "odds": "log-odds in nats",
    "gap": "gap in nats",
    "removed": "share removed",
    "accused": "organisms accused",
    "decoys_accused": "decoys accused",
    "selectivity": "selectivity where both were valid",
    "trigger_rate": "trigger rate there",
    "leak_rate": "leak rate there",
}
HEARD, LEFT = ("p of organism", "p of decoy"), ("left after", "removed", "seconds")
"""What stands of a trial in the table: of auditors, of remedies (the first once for each)."""
CANDIDATE_HEADS = ("candidate", "changed", "trials", "of these failed", "mean score of the others")


def rows(found: Result) -> list[tuple[str, ...]]:
    """Before and after, one row a measure of each kind of place."""
    made = []
    for fresh in (f for f in found.fresh if f.plain):
        called = SAID | {n: f"AUROC of {who} where both were valid" for n, who in fresh.ranking.items()}
        for name, said in called.items():
            both = [found.measures.get(f"{fresh.where}_{who}_{name}") for who in ("plain", "winner")]
            if both[0] is not None:
                cells = ["the plain spec won" if m is None else words.said(m) for m in both]
                made.append((f"{said}, {fresh.where}", *cells))
        for name, said in called.items():
            change = found.measures.get(f"{fresh.where}_{name}_change")
            if change is not None:
                made.append((f"change of {said}, {fresh.where}", "", words.said(change)))
    return made


def write_worse_page(path: Path, found: Result) -> None:
    """Whether it held, what was tried, what it cost, the winner's lines."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    invalid = sum(not t.valid for t in found.trials)
    trials = tuple(_trial_row(i, t, found) for i, t in enumerate(found.trials))
    heads = ("trial", "candidate", "quirk", "selectivity", *_tested(found), "valid")
    sections = (
        Section(
            "Does it hold?",
            " ".join(found.verdicts) + " sought: " + WHERE["sought"] + "; other: " + WHERE["other"] + ".",
            tables=(Grid(HEADS, tuple(rows(found)), words=True),),
        ),
        Section(
            "Trials",
            f"{_how(found)} {invalid} of {len(found.trials)} pairs were not valid, so not tested: they stand "
            "in the table alone, and rank last.",
            drawings=_drawings(found),
            tables=(Grid(heads, trials), Grid(CANDIDATE_HEADS, tuple(_candidates(found)), words=True)),
        ),
        Section(
            "The winner",
            f"Changed: {words.brief(found.candidates[found.winner], 300)}. What makes it again:",
            tables=(Grid(("what", "line"), tuple(_lines(found)), words=True),),
        ),
        Section("The bill", _books(found), tables=(_bill(found),)),
    )
    judged = f"{words.plain(found.auditor)}, which rests on {', '.join(found.rests_on)}"
    facts = (
        ("quirks", "; ".join(words.quirk(q) for q in found.quirks)),
        *((("remedies", ", ".join(words.plain(r) for r in found.remedies)),) if found.remedies else ()),
        *((("effort of remedies", words.number(found.fix_effort)),) if found.remedies else ()),
        *(("monitor", f"{words.brief(n, 60)}, {sha[:12]}") for n, sha in found.monitors.items()),
        *((("auditors", ", ".join(words.plain(m) for m in found.against)),) if found.against else ()),
        *((("whose verdicts guide" if found.remedies else "judged by", judged),) if found.against else ()),
        ("model", words.brief(found.model, 120)),
        ("seed", str(found.seed)),
        *(("code", words.brief(_made(m), 120)) for m in found.made_with),
    )
    who = " and ".join(n for n, some in (("auditors", found.against), ("monitors", found.monitors)) if some)
    aim = "remedies leave" if found.remedies else f"{who} miss"
    summary = f"A search for an organism that stays valid and that {aim}: {len(found.trials)} trials."
    write_sheet(path, Sheet("Worse", summary, facts, sections, CANNOT))


def _made(by: Mapping[str, str]) -> str:
    return " on ".join(by[n] for n in ("code", "machine") if n in by) or "unknown"


def _tested(found: Result) -> tuple[str, ...]:
    """Heads of what was tested."""
    if not found.remedies:
        monitors = (f"AUROC of {words.brief(name, 40)}" for name in found.monitors)
        return *(HEARD if found.against else ()), *monitors, "log-odds", "queries"
    return *(f"{LEFT[0]} {words.plain(r)}" for r in found.remedies), *LEFT[1:]


def _how(found: Result) -> str:
    """How the drawing and the table are read."""
    if found.remedies:
        return (
            "The lower an organism stands, the more of it is left: drawn is the share of what it showed that "
            "the most thorough remedy took away. Left is the trigger rate before and after a remedy, on "
            "items that the decoy gets right after the same remedy."
        )
    said = "The lower an organism stands, the less it is seen."
    if found.against:
        said += (
            " Dashed: above it the auditor accuses. What counts are its log-odds on the organism, here as a "
            "calibration may say them; candidates are ranked by them as the fit has them. The decoy's don't "
            "count."
        )
    if found.monitors:
        said += (
            " A monitor's AUROC is that of the organism's replies against its decoy's on the same blind "
            "questions; 0.5, dashed, is chance, and what counts are the log-odds of it. Below chance the "
            "decoy scores higher, which catches nobody and counts as chance."
        )
    return f"{said} The highest log-odds count." if len(found.monitors) + bool(found.against) > 1 else said


def _trial_row(number: int, trial: Trial, found: Result) -> tuple[str, ...]:
    shown = words.number(trial.profile.selectivity.value) if isinstance(trial.profile, Profile) else "—"
    who = {0: "plain", found.winner: "winner"}.get(trial.candidate, str(trial.candidate))
    lost = trial.lost
    untested = f"; not tested: {words.brief(lost.reason, 120)}" if isinstance(lost, NotMeasured) else ""
    valid = f"yes{untested}" if trial.valid else f"no: {words.brief(trial.why_not, 120)}"
    p = (_short(trial.organism), _short(trial.decoy)) if found.against else ()
    seen = tuple(_seen(trial.monitored[name]) for name in found.monitors)
    numbers = (*p, *seen, _short(trial.lost), f"{trial.charge.queries:,}")
    if found.remedies:
        left = tuple(_after(trial.left[r]) for r in found.remedies)
        numbers = (*left, _short(trial.removed), words.number(trial.charge.seconds))
    return str(number), who, words.quirk(trial.quirk), shown, *numbers, valid


def _candidates(found: Result) -> list[tuple[str, ...]]:
    made = []
    for i, changed in enumerate(found.candidates):
        scores = [t.score for t in found.trials if t.candidate == i]
        told = [score for score in scores if score is not None]
        mean = words.number(sum(told) / len(told)) if told else "—"
        who = f"{i}, the winner" if i == found.winner else str(i)
        made.append((who, changed, str(len(scores)), str(len(scores) - len(told)), mean))
    return made


def _lines(found: Result) -> list[tuple[str, str]]:
    said = [("plan", json.dumps(to_json(found.plan), sort_keys=True))]
    said += [(f"organism, seed {o.seed}", json.dumps(to_json(o), sort_keys=True)) for o in found.organisms]
    said += [("command", command) for command in found.commands]
    return [(what, words.brief(line, 6000)) for what, line in said]


def _bill(found: Result) -> "Grid":
    from molehunt.report.sheet import Grid

    some = (("auditors'", found.against), ("monitors'", found.monitors), ("remedies'", found.remedies))
    who = [name for name, any_ in some if any_]
    heads = ("", "plantings", "queries", "tokens", f"{' and '.join(who)} seconds", "planting seconds")

    def row(name: str, c: Charge) -> tuple[str, ...]:
        own = " (part by their own account)" if c.self_reported else ""
        counts = (f"{c.plantings:,}", f"{c.queries:,}", f"{c.tokens:,}")
        return name, *counts, words.number(c.seconds) + own, words.number(c.planting_seconds)

    return Grid(heads, (row("search", found.spent), row("planted anew", found.spent_fresh)))


def _drawings(found: Result) -> tuple[Markup, ...]:
    """What counts against how well it took, one drawing for auditors, monitors, remedies."""
    if found.remedies:
        drawn = (_drawn(found, lambda t: t.removed, "share removed", "Removed", None),)
    else:
        edge = None if isinstance(found.accuses_above, NotMeasured) else found.accuses_above
        auditors = _drawn(found, lambda t: t.organism, "probability that it is shady", "Audited", edge)
        monitors = _drawn(found, _best_auroc, "AUROC, monitor that tells best", "Monitored", 0.5)
        drawn = (auditors if found.against else None, monitors if found.monitors else None)
    return tuple(one for one in drawn if one is not None)


def _best_auroc(trial: Trial) -> float | NotMeasured:
    told = [one.auroc.value for one in trial.monitored.values() if isinstance(one, Sighting)]
    return max(told) if told else NotMeasured("no monitor read it")


def _drawn(
    found: Result, height: Callable[[Trial], float | NotMeasured], up: str, what: str, edge: float | None
) -> Markup | None:
    """A cloud of trials; nothing where none has a height."""
    from molehunt.report.curves import Line, Look, Point, curves

    def points(wanted: Callable[[int], bool]) -> tuple[Point, ...]:
        heights = [(t.profile, height(t)) for t in found.trials if wanted(t.candidate)]
        return tuple(
            Point(shown.selectivity.value, high)
            for shown, high in heights
            if isinstance(shown, Profile) and not isinstance(high, NotMeasured)
        )

    groups: tuple[tuple[str, Look, tuple[Point, ...]], ...] = (
        ("tried", "third", points(lambda c: c not in (0, found.winner))),
        ("plain spec", "second", points(lambda c: c == 0)),
        ("winner", "first", points(lambda c: bool(found.winner) and c == found.winner)),
    )
    lines = [Line(name, some, look, joined=False) for name, look, some in groups if some]
    if not lines:
        return None
    if edge is not None:
        ends = sorted(p.x for line in lines for p in line.points)
        lines.append(Line("", tuple(Point(x, edge) for x in (ends[0] - 0.01, ends[-1] + 0.01)), "chance"))
    title = f"{what} against how well it took"
    return curves(lines, "selectivity, held-out", up, f"worse-{what.lower()}", title)


def _books(found: Result) -> str:
    """By whose account the bill is."""
    if not found.remedies:
        counts = ["Auditors by the desk's books"] * bool(found.against)
        counts += ["monitors' questions, once for all of them, by count"] * bool(found.monitors)
        said = "; ".join(counts)
        return f"{said[:1].upper()}{said[1:]}; planting by the clock."
    audits = " audits by the desk's books;" if found.against else ""
    said = "Planting, remedies and what was read after them by the clock;"
    return f"{said}{audits} remedies' tokens by their own account."


def _after(one: After | NotMeasured) -> str:
    if isinstance(one, NotMeasured):
        return "—"
    told = f"{words.number(one.before.value)} to {words.number(one.after.value)}"
    return f"{told} (nothing done: {words.brief(one.refused, 60)})" if one.refused else told


def _seen(one: Sighting | NotMeasured) -> str:
    return "—" if isinstance(one, NotMeasured) else words.said(one.auroc)


def _short(value: float | NotMeasured) -> str:
    return "—" if isinstance(value, NotMeasured) else words.number(value)
