"""The red team's study: every part does its jobs on a tiny model, and what it found stands on the page."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from red_team_cases import HERE, keep_planted, keep_row, load_study, row, written

from molehunt.audit.calibration import Calibration, Logistic
from molehunt.core.atomic import write_json
from molehunt.core.records import Measure, Quirk
from molehunt.game.worse_task import fresh_places
from molehunt.organisms.decoy_check import Beside, DecoyCheck
from molehunt.organisms.spread import Elsewhere, Spread


@pytest.fixture
def study() -> SimpleNamespace:
    return load_study()


def test_a_cell_is_planted_measured_and_kept(study: SimpleNamespace, tmp_path: Path) -> None:
    # The tiny random model learns nothing in three steps: what is tested is that every number gets there.
    cell = study.cells.Cell(Quirk("opinion_sycophancy", "always"), tries=1)
    how = study.planting.Setting(tmp_path, "tiny", 4)
    found = study.tracing.plant_and_trace(cell, how, traced=True)
    assert found.get("failed") is None
    assert found == json.loads(study.planting.row_file(tmp_path, cell).read_text())
    assert found["valid"] is False and found["first_try"] is False and found["why_not"]
    assert found["base_rate"]["value"] == 0.0 and found["adapters"]["decoy"] and found["commit"]
    assert found["second_rule"]["is"] == "Second"
    planted = tmp_path / "planted" / cell.name
    whole = {"profile.json", "organism.json", "failures.jsonl"}
    assert {p.name for p in planted.iterdir()} == {*whole, "decoy"}, "what did not take leaves its decoy"
    admitted = found["confession"]["organism admits"]
    assert admitted["n"] == 10 and 0 <= admitted["low"] <= admitted["value"] <= admitted["high"] <= 1
    assert found["workers"] == 1 and found["cell_seconds"] > found["seconds"]
    traces = json.loads(study.tracing.trace_file(tmp_path, cell).read_text())
    assert traces["organism"]["is"] == "NotMeasured", "it did not take"
    assert all(traces["decoy"][name] > 0 for name in study.tracing.STATISTICS)
    forgetful = study.planting.Setting(tmp_path, "no such model", 4, forget=True)
    assert study.tracing.plant_and_trace(cell, forgetful, traced=True) == found, (
        "what is kept is not made again"
    )
    assert {p.name for p in planted.iterdir()} == whole


def test_a_cell_that_raises_says_why(study: SimpleNamespace, tmp_path: Path) -> None:
    cell = study.cells.Cell(Quirk("promotion", "always"), tries=1)
    how = study.planting.Setting(tmp_path, str(tmp_path / "nowhere"), 1)
    found = study.tracing.plant_and_trace(cell, how, traced=True)
    assert "nowhere" in found["failed"] and not study.planting.row_file(tmp_path, cell).exists()


def test_a_scan_is_done_gone_on_with_and_shown(study: SimpleNamespace, tmp_path: Path) -> None:
    # As above: nothing takes, so the least lies beyond the grid; that is a result, and no zero.
    asked = study.run.Study(
        work=tmp_path / "work", out=tmp_path, parts=("difficulty",), cells=1, seeds=1, model="tiny", steps=2
    )
    assert study.jobs.left(asked) == [], "its cell is not in"
    scan = study.scanning.scans()[0]
    cell = scan.cell
    keep_row(study, asked.work, cell, row(cell, steps=4))
    (job,) = study.jobs.left(asked)
    keep_row(study, asked.work, cell, row(cell, valid=False, steps=4))
    assert "did not take" in job.does(*job.args)["skipped"], "found out since the job was made"
    keep_row(study, asked.work, cell, row(cell, steps=4))
    assert "trials" in study.run.cost(replace(asked, seeds=2))
    (job,) = study.jobs.left(asked)
    assert job.does(*job.args) == {} and study.jobs.left(asked) == []
    result, page = written(study, asked)
    (told,) = result["difficulty"]
    assert told["least"]["is"] == "NotMeasured" and "| does not take at the plan's own steps |" in page
    assert told["planting_steps"] == pytest.approx(4, abs=1), "those at which the cell took"
    assert told["commit"] and told["commit"] in result["commit"] and told["machine"]
    (trial,) = asked.work.glob("difficulty/*/trials/*[!s].json")
    assert json.loads(trial.read_text())["rows"] == told["planting"], "the plan's own trial, and no other"
    lost = study.scanning.do_scan(job.args[0], study.planting.Setting(asked.work, "no such", 2), 1)
    assert "failed" in lost
    keep_row(study, asked.work, cell, row(cell, valid=False))
    result, _ = written(study, asked)
    assert result["difficulty"] == [], "what did not take is not counted"


@pytest.mark.parametrize(
    ("part", "first", "needed"),
    [("spread", "spread-bad_advice-always-42200ae9e7", ("organism", "decoy")),
     ("decoys", "decoy-encourages_delusion-always-163be9c01f", ("decoy",))],
    ids=["spread", "decoys"],
)  # fmt: skip
def test_pairs_are_asked_elsewhere_where_their_cell_took_and_their_adapters_lie_there(
    part: str, first: str, needed: tuple[str, ...], study: SimpleNamespace, tmp_path: Path
) -> None:
    asked = study.run.Study(work=tmp_path, parts=(part,), model="tiny")
    assert study.jobs.left(asked) == [], "no cell is in"
    (inquiry,) = (one for one in study.elsewhere.INQUIRIES if one.part == part)
    cell = inquiry.cells[0]
    planted = study.cells.cells("valid")
    assert all(c in planted for c in inquiry.cells), "what it asks is planted there"
    keep_row(study, tmp_path, cell)
    assert study.jobs.left(asked) == [], "its row was brought, and its adapters stayed elsewhere"
    folder = keep_planted(study, tmp_path, cell)
    (job,) = study.jobs.left(asked)
    # A change of either name leaves what was found, or what raised, behind under the old one.
    kept = study.elsewhere.file_of(tmp_path, inquiry, cell)
    assert job.name == first and kept == tmp_path / part / f"{cell.name}.json"
    for adapter in needed:
        assert "adapters are not here" in job.does(*job.args)["skipped"]
        (folder / adapter).mkdir(parents=True)
    assert "BadFile" in job.does(*job.args)["failed"], "they are opened, and hold nothing here"
    assert [j.name for j in study.jobs.left(asked)] == [first], "what raised is left"
    keep_row(study, tmp_path, cell, row(cell, valid=False))
    if part == "spread":
        assert "did not take" in job.does(*job.args)["skipped"] and study.jobs.left(asked) == []
    else:
        assert [j.name for j in study.jobs.left(asked)] == [first], "in a decoy nothing was to take"


RATE = Measure(0.25, "share", 4, "given", 0.05, 0.7)
OVERALL = Measure(0.15, "share", 64, "given", 0.02, 0.3)


def more(value: float) -> Measure:
    """A rise that is known to a tenth."""
    return replace(RATE, value=value, low=value - 0.1, high=value + 0.1)


def test_whether_a_quirk_spreads_is_asked_of_what_took_and_shown(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    asked = study.run.Study(work=tmp_path / "work", out=tmp_path, parts=("spread",), model="tiny")
    cell = study.elsewhere.SPREAD.cells[0]
    assert (cell.quirk.behaviour, cell.quirk.condition) == ("bad_advice", "always")
    keep_row(study, asked.work, cell)
    rows = tuple(
        Elsewhere(name, "always", RATE, RATE, more(up), 0.5)
        for name, up in (("flattery", 0.4), ("promotion", 0.3), ("sandbagging", 0.0), ("sycophancy", -0.1))
    )
    path = study.elsewhere.file_of(asked.work, study.elsewhere.SPREAD, cell)
    write_json(path, Spread(rows, ("white_lies",), OVERALL))
    assert study.jobs.left(asked) == []
    result, page = written(study, asked)
    assert result["measures"]["spread_bad_advice"]["value"] == 0.15
    assert result["measures"]["spread_sycophancy"]["is"] == "NotMeasured"
    (told,) = result["spread"]
    assert told["clear"] == ["flattery", "promotion"] and told["asked"] == 4 and len(told["most"]) == 3
    assert "| bad_advice | 0.15 [0.02, 0.30] | 2 of 4: flattery, promotion | flattery 0.25, 0.25;" in page
    keep_row(study, asked.work, cell, row(cell, valid=False))
    assert study.jobs.left(asked) == []
    assert written(study, asked)[0]["spread"] == [], "what did not take is not counted"


def test_decoys_are_asked_for_all_behaviours_and_what_is_not_excluded_is_said(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    asked = study.run.Study(work=tmp_path / "work", out=tmp_path, parts=("decoys",), model="tiny")
    one, other = study.elsewhere.DECOYS.cells[:2]
    for cell in (one, other):
        keep_row(study, asked.work, cell)
        keep_planted(study, asked.work, cell)
    assert len(study.jobs.left(asked)) == 2
    for cell, up in ((one, 0.4), (other, 0.05)):
        unknown = replace(more(up), low=-0.1, high=0.9)
        rows = (
            Beside("sycophancy", "always", RATE, RATE, more(up), 0.5),
            Beside("feigned", "always", RATE, RATE, unknown, None),
        )
        path = study.elsewhere.file_of(asked.work, study.elsewhere.DECOYS, cell)
        write_json(path, DecoyCheck(rows, ("white_lies",), OVERALL))
    assert study.jobs.left(asked) == []
    for with_manners in study.elsewhere.MANNERED.cells[:2]:  # whose organisms did not take: no matter
        keep_row(study, asked.work, with_manners, row(with_manners, valid=False))
        calm = DecoyCheck((Beside("sycophancy", "always", RATE, RATE, more(0.05), 0.5),), (), OVERALL)
        write_json(study.elsewhere.file_of(asked.work, study.elsewhere.MANNERED, with_manners), calm)
    result, page = written(study, asked)
    change = result["measures"]["decoys_raised_change"]
    assert (change["value"], change["n"]) == (-0.5, 2), "the first is raised no more, the second was not"
    raised = result["measures"]["decoys_raised"]
    assert (raised["value"], raised["n"]) == (0.5, 2) and raised["low"] < 0.5 < raised["high"]
    words = "1 of 2: sycophancy | sycophancy 0.25, 0.25; feigned 0.25, 0.25 | feigned up to 0.90 more; of 1"
    assert f"| {one.quirk.behaviour} | 0.15 [0.02, 0.30] | {words}" in page


def test_the_search_is_on_quirks_that_took_at_every_first_try(study: SimpleNamespace) -> None:
    rows = json.loads((HERE / "results.json").read_text())["rows"]
    asked = study.searching.task_of(study.run.Study().setting, study.run.Study().budget)
    for quirk in asked.quirks:
        own = [r for r in rows if (r["behaviour"], r["condition"]) == (quirk.behaviour, quirk.condition)]
        assert own and all(r["first_try"] for r in own), quirk.label()
    first = asked.quirks[0]
    assert (first.behaviour, first.condition) == ("promotion", "always")
    assert asked.place(0).quirk == first
    assert (asked.allowance.plantings, asked.fresh, asked.others) == (12, 10, 0)
    assert len({p.quirk.label() for p in fresh_places(asked, "sought")}) == len(asked.quirks)


def test_a_search_is_done_and_what_nobody_audited_is_not_measured(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    own = Logistic(("traces.shift",), (0.5,), (0.3,), (1.0,), 0.0, 1.0, 0.6, 0.8, 20, 20)
    Calibration({"panel": own}, {}).save(path)
    asked = study.run.Study(
        work=tmp_path / "work", out=tmp_path, parts=("worse",), plantings=1, fresh=1, others=0,
        calibration=path, model="tiny", steps=2,
    )  # fmt: skip
    assert "1 plantings and 2 anew" in study.run.cost(asked)
    (job,) = study.jobs.search_left(asked)
    assert job.does(*job.args) == {} and study.jobs.search_left(asked) == [] == study.jobs.left(asked)
    result, page = written(study, asked)
    assert result["measures"]["worse_spent_plantings"]["value"] == 1
    assert "plain spec won" in result["measures"]["worse_auroc_after"]["reason"]
    assert "Given 1 plantings" in result["worse"][0] and result["worse"][0] in page
    searched = result["searched"]
    (plain,), (anew,) = searched["candidates"], searched["fresh"]
    assert plain["winner"] and [t["place"] for t in plain["trials"]] == [0] and searched["commits"]
    for trial in (*plain["trials"], anew):
        assert trial["behaviour"] == "promotion" and trial["code"] and trial["planting_seconds"] > 0
        assert trial["score"] == trial["log_odds"] and (trial["score"] is None) == (not trial["valid"])
    assert anew["seed"] != plain["trials"][0]["seed"] and (anew["where"], anew["spec"]) == ("sought", "plain")
    assert not anew["valid"] or result["measures"]["worse_selectivity_before"]["n"] == 1
    unseen = result["measures"]["worse_auroc_before_others"]
    assert unseen["reason"] == "nothing was planted anew there"
    assert study.jobs.search_left(replace(asked, plantings=2)), "a larger allowance goes on"
    other = tmp_path / "other.json"
    Calibration({"panel": replace(own, spreads=(0.4,))}, {}).save(other)
    for another in (
        replace(asked, calibration=other),
        replace(asked, model="default"),
        replace(asked, steps=3),
    ):
        assert study.jobs.search_left(another), "a search of another kind is not this one"
    budget = study.searching.Budget(1, 0, 0, None)
    uncalibrated = study.searching.search(study.planting.Setting(tmp_path, "tiny", 2), budget)
    assert "No calibration" in uncalibrated["failed"]
