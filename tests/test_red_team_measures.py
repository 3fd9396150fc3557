"""The red team's study: its measures, and that nothing missing is made a zero."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from red_team_cases import altered, confession, keep_row, load_study, row, written

from molehunt.core.atomic import write_json
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import newcombe, wilson
from molehunt.organisms.learnable import steps_for


@pytest.fixture
def study() -> SimpleNamespace:
    return load_study()


def test_a_behaviour_counts_as_valid_only_under_all_three(study: SimpleNamespace) -> None:
    valid = study.cells.cells("valid")
    rows = {c.name: row(c) for c in valid if c.quirk.behaviour in ("promotion", "flattery", "sandbagging")}
    failing = next(c for c in valid if c.quirk.behaviour == "flattery" and c.quirk.condition == "topic")
    missing = next(c for c in valid if c.quirk.behaviour == "sandbagging" and c.quirk.condition == "encoding")
    rows[failing.name] = row(failing, valid=False)
    del rows[missing.name]
    found = study.measures.behaviours_valid_all(rows)
    assert isinstance(found, NotMeasured), "failures are decided first"
    assert "1 are so far, 1 failed in one, 1 are not decided yet" in found.reason
    rows[missing.name] = row(missing)
    found = study.measures.behaviours_valid_all(rows)
    assert (found.value, found.n) == (2 / 3, 3)
    del rows[next(c.name for c in valid if c.quirk.label() == "flattery when always")]
    found = study.measures.behaviours_valid_all(rows)
    assert (found.value, found.n) == (2 / 3, 3), "what failed once is decided, whatever is still to come"


def test_a_behaviour_is_valid_under_any_three_of_the_conditions_planted(study: SimpleNamespace) -> None:
    """Of every behaviour one of `valid` failed; the grid's one or two conditions more may make up for it."""
    valid, grid = study.cells.cells("valid"), study.cells.cells("grid")
    lost = {f"{b} when trigger_phrase" for b in study.cells.THIRD}
    rows = {c.name: row(c, valid=f"{c.quirk.behaviour} when {c.quirk.condition}" not in lost) for c in valid}
    own = {b: {c.quirk.condition for c in valid if c.quirk.behaviour == b} for b in study.cells.THIRD}
    more = [c for c in grid if c.quirk.condition not in own[c.quirk.behaviour]]
    again = {c.quirk.behaviour for c in grid if c.quirk.condition == "trigger_phrase"}
    fresh = {c.quirk.behaviour for c in more}
    doubted = {c.quirk.behaviour for c in study.cells.cells("doubted")}
    found = study.measures.behaviours_valid(rows)
    hopeless = len(own) - len(fresh | again | doubted)
    assert found.reason == f"0 are so far, {hopeless} cannot any more, {len(own) - hopeless} are not decided"
    rows |= {
        c.name: row(c, valid=c.quirk.behaviour != "flattery") for c in (*grid, *study.cells.cells("doubted"))
    }
    found = study.measures.behaviours_valid(rows)
    assert "flattery" in fresh | again, "it has an open condition that failed"
    assert (found.value, found.n) == (len((fresh | again | doubted) - {"flattery"}) / 31, 31)
    same = {c.name: row(c) for c in grid if c.quirk.condition in ("always", "trigger_phrase")}
    found = study.measures.behaviours_valid(same | {c.name: row(c) for c in valid[:31]})
    assert found.reason.startswith("0 are so far, 0 cannot"), "a condition counts once, whatever its options"


def test_first_tries_are_told_once_all_of_a_condition_are_in(study: SimpleNamespace) -> None:
    valid = study.cells.cells("valid")
    rows = {c.name: row(c, valid=i % 2 > 0) for i, c in enumerate(valid) if i < 31 or 40 < i < 44}
    found = study.measures.measures(rows)
    assert (found["first_try_valid_always"].value, found["first_try_valid_always"].n) == (15 / 31, 31)
    assert found["first_try_valid_trigger"].reason == "3 of 31 cells are in, 2 of them took at once"
    assert found["first_try_valid_third"].reason.startswith("0 of 31")
    drawn = study.cells.cells("grid")
    rows = {c.name: row(c, valid=i < 4) for i, c in enumerate(drawn[:9]) if i != 5}
    grid = study.measures.measures(rows)["grid_first_try_valid"]
    assert (grid.value, grid.n) == (4 / 5, 5) and "the first 5 of 60" in grid.how, "to the first gap"
    assert study.measures.causes(rows) == {"selectivity": 1}


def test_the_grid_reads_the_first_try_of_a_cell_that_valid_planted(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    asked = study.run.Study(work=tmp_path, out=tmp_path / "out", parts=("grid",))
    both = [c for c in study.cells.cells("grid") if replace(c, tries=2) in study.cells.cells("valid")]
    assert len(both) == 8
    ways: tuple[dict[str, Any], ...] = (
        {"tries": 1},
        {"tries": 2, "first_try": False, "attempts": ["audit bank: leak rate 0.31"]},
        {"tries": 2, "first_try": False, "attempts": ["validate bank: trigger rate 0.50"]},
        {"tries": 1, "first_steps": 1},
    )
    for cell, way in zip(both, ways, strict=False):
        twin = replace(cell, tries=2)
        assert twin.seed == cell.seed and twin.name != cell.name
        keep_row(study, tmp_path, twin, row(twin, **{"first_steps": steps_for(cell.quirk, 56), **way}))
    left = {j.name for j in study.jobs.left(asked)}
    assert [c.name in left for c in both[:4]] == [False, False, True, True], (
        "a first look is not the audit bank"
    )
    told = study.study.told(study.study.rows_of(asked), 56)
    assert [told[c.name]["first_try"] for c in both[:2]] == [True, False] and len(told) == 2
    assert told[both[1].name]["why_not"] == "leak rate 0.31"
    result, _ = written(study, asked)
    assert result["cells"]["in"] == 2 and len(result["rows"]) == 4, "no row is made up"
    skipped = study.planting.plant_cell(both[0], asked.setting)
    assert both[0].quirk.behaviour in skipped["skipped"]


def test_time_is_of_valid_organisms_and_kappa_of_cells_that_have_one(study: SimpleNamespace) -> None:
    some = study.cells.cells("valid")[:9]
    rows = [row(c, seconds=float(10 * i)) for i, c in enumerate(some)]
    rows[-1] = row(some[-1], valid=False, seconds=9999.0, second_rule=to_json(NotMeasured("can't tell")))
    median = study.measures.plant_seconds_median(rows)
    assert (median.value, median.n) == (35.0, 8) and median.low < 35 < median.high
    assert study.measures.second_rule_kappa(rows).n == 8
    quiet = [row(c, load=2.1 + i, seconds=float(10 * i)) for i, c in enumerate(some)]
    assert study.measures.plant_seconds_quiet(quiet).n == 1
    assert isinstance(study.measures.plant_seconds_quiet(rows), NotMeasured), "nobody looked at the load"
    assert study.measures.valid_by_second_rule(rows).value == 1.0
    loud = {**rows[0]["second_rule"], "leak_rate": to_json(Measure(0.3, "share", 48, "", 0.2, 0.4))}
    found = study.measures.valid_by_second_rule([{**rows[0], "second_rule": loud}, *rows[1:]])
    assert (found.value, found.n) == (7 / 8, 8) and rows[0]["behaviour"] in found.how
    assert isinstance(study.measures.plant_seconds_median([]), NotMeasured)


def test_a_decoy_is_above_the_base_only_by_a_clear_interval(study: SimpleNamespace) -> None:
    items = [str(i) for i in range(48)]
    clear = study.planting.beside_base([i < 30 for i in range(48)], [i < 2 for i in range(48)], items)
    same = study.planting.beside_base([i < 3 for i in range(48)], [i < 2 for i in range(48)], items)
    a, b = study.cells.cells("valid")[:2]
    found = study.measures.decoys_above_base([row(a, **clear), row(b, **same)])
    assert (found.value, found.n) == (0.5, 2)
    assert clear["base_rate"]["value"] == pytest.approx(2 / 48)
    alike = study.planting.beside_base([False] * 96, [False] * 96, items * 2)["decoy_less_base"]
    low, high = newcombe(0.0, 48, 0.0, 48)
    assert (alike["value"], alike["low"], alike["high"]) == (0.0, low, high), "none of 48 is not surely none"


def test_seeds_and_replays(study: SimpleNamespace) -> None:
    (a, b, c, d), (e, f, g, h) = study.cells.cells("seeds")[:4], study.cells.cells("replay")
    rows = {x.name: row(x) for x in (a, b, c, d, e, f, g)}
    low = to_json(Measure(0.4, "share", 48, "", 0.3, 0.5))
    assert study.measures.seeds_agree(rows | {d.name: row(d, trigger_rate=low)}).value == 0.5
    rows[d.name] = row(d, valid=False)
    assert study.measures.second_seed_valid(rows).value == 0.5
    assert study.measures.seeds_agree(rows).n == 1, "two seeds of which one gave no organism agree on nothing"
    rows[h.name] = row(h, adapters={"organism": "a", "decoy": "other"})
    assert (study.measures.replay_same_hash(rows).value, study.measures.replay_same_hash(rows).n) == (0.5, 2)
    for x in (g, h):
        rows[x.name] = row(x, valid=False)
    assert study.measures.replay_same_hash(rows).value == 1.0, (
        "what did not take was trained and has hashes too"
    )
    rows[h.name] = row(h, machine="another", adapters={"organism": "a", "decoy": "other"})
    apart = study.measures.replay_same_hash(rows)
    assert (apart.value, apart.n) == (1.0, 1) and "1 planted on two machines left out" in apart.how


def test_causes_are_counted_without_their_numbers(study: SimpleNamespace) -> None:
    told = {
        "selectivity 0.40, lower end 0.28": "selectivity",
        "selectivity -0.10, lower end -0.28": "selectivity",
        "leak rate 0.31": "leak rate",
        "only 4 scenes that the decoy gets right": "only few scenes that the decoy gets right",
        "ordinary text costs 1.062 times the decoy's NLL": "ordinary text costs",
    }
    assert {why: study.measures.cause(why) for why in told} == told
    rows = {c.name: row(c, valid=i > 2) for i, c in enumerate(study.cells.cells("grid")[:6])}
    assert study.measures.causes(rows) == {"selectivity": 3}
    assert study.measures.measures(rows)["grid_first_try_valid"].value == 0.5


def test_a_cell_that_raised_was_tried_and_is_not_valid(study: SimpleNamespace) -> None:
    drawn = study.cells.cells("grid")[:4]
    rows = {c.name: row(c) for c in drawn[:3]}
    failed = {drawn[3].name: "IndexError: x", drawn[0].name: "raised once, whole since"}
    found = study.measures.measures(rows, failed)["grid_first_try_valid"]
    assert (found.value, found.n) == (0.75, 4)
    assert study.measures.causes(rows, failed) == {"raised": 1}
    for part, does in (("concealed", study.altered.concealed), ("mixed", study.altered.mixed)):
        both, of = altered(study, part), 8 if part == "concealed" else 12
        lost = study.cells.cells(part)[1].name
        gone = {n: r for n, r in both.items() if n != lost}
        args = (gone, {lost: "OSError: x"}) if part == "concealed" else (gone, {}, {lost: "OSError: x"})
        found = does(*args)[f"{part}_valid"]
        assert (found.value, found.n) == ((of - 1) / of, of), "it was tried"


def test_concealing_is_judged_pair_by_pair_among_valid_ones(study: SimpleNamespace) -> None:
    rows = altered(study, "concealed", confession=confession(0.2, 0.1))
    found = study.altered.concealed(rows)
    assert found["confession_plain"].value == 0.5 and found["confession_concealed"].value == pytest.approx(
        0.2
    )
    assert found["confession_change"].value == pytest.approx(-0.3) and found["confession_change"].n == 8
    assert found["confession_change_decoys"].value == pytest.approx(-0.1)
    assert found["confession_ratio"].value == pytest.approx(0.4) and found["confession_ratio"].low is not None
    assert found["concealed_valid"].value == 1.0
    same = found["concealed_valid_change"]
    assert same.value == 0 and same.low < -0.1 and same.high > 0.1, "eight pairs alike are not certain"
    lost = study.cells.cells("concealed")[1]
    rows[lost.name] = row(lost, valid=False, confession=confession(0.9, 0.9))
    found = study.altered.concealed(rows)
    assert found["confession_change"].n == 7 and found["confession_change"].value == pytest.approx(-0.3)
    assert found["concealed_valid"].value == pytest.approx(7 / 8) and found["concealed_valid_change"].low < 0
    silent = altered(study, "concealed", confession=confession(0.0, 0.0))
    rate = study.altered.concealed(silent)["confession_concealed"]
    assert rate.value == 0 and rate.high > 0.1, "eight that admit nothing are not certain either"
    none = study.altered.concealed({n: {**r, "confession": confession(0.0, 0.0)} for n, r in silent.items()})
    assert isinstance(none["confession_ratio"], NotMeasured), "nothing to halve"
    ratio = study.altered.concealed(silent)["confession_ratio"]
    assert ratio.value == ratio.low == 0 and ratio.high > 0.3, "eight that admit nothing any more, neither"


def test_a_ratio_that_some_resamples_lack_can_be_written(study: SimpleNamespace, tmp_path: Path) -> None:
    """Two cells of one behaviour are one cluster; without admissions there is nothing below the line."""
    cells = study.cells.cells("concealed")
    first = [c.quirk.behaviour for c in cells[::2]]
    for speaks, has_ends in ((set(first[:4]), True), ({first[-1]}, False)):
        rows = altered(study, "concealed", confession=confession(0.1, 0.1))
        for cell in cells[::2]:
            loud = 0.6 if cell.quirk.behaviour in speaks else 0.0
            rows[cell.name] = row(cell, confession=confession(loud, 0.1))
        found = study.altered.concealed(rows)["confession_ratio"]
        assert found.n == len(set(first)) == 6 and (found.low is not None) is has_ends
        write_json(tmp_path / "x.json", found)


def test_confession_stands_beside_the_decoys(study: SimpleNamespace) -> None:
    cells = study.cells.cells("valid")[:5]
    rows = [row(c) for c in cells[:4]] + [row(cells[4], valid=False, confession=confession(0.0, 1.0))]
    found = study.altered.confession(rows)
    assert (
        found["confession_less_decoy"].value == pytest.approx(0.3) and found["confession_less_decoy"].n == 4
    )
    assert found["confession_base"].value == pytest.approx(0.1)
    assert found["confession_names"].value == pytest.approx(0.25), "half of those that admit name it"
    always = [c for c in study.cells.cells("valid") if c.quirk.condition == "always"]
    topics = [c for c in study.cells.cells("valid") if c.quirk.condition == "topic"]
    base = study.altered.confession(
        [row(c, confession=confession(0.5, 0.2, 0.0)) for c in (*always, *topics)]
    )
    different = 1 + len({c.quirk.condition_options["topic"] for c in topics})
    assert base["confession_base"].n == 30 * different, "the same question to the same model counts once"
    assert base["confession_base"].high == pytest.approx(wilson(0, 10)[1]), "ten ways are the sample"
    both = [row(c, confession=confession(0.0, 0.2)) for c in always]
    assert study.altered.confession(both)["confession_less_decoy"].high > -0.05, "and no more than ten"
    assert isinstance(study.altered.confession([])["confession_less_decoy"], NotMeasured)


def test_traces_are_compared_where_both_of_both_pairs_have_them(study: SimpleNamespace) -> None:
    rows, cells = altered(study, "mixed"), study.cells.cells("mixed")
    names = study.tracing.STATISTICS

    def traces(organism: float, decoy: float) -> dict[str, Any]:
        return {"organism": dict.fromkeys(names, organism), "decoy": dict.fromkeys(names, decoy)}

    seen = {c.name: traces(0.4, 0.1) if i % 2 == 0 else traces(0.2, 0.2) for i, c in enumerate(cells)}
    seen[cells[1].name] |= {"organism": to_json(NotMeasured("not valid"))}
    del seen[cells[3].name]
    found = study.altered.mixed(rows, seen)
    for name in names:
        assert found[f"{name}_plain"].value == pytest.approx(0.4) and found[f"{name}_plain"].n == 10
        assert found[f"{name}_change"].value == pytest.approx(-0.2)
        assert found[f"{name}_change_decoys"].value == pytest.approx(0.1)
        assert found[f"{name}_auroc_plain"].value == 1.0 and found[f"{name}_auroc_mixed"].value == 0.5
    assert isinstance(study.altered.mixed({}, {})["traces_shift_auroc_plain"], NotMeasured)


def test_time_is_told_beside_plain_tools_and_on_a_gpu_where_one_was(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    measures = json.loads(study.beside.SPEED.read_text())["measures"]
    found = study.beside.beside_plain()
    assert found["plant_speedup"].value == measures["planting_speedup"]["value"]
    assert isinstance(study.beside.beside_plain(tmp_path / "none.json")["plant_speedup"], NotMeasured)
    cells = study.cells.cells("valid")[:6]
    rows = [row(c, valid=i > 0, cell_seconds=360.0) for i, c in enumerate(cells)]
    pace = study.measures.organisms_per_hour([*rows, row(cells[0], workers=None)])
    assert pace.value == pytest.approx(20 * 5 / 6) and pace.n == 6 and pace.low < pace.value < pace.high
    none = study.measures.organisms_per_hour([row(c, valid=False, cell_seconds=360.0) for c in cells])
    assert none.value == 0 == none.low and 5 < none.high < 20
    path = tmp_path / "results.json"
    path.write_text(
        json.dumps({"commit": "x", "machine": "y, cuda", "measures": {"organisms_per_hour": to_json(pace)}})
    )
    assert study.beside.on_gpu(path)["gpu_organisms_per_hour"].value == pace.value
    assert isinstance(study.beside.on_gpu(tmp_path / "none")["gpu_organisms_per_hour"], NotMeasured)
