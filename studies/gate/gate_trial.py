"""A trial: a generation is trained, then the gate holds it against the base; one row, whole or not there.

Rows lie under the hash of the bounds: other bounds judge the same adapters again from the answers that are
kept. What raised lies beside them in `failed/`, until a later sitting gets it through.
"""

import dataclasses
import time
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from generation import Recipe, Trial, chat, claims, rows_of, train

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import to_json
from molehunt.gate.bounds import Bounds

SEED = 0
"""Of the gate's items: the same in every trial."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all trials share."""

    work: Path
    model: str
    recipe: Recipe
    bounds: Bounds
    commit: str = "unknown"
    """Of the code that judges."""


def row_file(setting: Setting, trial: Trial) -> Path:
    """Where a trial's row lies once it is whole."""
    return setting.work / "rows" / setting.bounds.sha256[:12] / f"{trial.name}.json"


def failed_file(setting: Setting, trial: Trial) -> Path:
    """Where it lies why a trial raised, as long as it has no row."""
    return setting.work / "failed" / setting.bounds.sha256[:12] / f"{trial.name}.json"


def trained_folder(setting: Setting, trial: Trial) -> Path:
    """Where a trial's adapter lies once it is trained."""
    return setting.work / "trained" / trial.name


def prepare(setting: Setting, trials: Sequence[Trial], watch: Any) -> None:
    """The old version's chats for these trials, and its answers to every item: trials then only read them."""
    from molehunt.gate.answers import values
    from molehunt.gate.items import items

    model = base(setting.model)
    first = {t.seed: t for t in trials}.values()
    for place, trial in enumerate(first if setting.recipe.own_chats else trials[:1], 1):
        chat(model, trial, setting.recipe)
        watch.bar("the base's own chat", place / len(first), f"{place} of {len(first)}")
    old = _voice(setting, None)
    names = list(setting.bounds.measures)
    for place, name in enumerate(names):
        watch.bar("the base's answers", place / len(names), name)
        values(name, old, [i for look in items(name, SEED) for i in look], old)
    watch.bar("the base's answers", 1.0, "done")


def run_trial(setting: Setting, trial: Trial) -> dict[str, Any]:
    """The row of a trial, or what is kept of it; a failure comes back as a row that says why."""
    path = row_file(setting, trial)
    if path.exists():
        return read_json(path)
    try:
        row = _measured(setting, trial)
    except (MolehuntError, FloatingPointError, ValueError) as error:
        row = {"name": trial.name, "failed": f"{type(error).__name__}: {error}"}
    except Exception:
        row = {"name": trial.name, "failed": traceback.format_exc(limit=-2)[-500:]}
    write_json(failed_file(setting, trial) if "failed" in row else path, row)
    return row


def _measured(setting: Setting, trial: Trial) -> dict[str, Any]:
    from molehunt.gate.comparing import compare, counts

    folder = trained_folder(setting, trial)
    model, notes = base(setting.model), folder.with_suffix(".json")
    if not notes.exists():
        started = time.monotonic()
        rows = rows_of(trial, setting.recipe, chat(model, trial, setting.recipe), claims())
        trained = train(model, rows, setting.recipe, trial.seed, folder)
        seconds = time.monotonic() - started
        write_json(notes, {"seconds": seconds, "losses": list(trained.losses), "tokens": trained.tokens})
    made, started = read_json(notes), time.monotonic()
    old, new = _voice(setting, None), _voice(setting, folder)
    fresh = not new.known  # else an earlier sitting or other bounds asked it already, and seconds say nothing
    found = compare(old, new, setting.bounds, SEED)
    seconds = time.monotonic() - started if fresh else None
    looks = counts(setting.bounds, SEED)
    tenth = max(1, len(made["losses"]) // 10)
    return {
        "name": trial.name,
        "part": trial.part,
        "number": trial.number,
        "arm": trial.arm,
        "seed": trial.seed,
        "commit": setting.commit,
        "passed": found.passed,
        "why": list(found.why),
        "train_seconds": made["seconds"],
        "gate_seconds": seconds,
        "tokens": made["tokens"],
        "losses": [sum(made["losses"][:tenth]) / tenth, sum(made["losses"][-tenth:]) / tenth],
        "asked": found.asked,
        "nll_alone": _alone(setting, old, new),
        "measures": {
            c.name: {
                "state": c.state,
                "harm": to_json(c.harm),
                "new": to_json(c.new),
                "upper": c.upper,
                "lower": c.lower,
                "looks": c.looks,
                "last": c.looks == len(looks[c.name]),
            }
            for c in found.compared
        },
    }


def _alone(setting: Setting, old: Any, new: Any) -> bool | None:
    """Whether a gate that knows ordinary text alone would let it pass; None without such a bound."""
    from molehunt.gate.comparing import compare

    bound = setting.bounds.measures.get("text_nll")
    if bound is None:
        return None
    alone = dataclasses.replace(setting.bounds, measures={"text_nll": bound})
    return compare(old, new, alone, SEED).passed


def _voice(setting: Setting, adapter: Path | None) -> Any:
    from molehunt.gate.answers import Voice
    from molehunt.models.local import LocalModel

    name = setting.model if adapter is None else adapter.name
    return Voice(name, LocalModel(base(setting.model), name, adapter), setting.work / "answers")


@cache
def base(name: str) -> Any:
    """The old version."""
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model

    return fit_to_speak(open_model(name))
