"""What `molehunt moral` found, as a page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from molehunt.character.moral.credence import ALARM
from molehunt.character.moral.judging import Judged
from molehunt.character.moral.study import Results
from molehunt.core import stats
from molehunt.core.records import Measure
from molehunt.report import words
from molehunt.verbs._moral_said import (
    FORM_NAMES,
    NAMES,
    alarm_said,
    heads,
    indented,
    label,
    rows,
    said,
    trade_names,
)
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
LOOKS: "tuple[Look, ...]" = ("first", "second", "third")


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
        *(first, *_credence(found), *_by_form(found), *_entropy(found), *_rules(found), *_traded(found)),
        *(*_moved(found), *_side_by_side(found)),
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
        "alarm": lambda j: alarm_said(j.credence.alarm),
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


def _by_form(found: Results) -> list["Section"]:
    from molehunt.report.sheet import Grid, Section

    tables = []
    for m in found.models:
        forms = m.judged.forms if m.judged else {}
        if len(forms) < 2:
            continue
        names = (NAMES | {"consistency": "consistency over both orders"}).items()
        lines = [(said, *(short(j.measures[n]) for j in forms.values())) for n, said in names]
        lines += [(said, *(say(j) for j in forms.values())) for said, say in FORM_CREDENCE.items()]
        tables.append(Grid((label(m.name), *(FORM_NAMES[f] for f in forms)), tuple(lines), words=True))
    lede = (
        "Each form of question alone, in both orders. A model may choose in one and go by place or words in "
        "another; all together would drown that. Where answers go by place (an order effect above 0.5) "
        "entropies and weights are not measured. A largest weight comes out too large, and several forms "
        "are several looks."
    )
    return [Section("Form by form", lede, _form_dots(found), tuple(tables))] if tables else []


def _form_dots(found: Results) -> tuple[Markup, ...]:
    """Two measures that have a chance level: a drawing a model, a row a form."""
    from molehunt.report.plots import Dot, draw

    drawings = []
    for i, m in enumerate(found.models):
        for name in ("low_accuracy", "entropy_auroc"):
            dots = [
                Dot(FORM_NAMES[form], one, "on")
                for form, judged in (m.judged.forms if m.judged else {}).items()
                if isinstance(one := judged.measures[name], Measure)
            ]
            if dots:
                axis, title = f"{NAMES[name]}, {label(m.name)}", f"{NAMES[name]}, form by form"
                drawings.append(draw(dots, axis, f"form{i}_{name}", title, 0.5))
    return tuple(drawings)


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
    for i, name in enumerate(trade_names(found)):
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


def _largest(judged: Judged) -> str:
    weights = judged.credence.weights
    known = {f: w for f, w in weights.items() if isinstance(w, Measure)}
    most = max(known, key=lambda f: known[f].value, default="")
    return f"{most} {short(known[most])}" if most else "not measured"


FORM_CREDENCE: "Mapping[str, Callable[[Judged], str]]" = {
    "largest weight of a framework": _largest,
    "p, sides swapped": lambda j: "not measured" if j.credence.p is None else f"{j.credence.p:.2f}",
    "alarm": lambda j: alarm_said(j.credence.alarm),
}
