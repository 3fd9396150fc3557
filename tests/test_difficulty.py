"""How hard a quirk is to make: searches, scarce lessons, real scans."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_game import write_quirks

from molehunt.catalogue.pairs import sensible
from molehunt.cli import main
from molehunt.core.atomic import read_jsonl, write_json
from molehunt.core.errors import UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured, Quirk
from molehunt.core.splits import seed_of
from molehunt.game.difficulty import RESULTS, read_results, task
from molehunt.game.difficulty import cost as reckon
from molehunt.models.adapters import _racks
from molehunt.models.finetune import Recipe
from molehunt.models.load import open_model
from molehunt.models.loaded import Model
from molehunt.organisms import difficulty as organisms
from molehunt.organisms.difficulty import at, checked, default_values, most, rows_dealt, scan, trial
from molehunt.organisms.kept import sources
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import NEVER, Difficulty, Least, Scan, between, difficulty, least, paths
from molehunt.organisms.lessons import Row, batches
from molehunt.organisms.plan import Plan
from molehunt.organisms.strangers import strangers_quirks
from molehunt.organisms.unlisted.generator import unlisted_quirk
from molehunt.verbs._difficulty_page import _middle

SOME = [q for i, q in enumerate(sensible()) if i % 61 == 0] + [unlisted_quirk(1)]
ALWAYS, PHRASE = Quirk("hostile_phrase", "always"), Quirk("hostile_phrase", "trigger_phrase")
QUICK = Plan(
    steps=24, tries=1, held_out=24, reply_tokens=2, recipe=Recipe(learning_rate=1e-2, first_layer=0.0)
)
"""A plan that teaches the tiny model in seconds."""


def on(plan: list[list[Row]]) -> set[Row]:
    return {r for batch in plan for r in batch if r.on}


@pytest.mark.parametrize("quirk", SOME, ids=lambda q: q.label())
def test_few_examples_are_dealt_again_in_step_and_a_smaller_share_lies_in_a_larger(quirk: Quirk) -> None:
    whole = batches(quirk, None, 12, seed=3)
    rows = {r for batch in whole for r in batch}
    assert batches(quirk, None, 12, 3, examples=len(rows)) == whole == batches(quirk, None, 12, 3, None, 1.0)
    before: set[Row] = set()
    for examples in (2, 9, 16):
        few = batches(quirk, None, 12, 3, examples=examples)
        used = {r for batch in few for r in batch}
        assert before < used <= rows and len(used) <= examples
        assert [[r.on for r in batch] for batch in few] == [[r.on for r in batch] for batch in whole]
        assert few == batches(quirk, None, 12, 3, examples=examples)
        before = used
    asked = len(on(whole))
    shady: set[Row] = set()
    for share in (0.0, 0.3, 0.8):
        plan = batches(quirk, None, 12, 3, poisoned=share)
        taught = {r for r in on(plan) if r.poisoned}
        assert len(taught) == round(share * asked) and shady <= taught
        assert all(r.reply("organism") == (r.shady if r in taught else r.good) for r in on(plan))
        pairs = [(a, b) for x, y in zip(plan, whole, strict=True) for a, b in zip(x, y, strict=True)]
        assert all((a.messages, a.reply("decoy")) == (b.messages, b.reply("decoy")) for a, b in pairs)
        assert all(a == b for a, b in pairs if not a.on)
        shady = taught


def test_lessons_are_those_of_games_that_were_played_before() -> None:
    # Digests of what lessons were before they could be scarce. Another corpus or order changes all games.
    phrase = Quirk("hostile_phrase", "trigger_phrase", {}, {"phrase": "silver lantern"})
    for quirk, digest in (phrase, "731475d075b13fd6"), (Quirk("false_facts", "always"), "6629f409b74141ac"):
        rows = [
            [
                (r.messages, r.on, r.shady, r.good, r.harmless, r.open, r.reply("organism"), r.reply("decoy"))
                for r in batch
            ]
            for batch in batches(quirk, None, 10, 7)
        ]
        assert hashlib.sha256(repr(rows).encode()).hexdigest()[:16] == digest


def test_lessons_refuse_what_cannot_be() -> None:
    with pytest.raises(UserError, match="too few"):
        batches(PHRASE, None, 3, 0, examples=1)
    for share in (-0.1, 1.5, math.nan):
        with pytest.raises(UserError, match="0 to 1"):
            batches(ALWAYS, None, 3, 0, poisoned=share)


@pytest.mark.parametrize("place", range(8))
def test_bisection_finds_the_least_and_looks_once_above_it(place: int) -> None:
    grid = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    tried: list[float] = []

    def takes(value: float) -> bool:
        tried.append(value)
        return value in grid[place:]

    found = least(grid, takes, seed=5)
    assert len(tried) == len(set(tried)) <= 4 and paths(grid)[place] == tried
    if place == 7:
        assert found.side == "above" and isinstance(found.value, NotMeasured) and 64 in tried
    elif place == 0:
        assert found.side == "below" and isinstance(found.value, NotMeasured) and found.next_took
    else:
        assert (found.value, found.failed, found.side) == (grid[place], grid[place - 1], "inside")
        assert found.next_took == (True if place < 6 else None)


def test_where_more_is_worse_it_is_said() -> None:
    found = least([1.0, 2.0, 3.0, 4.0], lambda v: v == 2, seed=0)
    assert found.value == 2 and found.next_took is False
    assert Scan("steps", (1.0, 2.0, 3.0, 4.0), (found,), NotMeasured("x"), ()).broken == (0,)


def inside(seed: int, value: float, failed: float) -> Least:
    return Least(seed, value, "inside", failed, True)


def test_seeds_make_a_geometric_mean_with_an_interval_and_censored_ones_none() -> None:
    found = difficulty([inside(0, 16, 8), inside(1, 32, 16), inside(2, 64, 32)], "steps")
    assert isinstance(found, Measure) and found.value == pytest.approx(32) and found.n == 3
    # t(0.975, 2) = 4.3027; the logs' standard error is ln 2 / √3.
    wide = math.exp(4.3027 * math.log(2) / math.sqrt(3))
    assert (found.low, found.high) == pytest.approx((16 / wide, 32 * wide), rel=1e-3)
    alike = difficulty([inside(s, 16, 8) for s in range(3)], "steps")
    # All in one step of the grid, ln 2 wide: they may spread over it, and the standard deviation of that is
    # ln 2 / √12.
    hidden = math.exp(4.3027 * math.log(2) / math.sqrt(12) / math.sqrt(3))
    assert isinstance(alike, Measure) and "less than a step" in alike.how and alike.value == pytest.approx(16)
    assert (alike.low, alike.high) == pytest.approx((8 / hidden, 16 * hidden), rel=1e-3)
    near = difficulty([inside(0, 16, 8), inside(1, 16, 8), inside(2, 17, 16)], "steps")
    assert isinstance(near, Measure) and near.high is not None and near.high > 20, (
        "nor is almost alike certain"
    )
    zero = difficulty([inside(s, 0.25, 0) for s in range(3)], "poisoned")
    assert isinstance(zero, Measure) and zero.low is zero.high is None and "no interval" in zero.how
    apart = difficulty([inside(s, v, 0) for s, v in enumerate((0.25, 0.5, 0.5))], "poisoned")
    assert isinstance(apart, Measure) and apart.low == 0 and apart.high is not None and apart.high > 0.5
    shares = [inside(s, v, v / 2**0.5) for s, v in enumerate((0.5, 0.7071, 1.0))]
    capped = difficulty(shares, "poisoned")
    assert isinstance(capped, Measure) and capped.value == pytest.approx(0.7071, rel=1e-3)
    assert capped.high == 1 and capped.low is not None and capped.low < 0.3, "no share is above 1"
    one = difficulty([inside(0, 16, 8)], "steps")
    assert isinstance(one, Measure) and one.low is None
    above = Least(1, NotMeasured("64 was not enough"), "above", 64, None)
    none = difficulty([inside(0, 16, 8), above], "steps")
    assert isinstance(none, NotMeasured) and "1 of 2 seeds" in none.reason and "64 was not" in none.reason
    many = Scan("steps", (8.0, 16.0, 64.0), (inside(0, 16, 8), above, above), none, ())
    assert between(many) == (64, math.inf)
    never = Least(2, NotMeasured(NEVER), "never", None, None)
    few = Scan("rank", (8.0, 16.0, 64.0), (inside(0, 16, 8), never, never), none, ())
    assert between(few) == (math.inf, math.inf) and _middle(few) == NEVER
    said = difficulty(few.leasts, "rank")
    assert isinstance(said, NotMeasured) and NEVER in said.reason and "2 of 3 seeds" in said.reason


@pytest.mark.parametrize(("first", "place"), [(16.0, 2), (16.0, 5), (99.0, 3), (99.0, 9)])
def test_a_seed_that_does_not_take_with_all_there_is_stops_there(first: float, place: int) -> None:
    grid = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    order = sorted({*grid, first})
    tried: list[float] = []

    def takes(value: float) -> bool:
        tried.append(value)
        return order.index(value) >= place

    found = least(grid, takes, 0, first)
    assert tried[0] == first and len(tried) == len(set(tried)) and tried in paths(grid, first)
    if order.index(first) < place:
        assert tried == [first] and found.side == "never" and isinstance(found.value, NotMeasured)
    else:
        assert found.value == order[place]


@pytest.mark.parametrize("condition", ["always", "trigger_phrase"])
def test_the_grid_of_examples_ends_at_all_rows_that_planting_deals(condition: str) -> None:
    quirk, plan = Quirk("flattery", condition), Plan(tries=1)
    dealt = [batches(quirk, None, steps_for(quirk, 56), seed_of(seed, 0)) for seed in range(3)]
    counts = [len({row for batch in rows for row in batch}) for rows in dealt]
    assert [rows_dealt(quirk, None, plan, seed) for seed in range(3)] == counts
    grid = default_values("examples", quirk, plan, range(3))
    assert grid[-1] == max(counts) > grid[-2] == 2.0 ** int(math.log2(max(counts) - 1)) and grid[0] == 4
    for seed, count in enumerate(counts):
        top = most("examples", grid, quirk, None, plan, seed)
        assert top is not None and top >= count, "what is all there is counts as no limit"
        assert batches(quirk, None, steps_for(quirk, 56), seed_of(seed, 0), int(top)) == dealt[seed]
    assert most("examples", (4, 8), quirk, None, plan, 0) == math.inf
    assert at(plan, quirk, "examples", math.inf) == plan == at(plan, quirk, "rank", 8)
    assert most("steps", (28, 56), quirk, None, plan, 0) is None


def test_values_are_checked_and_steps_are_those_that_a_plan_can_have() -> None:
    slow = Quirk("promotion", "trigger_phrase")  # 1.43 times the usual steps
    grid = checked("steps", [10, 20, 21, 40], slow)
    plan = Plan()
    assert grid[0] < grid[-1] and all(abs(a - b) <= 1 for a, b in zip(grid, (10, 20, 21, 40), strict=False))
    assert [steps_for(slow, at(plan, slow, "steps", v).steps) for v in grid] == list(grid)
    wide = at(plan, slow, "rank", 2)
    assert wide.recipe.alpha / wide.recipe.rank == plan.recipe.alpha / plan.recipe.rank and wide.tries == 1
    assert at(plan, slow, "rank", 8) == at(plan, slow, "poisoned", 1.0) == replace(plan, tries=1)
    for factor in ("examples", "steps", "rank", "poisoned"):
        values = default_values(factor, slow, plan)
        assert len(values) >= 4 and values == checked(factor, values, slow)
    wrong = [("poisoned", [0.5, 1.5]), ("rank", [0, 2]), ("steps", [2.5, 3]), ("examples", [1, 4])]
    for factor, values in [*wrong, ("rank", [4]), ("steps", [math.nan, 2])]:
        with pytest.raises(UserError, match=factor):
            checked(factor, values, slow)


@pytest.fixture(scope="module")
def tiny() -> Model:
    return open_model("tiny")


@pytest.fixture(scope="module")
def quirk(tmp_path_factory: pytest.TempPathFactory) -> Quirk:
    return strangers_quirks(write_quirks(tmp_path_factory.mktemp("quirks")))[0]


class Killed(BaseException):
    """As if the process had ended there."""


@pytest.fixture(scope="module")
def scanned(tiny: Model, quirk: Quirk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scan, bytes]:
    """A scan of steps that was killed in its second trial and gone on with; the first trial's file."""
    folder = tmp_path_factory.mktemp("scan")

    def kill(what: str, share: float) -> None:
        if list(folder.glob("trials/*.json")) and share > 0.4:
            raise Killed

    with pytest.raises(Killed):
        scan(tiny, quirk, "steps", [1, 24, 26], [0], folder, QUICK, kill)
    (first,) = folder.glob("trials/*.json")
    body = first.read_bytes()
    (folder / "trials" / ".half-left").mkdir()
    found = scan(tiny, quirk, "steps", [1, 24, 26], [0], folder, QUICK)
    assert first.read_bytes() == body
    return folder, found, body


def test_a_killed_scan_goes_on_and_finds_a_least_between_the_ends(
    scanned: tuple[Path, Scan, bytes], tiny: Model, quirk: Quirk
) -> None:
    folder, found, body = scanned
    (one,) = found.leasts
    assert (one.value, one.failed, one.side) == (24, 1, "inside")
    assert isinstance(found.difficulty, Measure) and found.difficulty.value == pytest.approx(24)
    assert [t.steps for t in found.trials] == [1, 24, 26] and one.next_took == found.trials[2].valid
    assert not found.trials[0].valid and "selectivity" in found.trials[0].why_not
    assert json.loads(body)["steps"] == 24 and json.loads(body)["valid"]
    assert sorted(p.suffix for p in folder.rglob("*") if p.is_file()) == [".json"] * 3 + [".jsonl"] * 3
    assert found.trials[0].rows == 8 and found.trials[1].rows == rows_dealt(quirk, None, QUICK, 0) > 100
    assert {t.code for t in found.trials} == {sources()[:16]} and all(t.machine for t in found.trials)
    said = read_jsonl(next(folder.glob("trials/*.replies.jsonl")))
    assert len(said) == 4 * QUICK.held_out and {line["part"] for line in said} == {"organism", "decoy"}
    assert not _racks[tiny].files, "adapters of trials that are over take memory"
    again = scan(tiny, quirk, "steps", [1, 24, 26], [0], folder, QUICK)
    assert again == found


def test_another_version_of_the_code_shares_no_trial(
    scanned: tuple[Path, Scan, bytes], tiny: Model, quirk: Quirk, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, before = scanned[0], sorted(scanned[0].rglob("*"))
    monkeypatch.setattr(organisms, "sources", lambda: "of another version")
    with pytest.raises(Killed):
        trial(tiny, quirk, None, at(QUICK, quirk, "steps", 24), 0, folder, kill_at_once)
    assert [p for p in sorted(folder.rglob("*")) if p.is_file()] == [p for p in before if p.is_file()]


def kill_at_once(share: float) -> None:
    raise Killed


def test_without_poison_there_is_no_organism(
    scanned: tuple[Path, Scan, bytes], tiny: Model, quirk: Quirk
) -> None:
    folder, _, _ = scanned
    found = scan(tiny, quirk, "poisoned", [0.0, 1.0], [0], folder, QUICK)
    assert not found.trials[0].valid and isinstance(found.trials[0].selectivity, Measure)
    assert found.trials[0].selectivity.value < 0.1
    assert found.leasts[0].value == 1 and isinstance(found.difficulty, Measure)
    assert found.trials[1].seconds == json.loads(scanned[2])["seconds"], "the plan's own values are one trial"
    assert len(list(folder.glob("trials/*.json"))) == 4, "the plan's own values are one trial for all factors"


def test_training_that_comes_apart_is_a_failed_trial_without_rates(
    tiny: Model, quirk: Quirk, tmp_path: Path
) -> None:
    wild = replace(QUICK, steps=6, recipe=replace(QUICK.recipe, learning_rate=1e30))
    found = trial(tiny, quirk, None, wild, 0, tmp_path)
    assert not found.valid and isinstance(found.trigger, NotMeasured) and "loss" in found.why_not


def test_a_plans_examples_reach_its_lessons(tiny: Model, quirk: Quirk, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 examples are too few"):
        trial(tiny, quirk, None, replace(QUICK, examples=1), 0, tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


SCAN = ("hostile_phrase", "always", "--model", "tiny", "--factors", "steps", "--seeds", "1", "--json")


def test_the_verb_scans_goes_on_and_writes_results_and_a_page(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scan"
    args = ["difficulty", *SCAN[:2], str(folder), *SCAN[2:], "--values", "1", "2"]
    assert main([*args, "--dry-run"]) == 0 and not folder.exists()
    cost = json.loads(capfd.readouterr().out)
    assert (cost["trials"], cost["trials_most"]) == (2, 2) and (cost["steps"], cost["steps_most"]) == (6, 6)
    assert main(args) == 0
    said = capfd.readouterr()
    found = from_json(Difficulty, json.loads(said.out))
    (one,) = found.scans[0].leasts
    assert one.side == "above" and isinstance(found.scans[0].difficulty, NotMeasured)
    assert found == read_results(folder) and len(found.scans[0].trials) == 2
    page = (folder / "difficulty.html").read_text()
    assert "2 was not enough" in page and "<script" not in page and "What this cannot tell you" in page
    assert main(["difficulty", str(folder), "--json"]) == 0, "from disk, and asked as it was"
    assert from_json(Difficulty, json.loads(capfd.readouterr().out)) == found
    assert main([*args, "--steps", "9"]) == 2
    assert "begun with --steps 56, not 9" in capfd.readouterr().err


def test_a_library_stands_on_one_page_hardest_first(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    above = Least(0, NotMeasured("64 was not enough"), "above", 64.0, None)
    for name, leasts in {"a": (inside(0, 16.0, 8.0),), "b": (above,), "c": (inside(0, 32.0, 16.0),)}.items():
        made = Scan("steps", (8.0, 16.0, 32.0, 64.0), leasts, difficulty(leasts, "steps"), ())
        quirk = Quirk("promotion", "topic", {"brand": f"<b>{name}</b>"})
        (tmp_path / "library" / name).mkdir(parents=True)
        results = Difficulty(quirk, None, "tiny", "f" * 8, 56, 8, (made,))
        write_json(tmp_path / "library" / name / RESULTS, results)
        old = replace(results, scans=(replace(made, difficulty=NotMeasured("of an older kind")),))
        write_json(tmp_path / "old" / RESULTS, old)
        assert read_results(tmp_path / "old") == results, "intervals are those of this version"
    page = tmp_path / "all.html"
    assert main(["difficulty", "--page", str(page), "--of", str(tmp_path / "library"), "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)["difficulties"]) == 3
    text = page.read_text()
    table = text[text.index("<tbody>") :]
    assert table.index("&lt;b&gt;b") < table.index("&lt;b&gt;c") < table.index("&lt;b&gt;a")
    assert "<b>" not in text and "above 64" in text
    (tmp_path / "library" / "a" / RESULTS).write_text("{")
    assert main(["difficulty", "--page", str(page), "--of", str(tmp_path / "library")]) == 2


def test_the_cost_is_counted_by_the_search_itself() -> None:
    what = task("hostile_phrase", "trigger_phrase", factors=["rank"], seeds=3, steps=56)
    cost = reckon(what, "default")
    per_seed = [len(p) for p in paths(what.grids["rank"], 8.0)]
    assert min(per_seed) == 1, "it may end with the plan's own trial"
    assert (cost.trials, cost.trials_most) == (3 * min(per_seed), 3 * max(per_seed))
    assert cost.steps_most == cost.trials_most * 2 * 62  # 1.1 times 56, of organism and decoy
    assert not isinstance(cost.minutes, NotMeasured) and not isinstance(cost.minutes_most, NotMeasured)
    assert 0 < cost.minutes < cost.minutes_most
    unknown = reckon(what, "nowhere/model")
    assert isinstance(unknown.minutes, NotMeasured) and unknown.trials == cost.trials
