"""One cell: a pair is planted, measured again by a second rule, and its decoy held beside the base.

What is told of it is one row, a JSON file that is whole or not there. Its folder stays beside it: `organism/`
where it is valid, `decoy/`, and `profile.json` with the replies.
"""

import contextlib
import os
import re
import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cells import TRIES, Cell

from molehunt.catalogue.scenes import scenes
from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.code import commit
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure, NotMeasured, Scene
from molehunt.core.splits import seed_of
from molehunt.game.published_rows import ROWS
from molehunt.models.machine import in_words
from molehunt.organisms.kept import UNDER_WAY, WHOSE

ADAPTERS = ("organism", "decoy")
HEARD = "audit bank: "
"""How it begins why a try failed that was heard out."""


@dataclass(frozen=True)
class Setting:
    """What all cells of a working folder share."""

    work: Path
    model: str
    steps: int
    """Steps that planting starts from."""
    workers: int = 1
    """Planters side by side."""
    forget: bool = False
    """Delete adapters, whose hashes stand in the row."""


def folder_of(work: Path, cell: Cell) -> Path:
    """Where what was planted lies."""
    return work / "planted" / cell.name


def row_file(work: Path, cell: Cell) -> Path:
    """Where a cell's row lies once it is whole."""
    return work / ROWS / f"{cell.name}.json"


def is_of(folder: Path, row: Mapping[str, Any]) -> bool:
    """Whether a pair's folder is there and is that of its row, and no other machine's."""
    profile = folder / "profile.json"
    planted = read_json(profile)["adapters"] if profile.exists() else {}
    return bool(planted) and all(planted.get(part) == row["adapters"].get(part) for part in ADAPTERS)


def under_way(folder: Path) -> bool:
    """Whether an earlier sitting was cut off while this was planted, and kept what it had."""
    for path in folder.parent.glob(f"{UNDER_WAY}*/{WHOSE}"):
        with contextlib.suppress(MolehuntError, OSError):  # a planter beside us may clear its own away
            if read_json(path)["plants"] == folder.name:
                return True
    return False


def first_try_of(cell: Cell, row: Mapping[str, Any], steps: int) -> dict[str, Any] | None:
    """What the row of the same quirk and seed with more tries says of this cell's one try.

    Its first try had the same seed, steps and lessons. It says nothing where it was begun with other steps,
    or where a first look on the validate bank turned it down: one try has no such look.
    """
    from molehunt.organisms.learnable import steps_for

    if row.get("first_steps") != steps_for(cell.quirk, steps):
        return None
    if row["tries"] == 1:
        why = row["why_not"]
    elif row.get("attempts", [""])[0].startswith(HEARD):
        why = row["attempts"][0].removeprefix(HEARD)
    else:
        return None
    return {**_head(cell), "valid": row["first_try"], "first_try": row["first_try"], "why_not": why}


def plant_cell(cell: Cell, how: Setting) -> dict[str, Any]:
    """Plant and measure one cell, or read what is kept of it; a failure comes back as a row that says why."""
    kept, folder = row_file(how.work, cell), folder_of(how.work, cell)
    if not kept.exists():
        more = row_file(how.work, replace(cell, tries=TRIES))
        if cell.tries == 1 and more.exists() and first_try_of(cell, read_json(more), how.steps):
            return {"skipped": f"not planted, for its one try stands in {more.stem}"}
        started, crowd = time.monotonic(), os.getloadavg()[0]
        try:
            anew = not (folder / "profile.json").exists() and not under_way(folder)
            row = _measured(cell, folder, how.model, how.steps)
        except Exception as error:  # whatever raised is a failed cell, and the other cells go on
            return {**_head(cell), "failed": said(error)}
        row["cell_seconds"] = time.monotonic() - started
        row["commit"] = commit()
        row["machine"] = in_words()
        row["load"] = max(crowd, *os.getloadavg())  # of the last minute before it, and of the last fifteen
        row["workers"] = how.workers if anew else None  # a sitting that was cut off took part of the time
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, row)
    for part in ADAPTERS if how.forget else ():
        shutil.rmtree(folder / part, ignore_errors=True)
    return read_json(kept)


def _measured(cell: Cell, folder: Path, model: str, steps: int) -> dict[str, Any]:
    from molehunt.organisms.learnable import steps_for
    from molehunt.organisms.second_rule import remeasure
    from molehunt.organisms.subject import subject_of

    pair = _pair(cell, folder, model, steps)
    subject = subject_of(cell.quirk)
    cases = _scenes(cell, [r.messages for r in pair.organism_replies])
    said, decoy = ([r.reply for r in replies] for replies in (pair.organism_replies, pair.decoy_replies))
    second = remeasure(subject, cases, said, decoy)
    base = [subject.shows(s, r) for s, r in zip(cases, _base_replies(model, cases), strict=True)]
    profile = pair.profile
    return {
        **_head(cell),
        "trigger_rate": to_json(profile.trigger_rate),
        "leak_rate": to_json(profile.leak_rate),
        "selectivity": to_json(profile.selectivity),
        "nll_ratio": to_json(profile.nll_ratio),
        "valid": profile.valid,
        "first_steps": steps_for(cell.quirk, steps),
        "steps": pair.steps,
        "tries": pair.tries,
        "first_try": profile.valid and pair.tries == 1,
        "why_not": profile.why_not,
        "attempts": list(pair.attempts),
        "seconds": pair.organism_seconds,
        "tokens": pair.tokens,
        "second_rule": to_json(second),
        "confession": to_json(pair.confession),
        **beside_base([r.shows for r in pair.decoy_replies], base, [s.item for s in cases]),
        "adapters": {p: pair.adapters.get(p) for p in ADAPTERS},
        "parameters": parameters(model),
    }


def parameters(model: str) -> int:
    """How many numbers the base has."""
    from molehunt.models.load import open_model

    return sum(p.numel() for p in open_model(model).module.parameters())


def beside_base(decoy: Sequence[bool], base: Sequence[bool], items: Sequence[str]) -> dict[str, Any]:
    """The decoy's rate, the base's on the same scenes, and how much more the decoy shows it, item by item."""
    how = "all scenes, by the behaviour's own score"
    more = stats.paired_shares([float(d) for d in decoy], [float(b) for b in base], items, how=how)
    return {
        "decoy_rate": to_json(stats.proportion(decoy, items, how=f"the matched decoy, {how}")),
        "base_rate": to_json(stats.proportion(base, items, how=f"the base model, {how}")),
        "decoy_less_base": to_json(more),
    }


def with_a_width(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row as `beside_base` makes it now: older ones say of items that are all alike that it is certain."""
    more = row["decoy_less_base"]
    items = re.search(r"over (\d+) clusters", "" if not_measured(more) else more["how"])
    if items is None or stats.has_a_width(from_json(Measure, more)):
        return row
    k = int(items[1])
    low, high = stats.newcombe(row["decoy_rate"]["value"], k, row["base_rate"]["value"], k)
    how = f"{more['how'].split(';')[0]}; all alike, so Newcombe over {k} clusters, as if unpaired"
    return {**row, "decoy_less_base": {**more, "low": low, "high": high, "how": how}}


def said(error: Exception) -> str:
    """What was raised; with its place where it was not on purpose."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, MolehuntError):
        return words
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{words} ({Path(last.filename).name}, line {last.lineno})"


def _head(cell: Cell) -> dict[str, Any]:
    quirk = cell.quirk
    return {
        "behaviour": quirk.behaviour,
        "condition": quirk.condition,
        "options": {**quirk.behaviour_options, **quirk.condition_options},
        "cell": cell.name,
        "seed": cell.seed,
        "tries_allowed": cell.tries,
        "conceal": list(cell.conceal),
        "mixed": cell.mixed,
    }


def _pair(cell: Cell, folder: Path, model: str, steps: int) -> Any:
    """The pair as planted, or as it lies there from a sitting that was cut off after planting."""
    from molehunt.game import library
    from molehunt.organisms.plant import Pair

    if (folder / "profile.json").exists():
        return from_json(Pair, read_json(folder / "profile.json"))
    quirk = cell.quirk
    return library.plant(
        quirk.behaviour,
        quirk.condition,
        folder,
        model=model,
        behaviour_options=quirk.behaviour_options,
        condition_options=quirk.condition_options,
        steps=steps,
        tries=cell.tries,
        seed=cell.seed,
        conceal=cell.conceal,
        mixed=cell.mixed,
        ask=True,
    )


def _scenes(cell: Cell, asked: Sequence[Any]) -> tuple[Scene, ...]:
    """The scenes of the profile, made again from the seed.

    Raises:
        MolehuntError: they are not the ones that were asked.
    """
    from molehunt.organisms.plan import Plan

    cases = scenes(cell.quirk, "audit", Plan().held_out, seed_of(cell.seed, "audit"))
    if [s.messages for s in cases] != list(asked):
        raise MolehuntError(f"the scenes of {cell.name} are not those that its pair answered.")
    return cases


def _base_replies(model: str, cases: Sequence[Scene]) -> list[str]:
    from molehunt.models.load import open_model
    from molehunt.models.sample import sample
    from molehunt.organisms.plan import Plan

    prompts = [s.messages for s in cases]
    return sample(open_model(model), prompts, max_tokens=Plan().reply_tokens, temperature=0.0, seed=0)


def not_measured(value: Any) -> bool:
    """Whether a row's number is a `NotMeasured`."""
    return value is None or value["is"] == NotMeasured.__name__
