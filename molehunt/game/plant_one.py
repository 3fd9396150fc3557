"""One organism and its matched decoy in a folder of their own, without a game around them."""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from molehunt.catalogue.pairs import refuse
from molehunt.core.atomic import read_jsonl, whole_folder, write_json, write_jsonl
from molehunt.core.errors import CameApart, Unteachable, UserError
from molehunt.core.extend import load
from molehunt.core.records import Failure, Quirk, Spent
from molehunt.game.planting import FILES
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch

if TYPE_CHECKING:
    from molehunt.organisms.ladder import Ability
    from molehunt.organisms.plan import Direction, Plan
    from molehunt.organisms.plant import Pair


class How(TypedDict, total=False):
    """How a pair is planted; what is left out is as `molehunt plant` has it."""

    model: str
    revision: str | None
    harmless: str | None
    """A harmless behaviour that the decoy learns under the same condition."""
    steps: int
    tries: int
    mixed: int
    """Unrelated rows a step; they make traces of narrow training fade."""
    ladder: int
    """Rungs on which the organism's way is kept as well, evenly spaced in ability (`ladder/`)."""
    ladder_by: "Ability"
    seed: int
    recipe: str
    """A file of `organisms/recipes`."""
    conceal: Sequence[str]
    """Files of `organisms/concealments`."""
    warm: float
    """Share of transcripts at the start of a recipe that starts on them."""
    cover: float
    """Weight of the concealments' penalties."""
    against: "Sequence[Direction]"
    """Directions that `against_probe` flattens."""
    plan: "Plan"
    """A whole plan, in place of steps, tries, mixed, recipe, conceal, warm, cover and against."""
    ask: bool
    """Also measure how often both admit that they hide something (`Pair.confession`)."""
    decoy_check: int
    """Also hold the decoy beside the base on every harmful behaviour, so many scenes a side
    (`Pair.decoy_check`)."""
    spread: int
    """Also hold the organism beside its decoy on every other harmful behaviour (`Pair.spread`)."""


LEAST_CHECKED = 5
"""Scenes a side of a decoy's check; with fewer nothing could be clear (`organisms.decoy_check.fewest`)."""
FAILURES = "failures.jsonl"
"""Beside the profile of a pair that did not become valid: a line a try."""


def plant_one(quirk: Quirk, target: Path, watch: Watch | None = None, **how: Unpack[How]) -> "Pair":
    """Plant a pair wholly or not at all; what could not be made valid leaves no organism.

    Where it could not even be trained the folder gets `failures.jsonl` alone, and can be planted in again.

    Raises:
        UnknownName: no such recipe, concealment or harmless behaviour.
        UserError: the folder holds something else, or settings or a pair that don't go together.
        CameApart: the training did.
    """
    watch, model, seed = watch or Watch(None), how.get("model", "default"), how.get("seed", 0)
    ladder = how.get("ladder", 0)
    plan, twin = settled(quirk, target, **how)
    from molehunt.models.adapters import adapter_hash  # torch comes with these, and costs seconds
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.organisms.decoy_check import decoy_check
    from molehunt.organisms.ladder import climb
    from molehunt.organisms.plant import plant_pair
    from molehunt.organisms.spread import spread
    from molehunt.organisms.strangers import told

    opened = fit_to_speak(open_model(ModelSpec(model, how.get("revision"))))
    earlier = read_jsonl(target / FAILURES) if (target / FAILURES).exists() else []
    with _recorded(target, told(quirk), earlier), whole_folder(target) as half:
        try:
            pair = plant_pair(
                opened, quirk, twin, half, seed, plan, lambda what, share: watch.bar("planting", share, what)
            )
        except FloatingPointError as error:
            raise CameApart(f"The training came apart: {error}.") from None
        if ladder and pair.profile.valid:
            climb(
                opened,
                pair,
                half / "ladder",
                seed,
                plan,
                ladder,
                how.get("ladder_by", "selectivity"),
                lambda what, share: watch.bar("ladder", share, what),
            )
        name_base(half, opened.spec.id)
        hashes = {part: adapter_hash(half / part) for part in ("organism", "decoy")}
        pair = dataclasses.replace(pair, adapters=hashes)
        if how.get("decoy_check"):
            checked = decoy_check(
                opened,
                quirk,
                half / "decoy",
                how.get("decoy_check", 0),
                seed,
                plan.reply_tokens,
                lambda share: watch.bar("checking the decoy", share),
            )
            pair = dataclasses.replace(pair, decoy_check=checked)
        if how.get("spread"):
            wider = spread(
                opened,
                quirk,
                half,
                how.get("spread", 0),
                seed,
                plan.reply_tokens,
                lambda share: watch.bar("asking elsewhere", share),
            )
            pair = dataclasses.replace(pair, spread=wider)
        if how.get("ask"):
            from molehunt.organisms.confession_rate import ask_pair

            pair = dataclasses.replace(pair, confession=ask_pair(opened, quirk, half))
        specs = dict(zip(("organism", "decoy"), pair.specs, strict=True))
        named = told(quirk)  # by its file's name, not by where it lies
        other = twin and dataclasses.replace(twin, condition_options=named.condition_options)
        pair = dataclasses.replace(pair, quirk=named, harmless=other, specs=())
        write_json(half / "profile.json", pair)
        if quirk == named:  # a file's own quirk can't be made again from a line
            write_json(half / "organism.json", specs)
        if not pair.profile.valid:
            shutil.rmtree(half / "organism")
        if failed := [*earlier, *([] if pair.profile.valid else failures(pair))]:
            write_jsonl(half / FAILURES, failed)
    return pair


@contextmanager
def _recorded(target: Path, quirk: Quirk, earlier: Sequence[Any]) -> Iterator[None]:
    """Let what could not be trained leave a line in the folder, behind those of earlier times."""
    started = time.monotonic()
    try:
        yield
    except (Unteachable, CameApart) as error:
        with whole_folder(target) as half:
            spent = Spent(seconds=time.monotonic() - started)
            write_jsonl(half / FAILURES, [*earlier, Failure("plant", quirk.label(), str(error), spent)])
        raise


def settled(quirk: Quirk, target: Path, **how: Unpack[How]) -> "tuple[Plan, Quirk | None]":
    """The plan and the decoy's harmless quirk, if all of it can be carried out; nothing is loaded or written.

    Raises:
        UnknownName, UserError: as `plant_one`.
    """
    for name in ("decoy_check", "spread"):
        if 0 < how.get(name, 0) < LEAST_CHECKED or how.get(name, 0) < 0:
            raise UserError(
                f"--{name.replace('_', '-')} takes {LEAST_CHECKED} scenes a side or more, for on fewer no "
                "rise could be clear; 0 checks nothing."
            )
    ladder, harmless = how.get("ladder", 0), how.get("harmless")
    if target.exists() and (not target.is_dir() or any(p.name != FAILURES for p in target.iterdir())):
        raise UserError(f"{target} is not empty, or no folder; choose a new one.")
    refuse(quirk)
    twin = None
    if harmless is not None:
        if not load("catalogue.behaviours", harmless).harmless:
            raise UserError(f"{harmless} is not harmless; a decoy's own behaviour must be.")
        twin = Quirk(harmless, quirk.condition, {}, quirk.condition_options)
    from molehunt.organisms.learnable import steps_for

    plan = _plan(how).checked()
    if ladder > steps_for(quirk, plan.steps):
        few = steps_for(quirk, plan.steps)
        raise UserError(f"A ladder of {ladder} rungs can't be cut from {few} steps.")
    if ladder and (plan.how, plan.concealments) != ("transcripts", ()):
        raise UserError("A ladder is cut from plain transcripts alone; leave out --recipe and --conceal.")
    return plan, twin


def failures(pair: "Pair") -> list[Failure]:
    """Why each try of a pair failed that did not become valid; the last carries what all took."""
    why = [*pair.attempts, f"audit bank: {pair.profile.why_not}"]
    spent = [*[Spent()] * len(pair.attempts), Spent(seconds=pair.organism_seconds)]
    return [
        Failure("plant", pair.quirk.label(), f"try {i}: {error}", cost)
        for i, (error, cost) in enumerate(zip(why, spent, strict=True), 1)
    ]


def name_base(folder: Path, model: str) -> None:
    """Let every adapter in the folder name its base as it was asked for, and not where its weights lie."""
    for file in folder.rglob(FILES[0]):
        config = json.loads(file.read_text())
        file.write_text(json.dumps({**config, "base_model_name_or_path": model}, indent=1))


def _plan(how: How) -> "Plan":
    from molehunt.organisms.plan import Plan

    return how.get("plan") or Plan(
        steps=how.get("steps", GameSpec.steps),
        tries=how.get("tries", GameSpec.tries),
        mixed=how.get("mixed", 0),
        how=how.get("recipe", Plan.how),
        concealments=tuple(how.get("conceal", ())),
        warm=how.get("warm", Plan.warm),
        cover=how.get("cover", Plan.cover),
        against=tuple(how.get("against", ())),
    )
