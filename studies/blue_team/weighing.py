"""Moral measures of the base, of models trained toward each preset, and of two controls.

One control was trained to be certain, and the alarm must sound; the other to be calibrated, and it must not.
All are asked the built-in dilemmas that no training taught and stories with evidence; and MoralChoice, where
its files are at hand. Beside them stands an ideal reasoner, scripted: Bayes' rule and nothing else.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from blue_study import Setting, said

from molehunt.character.moral import updating
from molehunt.character.moral.choices import Choice
from molehunt.character.moral.study import Found, Materials, moral
from molehunt.character.training.plan import Plan
from molehunt.character.training.result import ADAPTER
from molehunt.character.training.train import RESULT, train
from molehunt.character.training.uncertain import halves
from molehunt.core.atomic import read_json, write_json, write_jsonl
from molehunt.core.errors import UserError
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.corpus.series import stories
from molehunt.models.loaded import ModelSpec

BASE = "base"
PRESETS = ("kind-person", "best-for-humanity", "helpful-only")
CONTROLS = ("certain", "calibrated")
EVERY = (BASE, *PRESETS, *CONTROLS)
PRIOR = 0.3
"""Log-odds of the ideal reasoner before any evidence: any number will do."""
BUILTIN, PUBLISHED = "builtin", "moralchoice"


def weigh(
    name: str, setting: Setting, moralchoice: Path | None, dilemmas: int, stories_most: int
) -> dict[str, Any]:
    """Train one model, if it is to be trained, and ask it; a failure comes back as a row that says why."""
    asks = f"{BUILTIN}{stories_most}" if moralchoice is None else f"{PUBLISHED}{dilemmas}-{stories_most}"
    row: dict[str, Any] = {"name": f"moral-{name}-{asks}", "model": name}
    path = setting.row(row["name"])
    if path.exists():
        return read_json(path)
    started = time.monotonic()
    try:
        adapter, note = taught(name, setting)
        spec = ModelSpec(setting.model, adapter=None if adapter is None else str(adapter))
        folder = setting.work / "moral" / name
        own = moral([spec], folder / BUILTIN, items=str(_held_out(setting)), parts=("dilemmas", "evidence"),
                    limit=stories_most)  # fmt: skip
        row |= {"note": note, BUILTIN: _told(own.models[0], own.asked)}
        if moralchoice is not None:
            found = moral(
                [spec], folder / PUBLISHED, items=str(moralchoice), parts=("dilemmas",), limit=dilemmas
            )
            row[PUBLISHED] = _told(found.models[0], found.asked)
    except Exception as error:  # whatever raised is a failed job, and the others go on
        return {**row, "failed": said(error)}
    row["cell_seconds"] = time.monotonic() - started
    write_json(path, row)
    return read_json(path)


def taught(name: str, setting: Setting) -> tuple[Path | None, str]:
    """The adapter of a model, trained if need be, and what should be said of it; none for the base.

    Raises:
        UserError: the training collapsed, and no good adapter was kept.
    """
    if name == BASE:
        return None, ""
    folder = setting.work / "trained" / name
    with _alone(setting.work / "trained" / f".{name}.lock"):
        if not _whole(folder):
            try:
                train(setting.model, folder, plan_of(name, setting.plan))
            except UserError:  # a training that came apart says so once it has kept the last good adapter
                if not _whole(folder):
                    raise
    note = ""
    if collapsed := read_json(folder / RESULT).get("collapsed"):
        note = f"the training came apart ({collapsed}); the last good adapter is measured"
    return folder / ADAPTER, note


def plan_of(name: str, plan: Plan) -> Plan:
    """How a model is trained."""
    if name in PRESETS:
        return replace(plan, toward="constitution", constitution=name)
    return replace(plan, toward="certain" if name == "certain" else "calibrated")


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


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other worker trains the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _whole(folder: Path) -> bool:
    return (folder / RESULT).is_file() and (folder / ADAPTER).is_dir()


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
            "alarm": nothing if judged is None else judged.credence.alarm,
            "relevant": nothing if moved is None else moved.relevant,
            "irrelevant": nothing if moved is None else moved.irrelevant,
        }
    )
