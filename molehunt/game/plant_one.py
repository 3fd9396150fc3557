"""One organism and its matched decoy in a folder of their own, without a game around them."""

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from molehunt.catalogue.pairs import refuse
from molehunt.core.errors import CameApart, UserError
from molehunt.core.extend import load
from molehunt.core.records import Quirk
from molehunt.game.pair_folder import Besides, asked_besides, going_on, put_down, recorded
from molehunt.game.play import versions
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.organisms.kept import planting, refuse_taken

if TYPE_CHECKING:
    from molehunt.models.loaded import Model
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


def plant_one(quirk: Quirk, target: Path, watch: Watch | None = None, **how: Unpack[How]) -> "Pair":
    """Plant a pair wholly or not at all; what could not be made valid leaves no organism.

    What a killed planting by the same settings kept beside the folder is used again. Where the pair could not
    even be trained, or its behaviour and condition make no sense together, the folder gets `failures.jsonl`
    alone, and can be planted in again.

    Raises:
        UnknownName: no such recipe, concealment or harmless behaviour.
        UserError: the folder holds something else, or settings or a pair that don't go together, or another
            process is planting this.
        CameApart: the training did.
    """
    watch, model, seed = watch or Watch(None), how.get("model", "default"), how.get("seed", 0)
    ladder = how.get("ladder", 0)
    from molehunt.organisms.strangers import told

    with recorded(target, told(quirk)):
        plan, twin = settled(quirk, target, **how)
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model  # torch comes with these, and costs seconds
    from molehunt.models.loaded import ModelSpec
    from molehunt.organisms.plant import plant_pair

    opened = fit_to_speak(open_model(ModelSpec(model, how.get("revision"))))
    decided = deciding(opened, quirk, twin, plan, seed, ladder)
    with planting(target, decided) as home, recorded(target, told(quirk)):
        kept = going_on(home, watch)

        def report(what: str, share: float) -> None:
            watch.bar("planting", share, what)

        try:
            pair = plant_pair(opened, quirk, twin, home, seed, plan, report, kept, ladder)
        except FloatingPointError as error:
            raise CameApart(f"The training came apart: {error}.") from None
        pair, ladder = asked_besides(opened, pair, kept, seed, plan, watch, besides_of(how))
        return put_down(pair, home, target, opened.spec.id, ladder)


def settled(quirk: Quirk, target: Path, **how: Unpack[How]) -> "tuple[Plan, Quirk | None]":
    """The plan and the decoy's harmless quirk, if all of it can be carried out; nothing is loaded or written.

    Raises:
        UnknownName, UserError: as `plant_one`.
    """
    besides_of(how).checked()
    ladder, harmless = how.get("ladder", 0), how.get("harmless")
    refuse_taken(target)
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
    return plan, twin


def besides_of(how: How) -> Besides:
    """What is asked of a pair besides its profile."""
    return Besides(**{f.name: how[f.name] for f in dataclasses.fields(Besides) if f.name in how})


def deciding(
    model: "Model", quirk: Quirk, harmless: Quirk | None, plan: "Plan", seed: int, ladder: int
) -> tuple[Any, ...]:
    """All that decides what a training leaves: what is planted where, how, and what computes it."""
    import torch

    from molehunt.organisms.plan import base_name
    from molehunt.organisms.strangers import contents, told

    file, trl = quirk.behaviour_options.get("file"), importlib.metadata.version("trl")
    machine = (str(model.device), str(model.dtype), torch.get_num_threads(), versions(), trl)
    what = (told(quirk), harmless and told(harmless), contents(Path(file)) if file else None)
    return (base_name(model), model.fingerprint, *machine, *what, plan, seed, ladder)


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
