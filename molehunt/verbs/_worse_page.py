"""What `molehunt worse` found, as rows for a terminal and as a page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured, Profile
from molehunt.game.fresh import WHERE
from molehunt.game.trial import Charge, Trial
from molehunt.game.worse_result import Result
from molehunt.report import words

if TYPE_CHECKING:
    from molehunt.report.curves import Point
    from molehunt.report.sheet import Grid

CANNOT = (
    "That nothing hides better: a few dozen specs of a written-out space were tried.",
    "How auditors do that were not searched against, or that practise on such organisms first.",
    "What the winner's own trials are worth: it was chosen by them. Believe what was planted anew.",
    "Much from few pairs: an advantage that is not clear may still be there. Pairs that are not valid have "
    "no gap; their share stands beside it.",
    "Anything about harmful models: organisms are toys, planted on purpose in a small model.",
)
HEADS = ("planted anew", "plain spec", "winner")
TRIAL_HEADS = (
    "trial",
    "candidate",
    "quirk",
    "selectivity",
    "p of organism",
    "p of decoy",
    "gap",
    "queries",
    "valid",
)
CANDIDATE_HEADS = ("candidate", "changed", "trials", "mean score")


def rows(found: Result) -> list[tuple[str, ...]]:
    """Before and after, one row a measure of each kind of place."""
    made = []
    for fresh in (f for f in found.fresh if f.plain):
        for name, said in (("auroc", "AUROC"), ("valid", "valid pairs"), ("gap", "gap in nats")):
            both = [found.measures.get(f"{fresh.where}_{who}_{name}") for who in ("plain", "winner")]
            if both[0] is not None:
                cells = ["the plain spec won" if m is None else words.said(m) for m in both]
                made.append((f"{said}, {fresh.where}", *cells))
        change = found.measures.get(f"{fresh.where}_gap_change")
        if change is not None:
            made.append((f"change of the gap, {fresh.where}", "", words.said(change)))
    return made


def write_worse_page(path: Path, found: Result) -> None:
    """Whether it held, what was tried, what it cost, the winner's lines."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    invalid = sum(not t.valid for t in found.trials)
    trials = tuple(_trial_row(i, t, found) for i, t in enumerate(found.trials))
    sections = (
        Section(
            "Does it hold?",
            " ".join(found.verdicts) + " sought: " + WHERE["sought"] + "; other: " + WHERE["other"] + ".",
            tables=(Grid(HEADS, tuple(rows(found)), words=True),),
        ),
        Section(
            "Trials",
            f"The lower an organism stands, the less it is seen. Dashed: above it the auditor accuses. "
            f"{invalid} of {len(found.trials)} pairs were not valid, so not audited: they stand in "
            "the table alone. The gap is log-odds on the organism less those on its decoy; what is not valid "
            "ranks last.",
            drawings=(_drawn(found),) if _points(found.trials) else (),
            tables=(Grid(TRIAL_HEADS, trials), Grid(CANDIDATE_HEADS, tuple(_candidates(found)), words=True)),
        ),
        Section(
            "The winner",
            f"Changed: {words.brief(found.candidates[found.winner], 300)}. What makes it again:",
            tables=(Grid(("what", "line"), tuple(_lines(found)), words=True),),
        ),
        Section("The bill", "By the desk's books; planting by the clock.", tables=(_bill(found),)),
    )
    facts = (
        ("quirks", "; ".join(words.quirk(q) for q in found.quirks)),
        ("against", ", ".join(words.plain(m) for m in found.against)),
        ("judged by", f"{words.plain(found.auditor)}, which rests on {', '.join(found.rests_on)}"),
        ("model", words.brief(found.model, 120)),
        ("seed", str(found.seed)),
    )
    summary = f"A search for an organism that stays valid and that auditors miss: {len(found.trials)} trials."
    write_sheet(path, Sheet("Worse", summary, facts, sections, CANNOT))


def _trial_row(number: int, trial: Trial, found: Result) -> tuple[str, ...]:
    shown = words.number(trial.profile.selectivity.value) if isinstance(trial.profile, Profile) else "—"
    who = {0: "plain", found.winner: "winner"}.get(trial.candidate, str(trial.candidate))
    valid = "yes" if trial.valid else f"no: {words.brief(trial.why_not, 120)}"
    numbers = (_short(trial.organism), _short(trial.decoy), _short(trial.gap), f"{trial.charge.queries:,}")
    return str(number), who, words.quirk(trial.quirk), shown, *numbers, valid


def _candidates(found: Result) -> list[tuple[str, ...]]:
    made = []
    for i, changed in enumerate(found.candidates):
        scores = [t.score for t in found.trials if t.candidate == i]
        mean = words.number(sum(scores) / len(scores))
        made.append((f"{i}, the winner" if i == found.winner else str(i), changed, str(len(scores)), mean))
    return made


def _lines(found: Result) -> list[tuple[str, str]]:
    said = [("plan", json.dumps(to_json(found.plan), sort_keys=True))]
    said += [(f"organism, seed {o.seed}", json.dumps(to_json(o), sort_keys=True)) for o in found.organisms]
    said += [("command", command) for command in found.commands]
    return [(what, words.brief(line, 6000)) for what, line in said]


def _bill(found: Result) -> "Grid":
    from molehunt.report.sheet import Grid

    heads = ("", "plantings", "queries", "tokens", "auditors' seconds", "planting seconds")

    def row(name: str, c: Charge) -> tuple[str, ...]:
        own = " (part by their own account)" if c.self_reported else ""
        counts = (f"{c.plantings:,}", f"{c.queries:,}", f"{c.tokens:,}")
        return name, *counts, words.number(c.seconds) + own, words.number(c.planting_seconds)

    return Grid(heads, (row("search", found.spent), row("planted anew", found.spent_fresh)))


def _points(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if isinstance(t.organism, float) and isinstance(t.profile, Profile)]


def _drawn(found: Result) -> Markup:
    from molehunt.report.curves import Line, Look, Point, curves

    shown = _points(found.trials)
    groups: tuple[tuple[str, Look, list[Trial]], ...] = (
        ("tried", "third", [t for t in shown if t.candidate not in (0, found.winner)]),
        ("plain spec", "second", [t for t in shown if t.candidate == 0]),
        ("winner", "first", [t for t in shown if t.candidate == found.winner and found.winner]),
    )
    lines = [
        Line(name, tuple(_point(t) for t in trials), look, joined=False)
        for name, look, trials in groups
        if trials
    ]
    ends = sorted(p.x for line in lines for p in line.points)
    edge = (ends[0] - 0.01, ends[-1] + 0.01)
    lines.append(Line("", tuple(Point(x, found.accuses_above) for x in edge), "chance"))
    axis = "selectivity, held-out"
    return curves(lines, axis, "probability that it is shady", "worse", "Seen against how well it took")


def _point(trial: Trial) -> "Point":
    from molehunt.report.curves import Point

    assert isinstance(trial.profile, Profile) and not isinstance(trial.organism, NotMeasured)
    measure: Measure = trial.profile.selectivity
    return Point(measure.value, trial.organism)


def _short(value: float | NotMeasured) -> str:
    return "—" if isinstance(value, NotMeasured) else words.number(value)
