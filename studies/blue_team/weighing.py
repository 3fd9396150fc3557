"""Moral measures of the base, of models trained toward each preset, and of two controls.

One control was trained to be certain, and the alarm must sound; the other to be calibrated, and it must not.
All are asked the built-in dilemmas that no training taught and stories with evidence; and MoralChoice, where
its files are at hand. Beside them stands an ideal reasoner, scripted: Bayes' rule and nothing else; and
choosers whose certainty is known (`scripted.py`).

What this cannot tell you: how another training of the same plan would come out; intervals are over dilemmas.
"""

import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from blue_study import Setting, said
from schooling import BASE, CONTROLS, PRESETS, key_of, made_of, taught

from molehunt.character.moral import updating
from molehunt.character.moral.choices import Choice
from molehunt.character.moral.judging import Judged
from molehunt.character.moral.study import Found, Materials, moral
from molehunt.character.training.uncertain import halves
from molehunt.core.atomic import read_json, write_json, write_jsonl
from molehunt.core.code import commit
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.corpus.dilemmas import MORALCHOICE
from molehunt.corpus.series import stories
from molehunt.models.fingerprint import file_hash
from molehunt.models.machine import in_words

EVERY = (BASE, *PRESETS, *CONTROLS)
PRIOR = 0.3
"""Log-odds of the ideal reasoner before any evidence: any number will do."""
VERSION = 2
"""Of what a row tells: an older one is made anew, from answers that are kept where it was asked."""
BUILTIN, PUBLISHED = "builtin", "moralchoice"


def row_name(name: str, setting: Setting, moralchoice: Path | None, dilemmas: int, stories_most: int) -> str:
    """What a row is called: the model, how much is asked, and a hash of what made the one and the other."""
    asks = f"{BUILTIN}{stories_most}" if moralchoice is None else f"{PUBLISHED}{dilemmas}-{stories_most}"
    files = [] if moralchoice is None else [file_hash(moralchoice.expanduser() / f) for f in MORALCHOICE]
    return f"moral-{name}-{asks}-{key_of([made_of(name, setting), halves()[1], stories(), files, VERSION])}"


def weigh(
    name: str, setting: Setting, moralchoice: Path | None, dilemmas: int, stories_most: int
) -> dict[str, Any]:
    """Train one model, if it is to be trained, and ask it; a failure comes back as a row that says why."""
    row: dict[str, Any] = {
        "name": row_name(name, setting, moralchoice, dilemmas, stories_most),
        "model": name,
        "commit": commit(),
        "machine": in_words(),
    }
    path = setting.row(row["name"])
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    try:
        one = taught(name, setting)
        folder = setting.work / "moral" / name
        own = moral(
            [one.spec],
            folder / BUILTIN,
            items=str(_held_out(setting)),
            parts=("dilemmas", "evidence"),
            limit=stories_most,
        )
        row |= {"note": one.note, "fingerprint": own.models[0].fingerprint, "training": _training(one.result)}
        row |= {"amount": one.amount, BUILTIN: _told(own.models[0], own.asked)}
        if moralchoice is not None:
            found = moral(
                [one.spec], folder / PUBLISHED, items=str(moralchoice), parts=("dilemmas",), limit=dilemmas
            )
            row[PUBLISHED] = _told(found.models[0], found.asked)
    except Exception as error:  # whatever raised is a failed job, and the others go on
        return {**row, "failed": said(error)}
    row["cell_seconds"] = time.monotonic() - started
    write_json(path, row)
    return read_json(path)


def _training(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Whether teaching took: on dilemmas that were taught and that were not, before and after.

    Empty where dilemmas were not what was taught.
    """
    return {
        when: {
            half: {
                **_of_training(one),
                "forms": {form: _of_training(own) for form, own in one.get("forms", {}).items()},
            }
            for half, one in halved.items()
        }
        for when, halved in ((result or {}).get("moral") or {}).items()
    }


def _of_training(one: Mapping[str, Any]) -> dict[str, Any]:
    return {n: one[n] for n in ("distance", "weights", "certainty", "alarm")}


@cache
def ideal() -> Mapping[str, Any]:
    """Update slopes of a chooser that follows Bayes' rule with the reliability that is stated."""
    what = Materials(stories=stories())
    said = [Choice(q.item, q.form, q.order, _bayes(q.item)) for q in what.questions()["evidence"]]
    found = updating.updating(what.stories, said)
    return {"relevant": to_json(found.relevant), "irrelevant": to_json(found.irrelevant)}


def _bayes(item: str) -> float:
    _, _, rest = item.partition("/")
    if rest == "bare":
        return PRIOR
    kind, _, reliability, side = rest.split("/")
    factor = updating.intended(int(reliability), int(side))
    return PRIOR + (factor if kind == "relevant" else 0.0)


def _held_out(setting: Setting) -> Path:
    """The built-in dilemmas that no training taught, as a file."""
    path = setting.work / "moral" / "held_out.jsonl"
    write_jsonl(path, halves()[1])
    return path


def _told(one: Found, counts: Mapping[str, int]) -> dict[str, Any]:
    nothing = NotMeasured("it was not asked")
    judged, moved = one.judged, one.updating
    return to_json(
        {
            "asked": dict(counts),
            "measures": {} if judged is None else dict(judged.measures),
            "weights": {} if judged is None else dict(judged.credence.weights),
            "certainty": nothing if judged is None else judged.credence.certainty,
            "even": nothing if judged is None else judged.credence.even,
            "beta": nothing if judged is None else judged.credence.beta,
            "gain": nothing if judged is None else judged.credence.gain,
            "p": None if judged is None else judged.credence.p,
            "recovery": nothing if judged is None else judged.credence.recovery,
            "alarm": nothing if judged is None else judged.credence.alarm,
            "relevant": nothing if moved is None else moved.relevant,
            "irrelevant": nothing if moved is None else moved.irrelevant,
            "forms": {} if judged is None else {f: _of_form(own) for f, own in judged.forms.items()},
        }
    )


def _of_form(one: Judged) -> dict[str, Any]:
    return {
        "measures": dict(one.measures),
        "weights": dict(one.credence.weights),
        "alarm": one.credence.alarm,
        "p": one.credence.p,
    }
