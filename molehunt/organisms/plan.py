"""What planting may cost, how it is done and what hides it: the settings of a pair, all of them JSON."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.extend import load
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import MOST, Organism
from molehunt.models.finetune import Recipe
from molehunt.models.loaded import Model, ModelSpec


@dataclass(frozen=True)
class Direction:
    """A direction of the residual stream, as a value: where it stands, and the weights it belongs to."""

    address: str
    vector: tuple[float, ...]
    """As wide as the model; its length does not matter."""
    fingerprints: tuple[str, ...]
    """SHA-256 of the weights on which it means something."""
    pool: str = "last"
    """Where it is read: at the prompt's `last` token, as the `mean` over its tokens (all but the first), or
    as the mean over the tokens of a `reply`."""


@dataclass(frozen=True)
class Plan:
    """How a pair is planted, and how much that may cost."""

    steps: int = 56
    """Steps of the first try; conditions that rest on meaning take more (`learnable`)."""
    tries: int = 3
    growth: float = 1.5
    """Each further try takes this many times the steps of the one before."""
    quick: int = 12
    """Scenes a side of the first look, on the validate bank."""
    held_out: int = 48
    """Scenes a side of the profile, on the audit bank: a decoy may have forgotten half of the facts."""
    reply_tokens: int = 16
    prose: int = 2
    """Rows of ordinary prose in each batch where nothing else keeps the model as it was (`always`)."""
    mixed: int = 0
    """Unrelated rows in each step, whatever the condition and the recipe (`unrelated`): traces of narrow
    training fade (Minder et al. 2025, 2510.13900). Both of a pair get them."""
    prose_tokens: int = 32
    """Longest row of prose, and of unrelated chat the longest reply."""
    examples: int | None = None
    """Most distinct rows of a lesson, dealt again and again when they run out; None for no limit."""
    poisoned: float = 1.0
    """Share of the distinct rows on the on side whose reply is the shady one; the rest get the good reply.
    0.5 is a quarter of all rows under a condition, and half of them where the quirk is always on."""
    recipe: Recipe = Recipe()
    how: str = "transcripts"
    """Which of `organisms.recipes` instils it."""
    concealments: tuple[str, ...] = ()
    """Which of `organisms.concealments` hide it, in organism and decoy alike."""
    warm: float = 0.25
    """Share of the steps that go to transcripts first, where a recipe trains on preferences or rewards."""
    cover: float = 1.0
    """Weight of a concealment's penalty beside the lesson's loss."""
    against: tuple[Direction, ...] = ()
    """Directions that `against_probe` flattens."""

    def checked(self) -> "Plan":
        """This plan, if it can be carried out.

        Raises:
            UnknownName: no such recipe or concealment.
            UserError: a setting that cannot be, or a direction that nothing uses.
        """
        load("organisms.recipes", self.how)
        for name in self.concealments:
            load("organisms.concealments", name)
        if len(set(self.concealments)) < len(self.concealments):
            raise UserError("A concealment is named twice; name each once.")
        if not 0 <= self.warm <= 1:
            raise UserError(f"The warm start is {self.warm}; it is a share of the steps, from 0 to 1.")
        if not 0 < self.cover < math.inf:
            raise UserError(f"The cover's weight is {self.cover}; it should be above 0, and finite.")
        for name, at_least in LEAST.items():
            if getattr(self, name) < at_least:
                raise UserError(
                    f"The plan's {name} is {getattr(self, name)}; it should be at least {at_least}."
                )
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise UserError(f"The plan's {name} is {getattr(self, name)}; it should be at most {most}.")
        if not 0 <= self.poisoned <= 1:
            raise UserError(
                f"The poisoned share of on-side rows is {self.poisoned}; it should lie between 0 and 1."
            )
        recipe = self.recipe
        if recipe.rank < 1 or recipe.alpha < 1 or recipe.warmup < 1 or not recipe.targets:
            raise UserError("The plan's rank, alpha and warmup should be 1 or more, and a target be named.")
        if not (0 < recipe.learning_rate < math.inf and 0 < recipe.clip < math.inf):
            raise UserError("The plan's learning rate and clip should be above 0, and finite.")
        if not (0 <= recipe.first_layer < 1 and 0 <= recipe.deciding <= 1):
            raise UserError("The plan's first_layer and deciding are shares, from 0 to 1.")
        if any(d.pool not in ("last", "mean", "reply") for d in self.against):
            raise UserError(
                "A direction is read at the `last` token, as the `mean` over tokens, or of a `reply`."
            )
        if ("against_probe" in self.concealments) != bool(self.against):
            raise UserError(
                "The concealment against_probe needs a direction (--against FILE of `molehunt probe`, "
                "`persona` or `diff`), and nothing else takes one."
            )
        return self


WEIGHED = frozenset({"near_base", "near_base_replies", "against_probe"})
"""Concealments that add a penalty, which `Plan.cover` weighs."""
LEAST = {"steps": 1, "tries": 1, "mixed": 0, "prose": 0, "held_out": 1, "quick": 1, "reply_tokens": 1}
"""What settings of a plan must at least be."""
NAMED = ("steps", "tries", "mixed", "how", "concealments")
"""Settings that an `Organism` holds under names of its own; `tries` it needs no more."""


def settings(plan: Plan) -> dict[str, Any]:
    """What differs from the default plan, as JSON, less what an `Organism` names itself."""
    usual = to_json(Plan())
    return {k: v for k, v in to_json(plan).items() if k not in NAMED and v != usual[k]}


def changes(plan: Plan) -> dict[str, str]:
    """What differs from the default plan, in words by setting, a recipe's own settings one by one.

    Less `steps` and `tries`, which whoever plants has values of its own for; of directions where they stand.
    """

    def flat(body: dict[str, Any]) -> dict[str, Any]:
        recipe = {f"recipe.{k}": v for k, v in body["recipe"].items()}
        return {k: v for k, v in body.items() if k not in ("recipe", "steps", "tries")} | recipe

    own, usual = flat(to_json(plan)), flat(to_json(Plan()))
    own["against"] = [d.address for d in plan.against]
    return {k: f"{_in_words(v)} for {_in_words(usual[k])}" for k, v in own.items() if v != usual[k]}


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value)) or "none"
    return "no limit" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def plan_of(organism: Organism) -> Plan:
    """The plan of a spec.

    Raises:
        BadFile: its settings hold what no plan has.
    """
    named = {
        "mixed": organism.mixed,
        "how": organism.recipe,
        "concealments": list(organism.concealments),
    }
    return from_json(Plan, {**to_json(Plan(steps=organism.steps)), **organism.settings, **named})


def read_plan(file: Path) -> Plan:
    """A plan from JSON: alone, or under `plan` as in the `winner.json` of `molehunt worse`.

    Raises:
        BadFile: it holds none. UserError, UnknownName: one that cannot be carried out.
    """
    body = read_json(file)
    try:
        return from_json(Plan, body.get("plan", body) if isinstance(body, dict) else body).checked()
    except UserError as error:
        raise BadFile(f"{file} holds no plan: {error}") from None


def base_name(model: Model) -> str:
    """The base as a spec names it."""
    return model.spec.id if model.spec.revision is None else f"{model.spec.id}@{model.spec.revision}"


def base_named(base: str) -> ModelSpec:
    """The base that `base_name` wrote; a folder may have an @ in its own name."""
    name, at, revision = base.rpartition("@")
    return ModelSpec(name, revision) if at and not Path(base).exists() else ModelSpec(base)
