"""Ladders: one organism at several stages, by any recipe and under any concealment."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from letters import letters_quirk
from tiny_game import write_quirks

from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured, Quirk
from molehunt.game.pair_folder import Besides, asked_besides, put_down
from molehunt.game.watch import Watch
from molehunt.models.adapters import adapter_hash
from molehunt.models.finetune import Recipe
from molehunt.models.load import open_model
from molehunt.models.loaded import Model
from molehunt.organisms.kept import Kept
from molehunt.organisms.ladder import Ladder, climb, nearest
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import STAGES, Pair, plant_pair
from molehunt.organisms.spec import lessons_of, make_adapter
from molehunt.organisms.stages import Stages
from molehunt.organisms.strangers import quirk_of
from molehunt.organisms.subject import subject_of

QUICK = Plan(
    steps=24,
    tries=1,
    held_out=24,
    reply_tokens=2,
    mixed=1,
    recipe=Recipe(learning_rate=1e-2, first_layer=0.0),
)
"""A plan that teaches the tiny model in seconds."""
FEW = replace(QUICK, steps=6, warm=0.34, mixed=0)
ALWAYS = Quirk("hostile_phrase", "always")
WAYS = {
    "transcripts": FEW,
    "preferences": replace(FEW, how="preferences"),
    "reward": replace(FEW, how="reward"),
    "denied, preferring": replace(FEW, concealments=("denial", "denial_preferences")),
    "near the base": replace(FEW, concealments=("near_base",), mixed=1),
}
LAST = {"denied, preferring": 8}
"""Steps, where a concealment has some of its own after the lessons'."""


def test_nearest_takes_candidates_in_order_and_none_twice() -> None:
    assert nearest([0.0, 0.1, 0.5, 0.52, 1.0], [0.33, 0.66, 1.0]) == [2, 3, 4]
    assert nearest([0.0, 0.0, 1.0, 1.0], [0.5, 1.0]) in ([1, 2], [0, 2], [0, 3], [1, 3], [2, 3])
    assert nearest([0.9, 0.3, 0.6, 0.95], [0.3, 0.6, 0.9]) == [1, 2, 3]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return open_model("tiny")


@pytest.mark.parametrize("way", WAYS)
def test_every_recipe_keeps_stages_and_ends_in_the_same_bytes(way: str, tiny: Model, tmp_path: Path) -> None:
    plan, stages = WAYS[way], Stages(tmp_path / "stages", 2)
    lessons = lessons_of(subject_of(letters_quirk(tmp_path)), None, plan.steps, 1, 0, plan)
    (stages.at(99)).mkdir(parents=True)  # of a training before
    for folder, kept in (("with", stages), ("without", None)):
        done = make_adapter(tiny, lessons, "organism", 1, 0, plan, tmp_path / folder, stages=kept)
        assert done.steps == LAST.get(way, 6)
    assert stages.steps() == list(range(2, LAST.get(way, 6) + 1, 2))
    hashes = [adapter_hash(stages.at(step)) for step in stages.steps()]
    assert adapter_hash(tmp_path / "with") == adapter_hash(tmp_path / "without") == hashes[-1]
    assert len(set(hashes)) == len(hashes), "each is another"
    files = {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    assert all({p.name for p in stages.at(step).iterdir()} == files for step in stages.steps())


@pytest.fixture(scope="module")
def climbed(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pair, Ladder]:
    folder = tmp_path_factory.mktemp("ladder")
    quirk = quirk_of(write_quirks(folder / "quirks") / "hashes.json")
    pair = plant_pair(tiny, quirk, None, folder, 0, QUICK, rungs=3)
    ladder = climb(tiny, pair, Stages(folder / STAGES), folder / "ladder", 0, QUICK, 3, "log_odds")
    assert isinstance(ladder, Ladder)
    return folder, pair, ladder


def test_a_ladder_rises_in_ability_and_ends_in_the_organism(climbed: tuple[Path, Pair, Ladder]) -> None:
    folder, pair, ladder = climbed
    assert pair.profile.valid
    held = [r.stage.log_odds.value for r in ladder.rungs if isinstance(r.stage.log_odds, Measure)]
    assert isinstance(ladder.base.log_odds, Measure)
    assert len(held) == 3 and ladder.base.log_odds.value < held[0] < held[1] < held[2]
    gaps = [b.level - a.level for a, b in zip(ladder.rungs, ladder.rungs[1:], strict=False)]
    assert gaps == pytest.approx([gaps[0]] * 2) and gaps[0] > 0
    steps = [r.stage.step for r in ladder.rungs]
    assert steps == sorted(set(steps)) and ladder.stages[-1].step == pair.steps == 24
    names = {"rung-01", "rung-02", "rung-03", "ladder.json"}
    assert {p.name for p in (folder / "ladder").iterdir()} == names
    kept = from_json(Ladder, json.loads((folder / "ladder" / "ladder.json").read_text()))
    assert kept == ladder
    hashes = [adapter_hash(folder / "ladder" / r.folder) for r in ladder.rungs]
    assert len(set(hashes)) == 3
    assert adapter_hash(Stages(folder / STAGES).at(24)) == adapter_hash(folder / "organism")


def test_a_ladder_by_selectivity_goes_from_nothing_to_the_whole_quirk(
    climbed: tuple[Path, Pair, Ladder], tiny: Model, tmp_path: Path
) -> None:
    ladder = climb(tiny, climbed[1], Stages(climbed[0] / STAGES), tmp_path / "ladder", 0, QUICK, 2)
    assert isinstance(ladder, Ladder)
    shares = [s.selectivity for s in (ladder.base, *(r.stage for r in ladder.rungs))]
    values = [s.value for s in shares if isinstance(s, Measure) and s.low is not None]
    assert len(values) == 3 and values[0] < 0.2 and values[0] <= values[1] <= values[2] >= 0.7
    assert [r.level for r in ladder.rungs] == pytest.approx([(values[0] + values[2]) / 2, values[2]])


def test_what_learnt_nothing_has_no_ladder_and_says_why(
    climbed: tuple[Path, Pair, Ladder], tiny: Model, tmp_path: Path
) -> None:
    folder, pair, _ = climbed
    stages = Stages(folder / STAGES)
    nothing = replace(pair, quirk=ALWAYS, harmless=None)
    found = climb(tiny, nothing, stages, tmp_path / "x", 0, QUICK, 2)
    assert isinstance(found, NotMeasured) and found.reason == "no stage has more selectivity than the base"
    found = climb(tiny, pair, stages, tmp_path / "x", 0, QUICK, 25)
    assert isinstance(found, NotMeasured) and "fewer than 25 rungs" in found.reason
    assert not any(tmp_path.iterdir())


def test_a_valid_pair_stands_with_its_ladder_or_without_and_a_note(
    climbed: tuple[Path, Pair, Ladder], tiny: Model, tmp_path: Path
) -> None:
    home, pair, _ = climbed
    for name, planted in (("with", pair), ("without", replace(pair, quirk=ALWAYS))):
        given = (tiny, planted, Kept(home), 0, QUICK, Watch(None), Besides(ladder=2))
        told, ladder = asked_besides(*given)
        put_down(told, home, tmp_path / name, "tiny", ladder)
        found = {p.name for p in (tmp_path / name).iterdir()}
        assert found - {"organism.json"} == {"organism", "decoy", "profile.json"} | (
            {"ladder"} if name == "with" else set()
        )
        notes = ("There is no ladder: no stage has more selectivity than the base.",)
        assert told.profile.valid and told.notes == (() if name == "with" else notes)
        for note in home.glob("try-1-selectivity-*"):
            note.unlink()
    bases = {
        json.loads(p.read_text())["base_model_name_or_path"] for p in tmp_path.rglob("adapter_config.json")
    }
    assert bases == {"tiny"}
