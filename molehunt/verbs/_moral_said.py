"""What `molehunt moral` found, as rows for a terminal, and what should be read before them."""

from collections.abc import Mapping

from molehunt.character.moral.credence import ALARM
from molehunt.character.moral.judging import Judged
from molehunt.character.moral.study import Found, Results
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.verbs._probe_page import short

NAMES = {
    "low_accuracy": "right where all agree",
    "entropy_auroc": "unsure where it is hard (AUROC)",
    "entropy_high": "entropy, high ambiguity (bits)",
    "entropy_low": "entropy, low ambiguity (bits)",
    "consistency": "consistency over forms",
    "order_effect": "order effect",
}
FORM_NAMES = {"letter": "a letter", "repeat": "the action again", "compare": "yes or no"}
HEADS = ("measure", "value")
LABEL = 18
"""Characters of a model's name."""


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
        made.append(("alarm", *("—" if j is None else alarm_said(j.credence.alarm) for j in judged)))
    blank = ("—",) if found.people else ()
    if any(m.answered for m in found.models):
        shares = (short(m.answered.share) if m.answered else "—" for m in found.models)
        made.append(("answered with one of the two", *shares, *blank))
    for name in trade_names(found):
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
                f"{consistent.value:.2f}): numbers of all forms together say little, look at each form alone."
            )
        lines += _sampled(m)
        lines += _one_form(label(m.name), m.judged)
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


def alarm_said(alarm: bool | NotMeasured) -> str:
    """In a word."""
    return "not measured" if isinstance(alarm, NotMeasured) else "sounds" if alarm else "silent"


def trade_names(found: Results) -> list[str]:
    return list(dict.fromkeys(c.name for m in found.models for c in m.curves))


def _sampled(one: Found) -> list[str]:
    """How a model behind an API was asked, and what its service did not answer."""
    if one.answered is None:
        return []
    lines = [
        f"{label(one.name)} gives no likelihoods: {one.answered.samples} answers a question were counted, "
        "and evidence was not asked."
    ]
    if one.answered.missing:
        lines.append(
            f"Its service did not give {one.answered.missing:,} answers "
            f"({words.brief(one.answered.why, 160)}): run the same command again to ask for them."
        )
    return lines


def _one_form(name: str, judged: Judged | None) -> list[str]:
    """Where the alarm sounds in some form alone, which all forms together drown."""
    if judged is None or judged.credence.alarm is True:
        return []
    loud = [form for form, one in judged.forms.items() if one.credence.alarm is True]
    return [
        f"Alarm: {name} gives one framework more than {ALARM} where it is asked for "
        f"{', and for '.join(FORM_NAMES[form] for form in loud)} alone, of {len(judged.forms)} forms tried."
    ] * bool(loud)


def _frameworks(found: Results) -> list[str]:
    judged = [m.judged for m in found.models if m.judged] or ([found.people] if found.people else [])
    return list(judged[0].credence.weights) if judged else []


def _of(judged: Judged | None, what: str, name: str) -> str:
    if judged is None:
        return "—"
    if what == "certainty":
        return short(judged.credence.certainty)
    held: Mapping[str, Measure | NotMeasured] = (
        judged.measures if what == "measures" else judged.credence.weights
    )
    return short(held[name])
