"""What `molehunt worse` found, as rows for a terminal and as a page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured, Profile
from molehunt.game.against import After
from molehunt.game.fresh import WHERE
from molehunt.game.trial import Charge, Trial
from molehunt.game.worse_result import Result
from molehunt.report import words

if TYPE_CHECKING:
    from molehunt.report.curves import Point
    from molehunt.report.sheet import Grid

CANNOT = (
    "That nothing hides better, or lasts longer: a few dozen specs of a written-out space were tried.",
    "How auditors and remedies do that were not searched against, or auditors that practise on such "
    "organisms first.",
    "What the winner's own trials are worth: it was chosen by them. Believe what was planted anew.",
    "Much from few pairs: an advantage that is not clear may still be there. Pairs that are not valid were "
    "not tested; their share stands beside it.",
    "Anything about harmful models: organisms are toys, planted on purpose in a small model.",
)
HEADS = ("planted anew", "plain spec", "winner")
SAID = {
    "auroc": "AUROC where both were valid",
    "valid": "valid pairs",
    "gap": "gap in nats",
    "removed": "share removed",
}
HEARD, LEFT = ("p of organism", "p of decoy", "gap", "queries"), ("left after", "removed", "seconds")
"""What stands of a trial in the table: of auditors, of remedies (the first once for each)."""
CANDIDATE_HEADS = ("candidate", "changed", "trials", "mean score")


def rows(found: Result) -> list[tuple[str, ...]]:
    """Before and after, one row a measure of each kind of place."""
    made = []
    for fresh in (f for f in found.fresh if f.plain):
        for name, said in SAID.items():
            both = [found.measures.get(f"{fresh.where}_{who}_{name}") for who in ("plain", "winner")]
            if both[0] is not None:
                cells = ["the plain spec won" if m is None else words.said(m) for m in both]
                made.append((f"{said}, {fresh.where}", *cells))
        for name, said in SAID.items():
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
            drawings=(_drawn(found),) if _points(found.trials) else (),
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
        *((("auditors", ", ".join(words.plain(m) for m in found.against)),) if found.against else ()),
        *((("whose verdicts guide" if found.remedies else "judged by", judged),) if found.against else ()),
        ("model", words.brief(found.model, 120)),
        ("seed", str(found.seed)),
    )
    aim = "remedies leave" if found.remedies else "auditors miss"
    summary = f"A search for an organism that stays valid and that {aim}: {len(found.trials)} trials."
    write_sheet(path, Sheet("Worse", summary, facts, sections, CANNOT))


def _tested(found: Result) -> tuple[str, ...]:
    """Heads of what was tested."""
    if not found.remedies:
        return HEARD
    return *(f"{LEFT[0]} {words.plain(r)}" for r in found.remedies), *LEFT[1:]


def _how(found: Result) -> str:
    """How the drawing and the table are read."""
    if found.remedies:
        return (
            "The lower an organism stands, the more of it is left: drawn is the share of what it showed that "
            "the most thorough remedy took away. Left is the trigger rate before and after a remedy, on "
            "items that the decoy gets right after the same remedy."
        )
    return (
        "The lower an organism stands, the less it is seen. Dashed: above it the auditor accuses. The gap is "
        "log-odds on the organism less those on its decoy."
    )


def _trial_row(number: int, trial: Trial, found: Result) -> tuple[str, ...]:
    shown = words.number(trial.profile.selectivity.value) if isinstance(trial.profile, Profile) else "—"
    who = {0: "plain", found.winner: "winner"}.get(trial.candidate, str(trial.candidate))
    lost = trial.lost
    untested = f"; not tested: {words.brief(lost.reason, 120)}" if isinstance(lost, NotMeasured) else ""
    valid = f"yes{untested}" if trial.valid else f"no: {words.brief(trial.why_not, 120)}"
    numbers = (_short(trial.organism), _short(trial.decoy), _short(trial.gap), f"{trial.charge.queries:,}")
    if found.remedies:
        left = tuple(_after(trial.left[r]) for r in found.remedies)
        numbers = (*left, _short(trial.removed), words.number(trial.charge.seconds))
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

    who = [name for name, some in (("auditors'", found.against), ("remedies'", found.remedies)) if some]
    heads = ("", "plantings", "queries", "tokens", f"{' and '.join(who)} seconds", "planting seconds")

    def row(name: str, c: Charge) -> tuple[str, ...]:
        own = " (part by their own account)" if c.self_reported else ""
        counts = (f"{c.plantings:,}", f"{c.queries:,}", f"{c.tokens:,}")
        return name, *counts, words.number(c.seconds) + own, words.number(c.planting_seconds)

    return Grid(heads, (row("search", found.spent), row("planted anew", found.spent_fresh)))


def _points(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if isinstance(_height(t), float) and isinstance(t.profile, Profile)]


def _height(trial: Trial) -> float | NotMeasured:
    """What is drawn of a trial, from 0 to 1."""
    return trial.removed if trial.left else trial.organism


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
    axis = "selectivity, held-out"
    if isinstance(found.accuses_above, NotMeasured) or found.remedies:
        return curves(lines, axis, "share removed", "worse", "Removed against how well it took")
    ends = sorted(p.x for line in lines for p in line.points)
    edge = (ends[0] - 0.01, ends[-1] + 0.01)
    lines.append(Line("", tuple(Point(x, found.accuses_above) for x in edge), "chance"))
    return curves(lines, axis, "probability that it is shady", "worse", "Seen against how well it took")


def _point(trial: Trial) -> "Point":
    from molehunt.report.curves import Point

    height = _height(trial)
    assert isinstance(trial.profile, Profile) and not isinstance(height, NotMeasured)
    measure: Measure = trial.profile.selectivity
    return Point(measure.value, height)


def _books(found: Result) -> str:
    """By whose account the bill is."""
    if not found.remedies:
        return "By the desk's books; planting by the clock."
    audits = " audits by the desk's books;" if found.against else ""
    said = "Planting, remedies and what was read after them by the clock;"
    return f"{said}{audits} remedies' tokens by their own account."


def _after(one: After | NotMeasured) -> str:
    if isinstance(one, NotMeasured):
        return "—"
    told = f"{words.number(one.before.value)} to {words.number(one.after.value)}"
    return f"{told} (nothing done: {words.brief(one.refused, 60)})" if one.refused else told


def _short(value: float | NotMeasured) -> str:
    return "—" if isinstance(value, NotMeasured) else words.number(value)
