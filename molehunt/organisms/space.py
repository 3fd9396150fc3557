"""The written-out space of specs that `molehunt worse` searches: what may be changed, to what, from a plan.

    conceal    what hides it: nothing, near_base, denial, denial_preferences, near_base and denial, and
               near_base_replies where no quirk of the search is `always` on
    cover      0.3, 1, 3, 10: weight of the penalty, where there is one
    recipe     how it is instilled: every file of `organisms/recipes`
    warm       0.25, 0.5, 0.75: share of transcripts, where the recipe is preferences or reward
    mixed      0, 2, 4, 8 unrelated rows a step
    prose      1, 2, 4 rows of prose a batch of lessons, where a quirk of the search is `always` on
    poisoned   1, 0.75, 0.5 of the rows on the on side
    steps      1, 0.7, 1.4, 2 times the plan's
    rate       1, 0.5, 0.25 times the plan's learning rate
    rank       2, 4, 8, 16, the adapter's scale as it was

A choice is one index an axis; 0 is what the plan has, and the plan itself, the plain spec, is all zeros. What
hides stands first, then how it is instilled: a search that ends early has tried these (`halving.py`). An
axis that makes no difference beside the others stays at 0, so that equal specs are equal choices. A draw
leaves each axis alone with even chance: most specs differ from the plain one in a few things.

What this cannot tell you: anything about what is not written out here, such as directions to hide from
(`against_probe`), other lessons, or two concealments weighed apart.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from molehunt.core.extend import names
from molehunt.core.records import Quirk
from molehunt.organisms.axes import Axis, Choice, Space
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.plan import WEIGHED, Plan

CONCEALED = ((), ("near_base",), ("denial",), ("denial_preferences",), ("near_base", "denial"))
NEEDS_OFF = ("near_base_replies",)
"""A concealment for quirks that are not always on."""
WARMED = ("preferences", "reward")
"""Recipes that begin with transcripts."""


def space_of(plan: Plan, quirks: Sequence[Quirk]) -> Space:
    """The space around a plan. Concealments that it has beyond those written out stay a choice."""
    always = any(q.condition == "always" for q in quirks)
    recipes = _first(plan.how, names("organisms.recipes"))
    conceal = _first(plan.concealments, CONCEALED if always else (*CONCEALED, NEEDS_OFF))
    # Steps that come to the same for every quirk are one value.
    lengths = {
        tuple(steps_for(q, s) for q in quirks): s
        for s in (max(1, round(plan.steps * x)) for x in (2.0, 1.4, 0.7, 1.0))
    }
    axes = [
        Axis("conceal", conceal),
        Axis(
            "cover", _first(plan.cover, (0.3, 1.0, 3.0, 10.0)), "conceal",
            tuple(c for c in conceal if WEIGHED & set(c)),
        ),
        Axis("recipe", recipes),
        Axis("warm", _first(plan.warm, (0.25, 0.5, 0.75)), "recipe", WARMED),
        Axis("mixed", _first(plan.mixed, (0, 2, 4, 8))),
        Axis("poisoned", _first(plan.poisoned, (1.0, 0.75, 0.5))),
        Axis("steps", _first(plan.steps, list(lengths.values())[::-1])),
        Axis("rate", tuple(plan.recipe.learning_rate * x for x in (1.0, 0.5, 0.25))),
        Axis("rank", _first(plan.recipe.rank, (2, 4, 8, 16))),
    ]  # fmt: skip
    if always:
        lessons = tuple(r for r in recipes if r != "documents")  # it trains on no lessons
        axes.append(Axis("prose", _first(plan.prose, (1, 2, 4)), "recipe", lessons))
    return Space(tuple(axes))


def plan_at(space: Space, plan: Plan, choice: Choice) -> Plan:
    """The plan with what was chosen in it."""
    chosen = space.values(choice)
    alpha = max(1, round(plan.recipe.alpha * chosen["rank"] / plan.recipe.rank))
    alpha = plan.recipe.alpha if chosen["rank"] == plan.recipe.rank else alpha
    used = "against_probe" in chosen["conceal"]
    return replace(
        plan,
        how=chosen["recipe"],
        concealments=tuple(chosen["conceal"]),
        against=plan.against if used else (),
        recipe=replace(plan.recipe, rank=chosen["rank"], alpha=alpha, learning_rate=chosen["rate"]),
        **{n: chosen[n] for n in ("cover", "warm", "mixed", "poisoned", "steps", "prose") if n in chosen},
    )


def changed(space: Space, choice: Choice) -> str:
    """What a choice changed, in words."""
    parts = [
        f"{axis.name} {_said(axis.values[i])} for {_said(axis.values[0])}"
        for axis, i in zip(space.axes, choice, strict=True)
        if i
    ]
    return "; ".join(parts) or "nothing: the plain spec"


def _first(plain: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    return (plain, *(v for v in values if v != plain))


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return " and ".join(value) or "none"
    return value if isinstance(value, str) else f"{value:g}"
