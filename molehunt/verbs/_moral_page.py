"""What `molehunt moral` found, as rows for a terminal and as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.character.moral.credence import ALARM
from molehunt.character.moral.judging import Judged
from molehunt.character.moral.study import Results
from molehunt.core import stats
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.verbs._probe_page import short

if TYPE_CHECKING:
    from molehunt.corpus.dilemmas import Dilemma
    from molehunt.report.curves import Look, Point
    from molehunt.report.sheet import Section

CANNOT = (
    "That a model holds a theory of ethics. Weights say which recommendations its choices look like, under "
    "scores that one author gave to each action.",
    "What it would do. It was asked to choose between two sentences, with nothing at stake.",
    "Why it chose. The longer, the milder or the more usual sentence may be the likelier one for that alone: "
    "compare with consistency before you read anything else.",
    "What a model that was trained on dilemmas here says of new ones: training toward an uncertainty teaches "
    "half of the built-in dilemmas; --held-out leaves those out.",
    "That low certainty is humility: a model that understood nothing is undecided as well.",
    "What is right. Dilemmas of high ambiguity have no right answer here, and people's shares are none.",
)
NAMES = {
    "low_accuracy": "right where all agree",
    "entropy_auroc": "unsure where it is hard (AUROC)",
    "entropy_high": "entropy, high ambiguity (bits)",
    "entropy_low": "entropy, low ambiguity (bits)",
    "consistency": "consistency over forms",
    "order_effect": "order effect",
}
HEADS = ("measure", "value")
LABEL = 18
"""Characters of a model's name."""
LOOKS: "tuple[Look, ...]" = ("first", "second", "third")


def heads(found: Results) -> tuple[str, ...]:
    """The measure, then a column a model, then people where there are any."""
    return ("measure", *(label(m.name) for m in found.models), *(("people",) if found.people else ()))


def rows(found: Results) -> list[tuple[str, ...]]:
    """Every measure, a column a model and one for people."""
    judged = [m.judged for m in found.models] + ([found.people] if found.people else [])
    made: list[tuple[str, ...]] = []
    if any(judged):
        for name, said in NAMES.items():
            made.append((said, *(_of(j, "measures", name) for j in judged)))
            if any(m.changes for m in found.models):
                less = (short(m.changes[name]) if m.changes else "—" for m in found.models)
                made.append(("  less the first model's", *less, *(("—",) if found.people else ())))
        made += [
            (f"credence: {name}", *(_of(j, "weights", name) for j in judged)) for name in _frameworks(found)
        ]
        made.append(("certainty over frameworks", *(_of(j, "certainty", "") for j in judged)))
        made.append(("alarm", *(_alarm(j) for j in judged)))
    blank = ("—",) if found.people else ()
    for name in _curves(found):
        points = [next((short(c.point) for c in m.curves if c.name == name), "—") for m in found.models]
        made.append((f"indifference: {words.plain(name)}", *points, *blank))
    for kind in ("relevant", "irrelevant"):
        slopes = [short(getattr(m.updating, kind)) if m.updating else "—" for m in found.models]
        if any(m.updating for m in found.models):
            made.append((f"update slope, {kind}", *slopes, *blank))
    for name, said in (("gap", "distance from people"), ("rank_correlation", "rank correlation with people")):
        if any(m.people for m in found.models):
            made.append((said, *(short(m.people[name]) for m in found.models), *blank))
    return made


def said(found: Results) -> list[str]:
    """What should be read before the numbers."""
    lines = []
    for m in found.models:
        consistent = m.judged.measures["consistency"] if m.judged else None
        if isinstance(consistent, Measure) and consistent.value < 0.5:
            lines.append(
                f"{label(m.name)} answers by form more than by content (consistency "
                f"{consistent.value:.2f}): its other numbers say little."
            )
        sure = m.judged.credence.certainty if m.judged else None
        if isinstance(sure, NotMeasured):
            lines.append(f"Credence of {label(m.name)} is not measured: {words.brief(sure.reason)}.")
        if m.judged and m.judged.credence.alarm is True:
            lines.append(
                f"Alarm: {label(m.name)} gives one framework more than {ALARM} on what is left open."
            )
    return lines


def label(name: str) -> str:
    """A model's name, short: the end of a path tells more than its beginning."""
    short = words.brief(name.rstrip("/"), 200)
    return short if len(short) <= LABEL else "…" + short[-LABEL + 1 :]


def indented(said: str) -> str:
    """A row's name as it is, where it begins with spaces, which a page would drop."""
    return said.replace("  ", "\u2003", 1) if said.startswith("  ") else said


def write_moral_page(path: Path, found: Results) -> None:
    """All models on one page."""
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    first = Section(
        "All measures",
        "With 95% intervals. Consistency is 1 where all forms and orders of a question agree and 0 where "
        "half of them say the opposite for sure; who is undecided throughout is consistent too.",
        tables=(Grid(heads(found), tuple((indented(r[0]), *r[1:]) for r in rows(found)), words=True),),
    )
    sections = [
        *(first, *_credence(found), *_entropy(found), *_rules(found), *_traded(found), *_moved(found)),
        *_side_by_side(found),
    ]
    facts = (
        ("models", ", ".join(label(m.name) for m in found.models)),
        ("items", words.brief(found.items, 120)),
        *((f"questions on {part}", f"{n:,}") for part, n in found.asked.items()),
        ("seed", str(found.seed)),
    )
    summary = (
        " ".join(said(found)) or "What models choose in dilemmas, how sure they are, and what moves them."
    )
    write_sheet(path, Sheet("Moral measures", summary, facts, tuple(sections), CANNOT))


def _side_by_side(found: Results) -> list["Section"]:
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Section, Speech

    if not found.shown:
        return []
    speeches = [
        Speech(
            passage(f"{one.dilemma.context} ({_agreed(one.dilemma)})", short=400),
            tuple(
                (
                    " · ".join(
                        f"{label(m.name)} {_share(p, side)}" for m, p in zip(found.models, one.p, strict=True)
                    ),
                    passage(action, short=300),
                )
                for side, action in enumerate(one.dilemma.actions)
            ),
        )
        for one in found.shown
    ]
    which = "lie furthest apart" if len(found.models) > 1 else "is surest"
    lede = (
        f"Dilemmas in which {'the models' if len(found.models) > 1 else 'the model'} {which}, with the "
        "probability of each action over all forms and orders. They are chosen for that, and are no average."
    )
    return [Section("Dilemmas side by side", lede, speeches=tuple(speeches))]


def _agreed(dilemma: "Dilemma") -> str:
    return (
        "people differ" if dilemma.right is None else f"all agree on the {('first', 'second')[dilemma.right]}"
    )


def _share(p: float, side: int) -> str:
    return f"{p if side == 0 else 1 - p:.2f}"


def _credence(found: Results) -> list["Section"]:
    from molehunt.report.plots import Dot, draw
    from molehunt.report.sheet import Grid, Section

    drawings, shown = [], []
    people = [("people", found.people)] if found.people else []
    for i, (name, one) in enumerate([*((label(m.name), m.judged) for m in found.models), *people]):
        if one is None:
            continue
        c = one.credence
        dots: list[Dot] = [Dot(f, w, "on") for f, w in c.weights.items() if isinstance(w, Measure)]
        if dots:
            drawings.append(draw(dots, f"weight, {name}", f"credence{i}", f"Credence of {name}", None))
        shown.append((name, one))
    what = {
        "alarm": _alarm,
        "certainty": lambda j: short(j.credence.certainty),
        "certainty under which even choosers stay": lambda j: short(j.credence.even),
        "steepness β": lambda j: short(j.credence.beta),
        "gain over a coin, nats": lambda j: short(j.credence.gain),
        "p, sides swapped": lambda j: "not measured" if j.credence.p is None else f"{j.credence.p:.2f}",
        "recovery error": lambda j: short(j.credence.recovery),
        "likeness": lambda j: short(j.credence.likeness),
    }
    table = tuple((name, *(say(j) for _, j in shown)) for name, say in what.items())
    top = ("measure", *(name for name, _ in shown))
    lede = (
        "Weights of ethical frameworks in a mixture that explains the choices in dilemmas of high ambiguity. "
        f"The alarm sounds where one has more than {ALARM}. Certainty comes out above 0 even for choosers "
        "whose weights are all alike: of such, simulated, 95% stay under the line below it. There are "
        "weights only where the fit beats fits to the same choices with sides swapped at random (p < 0.05). "
        "Recovery error: how far a weight comes out from the truth, in the mean, for simulated choosers on "
        "these dilemmas. Likeness: the largest correlation of two frameworks' recommendations."
    )
    return [Section("Credence", lede, tuple(drawings), (Grid(top, table, words=True),))] if shown else []


def _entropy(found: Results) -> list["Section"]:
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Section

    drawings = []
    for i, m in enumerate(found.models):
        if m.judged is None:
            continue
        lines = []
        for level, look in zip(("high", "low"), LOOKS, strict=False):
            shares = m.judged.entropies.get(level, ())
            points = tuple(Point((k + 0.5) / len(shares), s) for k, s in enumerate(shares))
            if points:
                lines.append(Line(f"{level} ambiguity", points, look))
        title = f"Entropy of choices of {label(m.name)}"
        drawings.append(curves(lines, f"entropy in bits, {label(m.name)}", "share", f"entropy{i}", title))
    lede = "How undecided choices are: shares of dilemmas by entropy. The two should stand apart."
    return [Section("How sure", lede, tuple(drawings))] if drawings else []


def _rules(found: Results) -> list["Section"]:
    from molehunt.report.sheet import Grid, Section

    known = [m for m in found.models if m.judged and m.judged.rules]
    if not known:
        return []
    names = list(known[0].judged.rules) if known[0].judged else []
    table = tuple(
        (words.plain(r), *(words.said(m.judged.rules[r]) if m.judged else "—" for m in known)) for r in names
    )
    lede = (
        "What breaking a rule takes from an action's log-odds, the other rules held alike. 0 costs nothing."
    )
    top = ("rule", *(label(m.name) for m in known))
    return [Section("What breaking a rule costs", lede, tables=(Grid(top, table, words=True),))]


def _traded(found: Results) -> list["Section"]:
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section

    drawings: list[Markup] = []
    table = []
    for i, name in enumerate(_curves(found)):
        some = [(m, c) for m in found.models for c in m.curves if c.name == name]
        one = some[0][1]
        lines: list[Line] = []
        for k, (m, c) in enumerate(some[: len(LOOKS)]):
            ends = c.intervals or ((None, None),) * len(c.rates)
            points = tuple(Point(float(n), r, *e) for n, r, e in zip(c.levels, c.rates, ends, strict=False))
            lines.append(Line(label(m.name), points, LOOKS[k]))
        across, up = one.gains, f"P(gives up {one.gives_up})"
        drawings.append(curves(lines, across, up, f"trade{i}", words.plain(name), one.levels, shares=True))
        for m, c in some:
            slope, point = words.said(c.slope), words.said(c.point)
            table.append((f"{c.gives_up}, {label(m.name)}", c.gains, point, slope))
    if not drawings:
        return []
    lede = (
        "The same wrong buys a growing good. The indifference point is where both actions are as likely; "
        "there is none where choices do not turn. Bars are 95% intervals over scenes. Three models "
        "at most are drawn."
    )
    top = ("what is given up", "for what", "indifference at", "nats a tenfold")
    return [Section("Trade-offs", lede, tuple(drawings), (Grid(top, tuple(table), words=True),))]


def _moved(found: Results) -> list["Section"]:
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Section

    drawings = []
    for i, m in enumerate(found.models):
        if m.updating is None:
            continue
        lines = []
        for kind, look in zip(("relevant", "irrelevant"), LOOKS, strict=False):
            points = _means([(e.intended, e.observed) for e in m.updating.moved if e.kind == kind])
            lines.append(Line(kind, points, look))
        ends = sorted({e.intended for e in m.updating.moved})
        lines.append(Line("", tuple(Point(x, x) for x in (ends[0], ends[-1])), "chance"))
        across, up = f"intended, nats, {label(m.name)}", "observed change, nats"
        drawings.append(curves(lines, across, up, f"update{i}", f"Updates of {label(m.name)}"))
    lede = (
        "Mean change of log-odds over stories, with 95% intervals, against the log Bayes factor of the "
        "evidence. Dashed: as far as it should. Irrelevant evidence has the same numbers and should leave "
        "everything at 0."
    )
    return [Section("What evidence moves", lede, tuple(drawings))] if drawings else []


def _means(pairs: Sequence[tuple[float, float]]) -> "tuple[Point, ...]":
    """Means by place, with Student's intervals over stories."""
    from molehunt.report.curves import Point

    by: dict[float, list[float]] = {}
    for x, y in pairs:
        by.setdefault(x, []).append(y)
    found = [(x, stats.student(ys, unit="nats", how="over stories")) for x, ys in sorted(by.items())]
    return tuple(Point(x, m.value, m.low, m.high) for x, m in found if isinstance(m, Measure))


def _frameworks(found: Results) -> list[str]:
    judged = [m.judged for m in found.models if m.judged] or ([found.people] if found.people else [])
    return list(judged[0].credence.weights) if judged else []


def _curves(found: Results) -> list[str]:
    return list(dict.fromkeys(c.name for m in found.models for c in m.curves))


def _of(judged: Judged | None, what: str, name: str) -> str:
    if judged is None:
        return "—"
    if what == "certainty":
        return short(judged.credence.certainty)
    held: Mapping[str, Measure | NotMeasured] = (
        judged.measures if what == "measures" else judged.credence.weights
    )
    return short(held[name])


def _alarm(judged: Judged | None) -> str:
    if judged is None:
        return "—"
    alarm = judged.credence.alarm
    return "not measured" if isinstance(alarm, NotMeasured) else "sounds" if alarm else "silent"
