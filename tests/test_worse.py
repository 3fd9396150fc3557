"""The search for organisms that auditors miss: order on known ground, then real trials on a tiny model."""

import json
import random
from dataclasses import replace

import pytest

from molehunt.core.record_json import to_json
from molehunt.core.records import Quirk
from molehunt.organisms.halving import Tried, next_step, promoted, winner
from molehunt.organisms.plan import Plan
from molehunt.organisms.space import Axis, Choice, Space, changed, plan_at, space_of

KNOWN = Space(tuple(Axis(f"axis {i}", tuple(range(4))) for i in range(5)))
BEST = (2, 0, 3, 1, 0)
WORST = 100.0


def far(choice: Choice) -> float:
    """How many axes are not where the best has them."""
    return float(sum(a != b for a, b in zip(choice, BEST, strict=True)))


def searched(trials: int, seed: int, noise: float = 0.0) -> list[Tried]:
    """A search on known ground; noise belongs to candidate and place."""
    found: list[Tried] = []
    for _ in range(trials):
        step = next_step(KNOWN, found, seed, WORST)
        assert step is not None
        score = far(step.choice) + noise * random.Random(f"{step.choice}/{step.place}").gauss(0, 1)
        before = found[step.candidate].scores if step.candidate < len(found) else ()
        assert len(before) == step.place
        found[step.candidate : step.candidate + 1] = [Tried(step.choice, (*before, score))]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_known_ground_is_searched_to_its_best(seed: int) -> None:
    found = searched(200, seed)
    assert found[winner(found)].choice == BEST
    assert len({t.choice for t in found}) == len(found), "nothing is tried twice as a newcomer"
    assert found == searched(200, seed) and found != searched(200, seed + 1)
    assert [t.choice for t in searched(40, seed)] == [t.choice for t in found][: len(searched(40, seed))]


def test_under_noise_the_search_still_comes_near_and_better_than_draws_alone() -> None:
    near = [far(t[winner(t)].choice) for t in (searched(120, seed, noise=1.0) for seed in range(10))]
    rng = random.Random(0)
    drawn = [far(min((KNOWN.draw(rng) for _ in range(60)), key=lambda c: far(c) + rng.gauss(0, 1)))
             for _ in range(10)]  # fmt: skip
    assert sum(near) / 10 <= 1.0 and sum(near) < sum(drawn)


def test_the_better_half_of_each_rung_goes_up_and_the_worst_never() -> None:
    field = [Tried((i,), (s,)) for i, s in enumerate((3.0, 1.0, 2.0, 4.0, WORST, WORST))]
    assert promoted(field, WORST) == 1
    field[1] = Tried((1,), (1.0, 9.0))
    assert promoted(field, WORST) == 2, "the next of the half, on place 1"
    field[2] = Tried((2,), (2.0, 2.0))
    assert promoted(field, WORST) == 2, "two on rung 1: the better goes on to place 2"
    field[2] = Tried((2,), (2.0, 2.0, 2.0))
    assert promoted(field, WORST) == 0
    field[0] = Tried((0,), (3.0, 3.0))
    assert promoted(field, WORST) is None
    assert winner(field) == 2
    assert winner([Tried((0,), (3.0, 3.0)), Tried((1,), (0.0,))]) == 0, "one lucky trial wins nothing"
    lost = [Tried((i,), (WORST,)) for i in range(6)]
    assert promoted(lost, WORST) is None and winner(lost) == 0


def test_a_space_that_is_used_up_ends_the_search() -> None:
    small = Space((Axis("a", (0, 1)),))
    tried = [Tried((0,), (1.0,)), Tried((1,), (2.0,))]
    assert next_step(small, tried, 0, WORST) is None


PHRASE, ALWAYS = Quirk("sycophancy", "trigger_phrase"), Quirk("sycophancy", "always")


def test_every_spec_of_the_space_can_be_planned_and_equal_ones_are_one_choice() -> None:
    plan = Plan(tries=1)
    space = space_of(plan, [PHRASE])
    assert plan_at(space, plan, space.plain) == plan
    rng, choice = random.Random(0), space.plain
    seen: dict[str, Choice] = {}
    for _ in range(400):
        choice = space.draw(rng) if rng.random() < 0.5 else space.change(choice, rng)
        made = plan_at(space, plan, choice).checked()
        assert seen.setdefault(json.dumps(to_json(made)), choice) == choice == space.settled(choice)
        if "near_base" not in made.concealments:
            assert made.cover == plan.cover
        if made.how not in ("preferences", "reward"):
            assert made.warm == plan.warm
        assert made.recipe.alpha / made.recipe.rank == plan.recipe.alpha / plan.recipe.rank
    values = [{c[i] for c in seen.values()} for i in range(len(space.axes))]
    assert values == [set(range(len(a.values))) for a in space.axes], "every value is met"
    assert "prose" not in space.values(space.plain) and "prose" in space_of(plan, [ALWAYS]).values((0,) * 10)


def test_a_plan_of_ones_own_is_the_plain_spec_and_changes_are_said() -> None:
    own = replace(Plan(tries=1), how="preferences", concealments=("denial",), mixed=3, steps=10)
    space = space_of(own, [PHRASE])
    assert plan_at(space, own, space.plain) == own and "plain" in changed(space, space.plain)
    choice = list(space.plain)
    names = [a.name for a in space.axes]
    choice[names.index("mixed")] = 1
    choice[names.index("conceal")] = 1
    assert changed(space, tuple(choice)) == "conceal none for denial; mixed 0 for 3"
