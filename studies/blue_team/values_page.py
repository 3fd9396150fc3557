"""The page's tables of values: dilemmas, what is known of the alarm, and constitutions against each other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import scripted
from blue_tables import cell, shown, table
from kindness import RIVALS
from schooling import BASE, CONTROLS
from values_measures import won
from weighing import BUILTIN, EVERY, PUBLISHED

from molehunt.character.moral.forms import FORMS
from molehunt.core.record_json import to_json
from molehunt.verbs._moral_said import FORM_NAMES

Numbers = Mapping[str, Any]
MORAL = (
    ("low_accuracy", "right where all agree"),
    ("entropy_auroc", "AUROC of entropy"),
    ("most", "largest weight"),
    ("beta", "steepness"),
    ("gain", "gain over a coin"),
    ("recovery", "a weight comes out off by"),
)
ALONE = {
    "low_accuracy": "right where all agree",
    "entropy_auroc": "AUROC of entropy",
    "order_effect": "order effect",
}
UNMEASURED = "not measured"
UNNAMED = "MoralChoice was not asked: `--moralchoice` named no folder."


def moral(numbers: Numbers, rows: Mapping[str, Any]) -> list[str]:
    """What dilemmas say of each model, whether training took, and the alarm beside known choosers."""
    own = {r["model"]: r for r in rows.values() if r["name"].startswith("moral-")}
    if not own:
        return []
    lines = ["", "## Dilemmas"]
    for bank in (BUILTIN, PUBLISHED):
        heads = ("model", *(words for _, words in MORAL), "alarm")
        lines_of = [
            [
                name,
                *_once([shown(numbers[f"{bank}_{what}_{name}"]) for what, _ in MORAL]),
                _alarm(own[name][bank]["alarm"]),
            ]
            for name in EVERY
            if bank in own.get(name, {})
        ]
        if lines_of:
            words = "MoralChoice" if bank == PUBLISHED else "Built-in dilemmas that no training taught"
            lines += ["", f"{words}:", *table(heads, lines_of)]
    if not any(PUBLISHED in r for r in own.values()):
        lines += ["", UNNAMED]
    lines += _by_form(numbers, own) + _took(numbers, own) + _scripted()
    slopes = [
        [name, *(shown(numbers[f"slope_{kind}_{name}"]) for kind in ("relevant", "irrelevant"))]
        for name in ("ideal", *(n for n in EVERY if n in own))
    ]
    heads = ("update slope", "on relevant evidence (1)", "on irrelevant evidence (0)")
    notes = [f"{n}: {cell(r['note'])}." for n, r in own.items() if r.get("note")]
    said = f"Intervals are over dilemmas, of one training each. {_stamp(own.values())}"
    return [*lines, *table(heads, slopes), "", said, *(["", *notes] if notes else [])]


def _took(numbers: Numbers, own: Mapping[str, Any]) -> list[str]:
    """Of both controls how far choices lie from their targets, before and after."""
    lines = [
        [
            name,
            *(
                shown(numbers[f"distance_{when}_{half}_{name}"])
                for half in ("taught", "held_out")
                for when in ("before", "after")
            ),
        ]
        for name in CONTROLS
        if own.get(name, {}).get("training")
    ]
    if not lines:
        return []
    steps = ", ".join(f"{own[n]['amount']['steps']} steps ({n})" for n in CONTROLS if n in own)
    heads = ("trained to be", "taught, before", "taught, after", "held out, before", "held out, after")
    said = (
        "Whether training took: mean distance of a choice from its target, where taught and held out, after "
        f"{steps}."
    )
    return ["", said, *table(heads, lines), *_took_by_form(numbers, own)]


def _took_by_form(numbers: Numbers, own: Mapping[str, Any]) -> list[str]:
    """The same after training, each form of question alone, and whether the alarm sounds there."""
    lines = [
        [
            f"{name}, asked for {FORM_NAMES[form]}",
            *(
                one
                for half in ("taught", "held_out")
                for one in (
                    shown(numbers[f"distance_{half}_{form}_{name}"]),
                    _brief(numbers[f"most_{half}_{form}_{name}"]),
                    _alarm(told[half]["forms"][form]["alarm"]),
                )
            ),
        ]
        for name in CONTROLS
        if (told := own.get(name, {}).get("training", {}).get("after"))
        for form in told["taught"].get("forms", {})
    ]
    if not lines:
        return []
    three = ("distance", "largest weight", "alarm")
    heads = ("trained to be", *(f"{half}: {what}" for half in ("taught", "held out") for what in three))
    said = (
        "The same after training, each form of question alone. On what was taught the alarm is tried itself, "
        "in those forms whose distance is small: there a model is certain, or calibrated, for it was made so."
    )
    return ["", said, *table(heads, lines)]


def _by_form(numbers: Numbers, own: Mapping[str, Any]) -> list[str]:
    """What each form alone says of every model."""
    banks = [b for b in (BUILTIN, PUBLISHED) if any(r.get(b, {}).get("forms") for r in own.values())]
    lines = [
        [
            f"{name}, asked for {FORM_NAMES[form]}",
            *(_brief(numbers[f"{bank}_{what}_{form}_{name}"]) for bank in banks for what in ALONE),
        ]
        for name in EVERY
        if any(own.get(name, {}).get(bank, {}).get("forms") for bank in banks)
        for form in FORMS
    ]
    if not lines:
        return []
    names = {BUILTIN: "built-in", PUBLISHED: "MoralChoice"}
    heads = ("model", *(f"{names[bank]}: {said}" for bank in banks for said in ALONE.values()))
    said = (
        "Each form of question alone, for a model may choose in one and go by place or words in another. "
        "Where answers go by place (an order effect above 0.5) entropy is not measured. Eighteen looks a "
        "column: in the mean one interval of them leaves out the truth."
    )
    return ["", said, *table(heads, lines)]


def _scripted() -> list[str]:
    """The alarm beside choosers whose certainty is known."""
    lines = [
        [
            name,
            *(shown(to_json(one[n])) for n in ("most", "beta", "gain")),
            _alarm(one["alarm"]),
        ]
        for name, one in scripted.told().items()
    ]
    said = (
        "The same fit on scripted choosers, on the open dilemmas among these. The largest weight says which "
        "framework choices follow, and not how surely: who is nearly undecided can sound the alarm, and who "
        "takes one side nine times in ten does not. Read it beside steepness and gain."
    )
    heads = ("scripted", "largest weight", "steepness", "gain over a coin", "alarm")
    return ["", said, *table(heads, lines)]


def _once(cells: Sequence[str]) -> list[str]:
    """Why something was not measured is said in the first of the cells for which it holds."""
    return [
        UNMEASURED if one.startswith(UNMEASURED) and one in cells[:i] else one for i, one in enumerate(cells)
    ]


def _brief(number: Any) -> str:
    """Without why it was not measured: `results.json` has the reasons."""
    return shown(number).partition(":")[0]


def _alarm(told: Any) -> str:
    if isinstance(told, Mapping):
        return UNMEASURED
    return "sounds" if told else "silent"


def kind(numbers: Numbers, rows: Mapping[str, Any]) -> list[str]:
    """Who keeps to which constitution, beside what the writing alone is worth and the same trained again."""
    own = {r["constitution"]: r for r in rows.values() if r["name"].startswith("kind-")}
    if not own:
        return []
    lines = []
    for by in own:
        for part, words in (
            ("kept_chat", "in chat"),
            ("dealt_chat", "in chat, to other prompts (chance)"),
            ("kept_agentic", "with tools"),
        ):
            change = "dealt" if part == "dealt_chat" else part.removeprefix("kept_")
            lines.append(
                [
                    f"{by}, {words}",
                    *(shown(numbers.get(f"{part}_{n}_by_{by}")) for n in (BASE, *RIVALS)),
                    *(
                        shown(numbers.get(f"{against}_{change}_by_{by}"))
                        for against in ("kind_less_humanity", "kind_less_kind_again")
                    ),
                ]
            )
    for what, words in (
        ("stated_cycles", "stated traits that go in a circle"),
        ("revealed_cycles", "shown traits that go in a circle"),
        ("agreement", "stated and shown order agree"),
    ):
        lines.append([words, *(shown(numbers.get(f"{what}_{n}")) for n in (BASE, *RIVALS)), "", ""])
    heads = (
        *("kept by the principles of", BASE, *RIVALS),
        *("margin, kind-person less best-for-humanity", "less itself, from another seed (null)"),
    )
    clear = [
        f"- {'kind-person' if change['value'] > 0 else 'best-for-humanity'} on `{name}` of {constitution}, "
        f"{shown(change)}"
        for constitution, name, change in won(own)
    ]
    said = (
        "One training of each, and intervals are over cases: what the last column shows, two trainings of "
        "one constitution show as well. Replies dealt to other prompts say what the writing alone is worth; "
        f"deeds are not dealt. {_amounts(own.values())} {_stamp(own.values())}"
    )
    ahead = ["", "Ahead on a principle, by Holm over all of them:", "", *clear]
    notes = list(dict.fromkeys(cell(note) for r in own.values() for note in r.get("notes", ())))
    noted = ["", *(f"{n}." for n in notes)] if notes else []
    return ["", "## Constitutions", *table(heads, lines), "", said, *noted, *(ahead if clear else [])]


def _amounts(rows: Iterable[Mapping[str, Any]]) -> str:
    """How much each was taught, so that a difference of amounts is not read as one of principles."""
    told: Mapping[str, Any] = {name: one for r in rows for name, one in r.get("amount", {}).items() if one}
    some = [f"{n} {a['lessons']} replies and {a['preferences']} preferences" for n, a in told.items()]
    return f"Taught: {'; '.join(some)}." if some else ""


def _stamp(rows: Iterable[Mapping[str, Any]]) -> str:
    known: Sequence[str] = sorted({str(r["commit"]) for r in rows if r.get("commit")})
    return f"Measured at {', '.join(known)}." if known else ""
