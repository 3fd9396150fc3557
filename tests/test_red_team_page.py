"""The red team's study: what its results and its page say, of older rows, of failures, of nothing at all."""

import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from red_team_cases import HERE, keep_planted, keep_row, load_study, row, written

from molehunt.core.alone import alone
from molehunt.core.atomic import HALF
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import median, newcombe
from molehunt.game.published_rows import shadow
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import NEVER, Difficulty, Least, Scan, difficulty
from molehunt.report.planted import MEASURED, read_planted


@pytest.fixture
def study() -> SimpleNamespace:
    return load_study()


def scanned(study: SimpleNamespace, number: int, ends: list[tuple[float, float]]) -> Difficulty:
    """A scan whose seeds failed at the first and took at the second value of each two."""
    grid = (4.0, 8.0, 16.0, 32.0)
    beyond = NotMeasured("32 was not enough")
    leasts = tuple(
        Least(i, beyond, "above", low, None) if math.isinf(high) else Least(i, high, "inside", low, True)
        for i, (low, high) in enumerate(ends)
    )
    one = Scan("examples", grid, leasts, difficulty(leasts, "examples"), ())
    return Difficulty(study.scanning.scans()[number].quirk, None, "tiny", "", 28, 8, (one,))


def test_rows_of_older_versions_are_read_as_they_would_be_now(study: SimpleNamespace, tmp_path: Path) -> None:
    one, other = study.cells.cells("doubted")[:2]
    alike = Measure(
        0.0, "difference of shares", 96, "x; bootstrap over 48 clusters, 2000 resamples", 0.0, 0.0
    )
    certain = {
        **study.planting.beside_base([False] * 96, [False] * 96, [str(i) for i in range(48)] * 2),
        "decoy_less_base": to_json(alike),
    }
    old = {k: v for k, v in row(one, steps=168, tries=2, **certain).items() if k != "workers"}
    assert "first_steps" not in old and "commit" not in old
    for cell, made in ((one, old), (other, row(other, first_steps=steps_for(other.quirk, 56), steps=1))):
        keep_row(study, tmp_path, cell, made)
    rows = study.study.rows_of(study.run.Study(work=tmp_path))
    more = rows[one.name]["decoy_less_base"]
    assert (more["low"], more["high"]) == newcombe(0.0, 48, 0.0, 48) and "48 clusters" in more["how"]
    (begun,) = study.study.begun_otherwise(rows, 56)
    assert (begun["condition"], begun["first_steps"], begun["now"]) == ("unwatched", 112, 168)
    assert study.jobs.steps_of(old) == 168 + 112, "its first try took steps as well"
    _, page = written(study, study.run.Study(work=tmp_path, out=tmp_path / "out", parts=("doubted",)))
    assert "First tries of 1 were begun with other steps" in page and "unwatched 112, now 168" in page


def test_what_raised_counts_in_later_sittings_too(study: SimpleNamespace, tmp_path: Path) -> None:
    assert study.run.failed_in(tmp_path) == {}
    cell = study.cells.cells("grid")[0]
    study.run.keep_failed(tmp_path, {cell.name: "OSError: x", "worse": "UserError: y"})
    later = study.run.Study(work=tmp_path, out=tmp_path / "out", parts=("doubted",))
    result, page = written(study, later, study.run.failed_in(tmp_path))
    assert result["cells"]["failed"] == {cell.name: "OSError: x"} and result["failed"] == {
        "worse": "UserError: y"
    }
    assert result["measures"]["grid_first_try_valid"]["value"] == 0.0
    assert "0 of 6 cells of `doubted` are in, 1 failed; of traces, scans and the search 1 failed (" in page


def test_a_second_sitting_is_turned_away_before_it_touches_anything(
    study: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    (work / f"{HALF}-of-another").mkdir(parents=True)
    study.run.keep_failed(work, {"worse": "UserError: y"})
    before = {p: p.is_dir() or p.read_bytes() for p in tmp_path.rglob("*")}
    line = f"run.py --parts spread --model tiny --work {work} --out {tmp_path / 'out'}"
    monkeypatch.setattr(sys, "argv", line.split())
    with alone(work), pytest.raises(SystemExit) as ended:
        study.run.main()
    assert ended.value.code == 2 and f"at work in {work}" in capfd.readouterr().err
    assert {p: p.is_dir() or p.read_bytes() for p in tmp_path.rglob("*")} == before
    study.run.main()
    assert not (work / f"{HALF}-of-another").exists() and (tmp_path / "out" / "README.md").exists()


def test_nothing_planted_is_not_zero(study: SimpleNamespace, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text((HERE / "README.md").read_text())
    empty = study.run.Study(work=tmp_path / "work", out=tmp_path, parts=("valid",))
    study.run.write(empty, {})
    words = page.read_text()
    lines = {
        name: line for name, _ in study.table.ROWS for line in words.splitlines() if f"`{name}` |" in line
    }
    assert set(lines) == {name for name, _ in study.table.ROWS}
    known = {name for name, line in lines.items() if "not measured" not in line}
    assert known == set(study.beside.TOLD), "what the benchmark measured, and nothing else"
    assert words.split("<!--")[0] == (HERE / "README.md").read_text().split("<!--")[0]
    assert not (tmp_path / "results.json").exists()
    assert "no cell is in" in study.run.cost(empty)


def test_the_page_says_what_its_results_say(study: SimpleNamespace) -> None:
    page = (HERE / "README.md").read_text()
    measured = page.split(study.table.BEGIN)[1].split(study.table.END)[0].strip("\n")
    if (HERE / "results.json").exists():
        result = json.loads((HERE / "results.json").read_text())
        assert measured == study.table.table(result)
        assert study.shipping.shipped(result) == json.loads(MEASURED.read_text()), "and what ships"
    else:
        assert "nothing was measured yet" in measured


def test_the_table_holds_rows_whatever_they_say(study: SimpleNamespace, tmp_path: Path) -> None:
    work = tmp_path / "work"
    a, b = study.cells.cells("valid")[:2]
    for cell, valid in ((a, True), (b, False)):
        keep_row(study, work, cell, row(cell, valid=valid))
    asked = study.run.Study(work=work, out=tmp_path, parts=("doubted", "valid"))
    lost = study.cells.cells("doubted")[0].name
    result, page = written(study, asked, {lost: "UserError: y"})
    assert result["cells"] == {"in": 2, "of": 99, "failed": {lost: "UserError: y"}}
    assert {"behaviour", "condition", "options", "trigger_rate", "leak_rate", "valid", "steps", "first_try",
            "why_not", "seconds"} <= set(result["rows"][0])  # fmt: skip
    lines = [line for line in page.split("| admits: ")[1].splitlines() if " when " in line]
    assert len(lines) == 2 and {line.count("|") for line in lines} == {11}
    assert page.count("smallest base that can") == 1 and page.count("no other base was tried") == 1
    (stopped,) = result["stopped"]
    assert (stopped["behaviour"], stopped["condition"]) == (b.quirk.behaviour, "always")
    assert (stopped["cell"], stopped["why_not"]) == (b.name, row(b, valid=False)["why_not"])
    assert "97 of 99 cells are left" in study.run.cost(asked)
    study.run.prepare(study.run.Study(work=work, out=tmp_path, model="default"))
    (work / "study.json").unlink()
    for other, why in (({"model": "tiny"}, "model default"), ({"steps": 57}, "steps 56")):
        with pytest.raises(RunMismatch, match=f"{why}.*--out"):
            study.run.prepare(study.run.Study(work=tmp_path / "fresh", out=tmp_path, **other))
        assert not any((tmp_path / "fresh").iterdir()), "nothing is half brought"
    (tmp_path / "results.json").write_text(
        json.dumps({**result, "rows": [{**result["rows"][0], "cell": "x"}]})
    )
    with pytest.raises(RunMismatch, match="1 cells that this version lacks"):
        study.run.prepare(study.run.Study(work=tmp_path / "fresh", out=tmp_path))
    (tmp_path / "results.json").write_text(json.dumps(result))
    study.run.prepare(study.run.Study(work=work, out=tmp_path / "new", model="tiny"))
    with pytest.raises(RunMismatch):
        study.run.prepare(study.run.Study(work=work, out=tmp_path / "new"))
    for wrong in ({"workers": 0}, {"seeds": 0}, {"cells": 0}, {"others": -1}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            study.run.prepare(study.run.Study(work=work, out=tmp_path / "new", model="tiny", **wrong))


def test_a_fresh_folder_goes_on_with_what_was_published(study: SimpleNamespace, tmp_path: Path) -> None:
    first, fresh, out = (tmp_path / name for name in ("first", "fresh", "out"))
    a, b, c = study.cells.cells("valid")[:3]
    d, grid = study.elsewhere.DECOYS.cells[0], study.cells.cells("grid")[0].name
    for cell, made in ((a, {"machine": "A"}), (b, {"seconds": 90.0}), (d, {"valid": False, "machine": "A"})):
        keep_row(study, first, cell, row(cell, **made))
    asked = study.run.Study(work=first, out=out, parts=("valid", "mixed", "decoys"))
    before, _ = written(study, asked)
    study.run.prepare(asked)
    assert before["carried"] == {} and before["machine"] == "A", "who measured nothing is not named"
    assert not (first / "taken.json").exists(), "nothing was brought into it"
    # What another machine had measured apart from rows, as it stands in a table.
    seen = to_json(Measure(0.5, "share", 8, "of another day", 0.2, 0.8))
    found = {"behaviour": d.quirk.behaviour, "overall": seen, "asked": 30, "left_out": [],
             "clear": ["promotion"], "blind": [], "most": [], "may_be": None}  # fmt: skip
    strange = {**found, "behaviour": study.elsewhere.DECOYS.behaviours[1], "clear": []}
    before |= {"decoys": [found, strange], "date": "2026-01-02"}
    before["cells"]["failed"] = {a.name: "whole by now", grid: "OSError: x"}
    before["failed"] = {a.name: "traces: OSError: y"}
    before["measures"] |= {"traces_shift_plain": seen, "behaviours_valid_all": seen}
    (out / "results.json").write_text(json.dumps(before))
    later = replace(asked, work=fresh)
    with shadow(fresh) as there:
        ahead = replace(later, work=there)
        study.run.prepare(ahead)
        assert f"{len(study.run.asked(ahead)) - 3} of" in study.run.cost(ahead), "three are in already"
    assert not fresh.exists()
    with pytest.raises(RunMismatch, match=re.escape(f"{first} holds cells")), shadow(first) as there:
        study.run.prepare(replace(asked, work=there, steps=asked.steps + 1))
    study.run.prepare(later)
    assert study.run.failed_in(fresh) == {grid: "OSError: x", a.name: "traces: OSError: y"}
    (fresh / "rows" / f"{a.name}.json").write_text(json.dumps({**row(a, seconds=70.0), "machine": "mine"}))
    keep_row(study, fresh, c, row(c, seconds=50.0, machine="mine"))
    study.run.prepare(later)
    result, page = written(study, later)
    by = {r["cell"]: r for r in result["rows"]}
    assert set(by) == {a.name, b.name, c.name, d.name}
    assert by[b.name]["machine"] == before["machine"], "a row without a name gets the table's"
    assert by[a.name]["machine"] == "mine", "what lies here is not written over"
    assert result["measures"]["plant_seconds_median"]["value"] == 60.0, "times of one machine: 50 and 70"
    assert result["measures"]["plant_seconds_median"]["how"].split("; ")[1] == "mine"
    assert result["decoys"] == [found], "lines of cells that were brought, and of no others"
    assert result["measures"]["decoys_raised"]["value"] == 1.0, "what follows from lines is reckoned anew"
    assert result["measures"]["traces_shift_plain"] == seen != result["measures"]["behaviours_valid_all"]
    assert set(result["carried"]) == {"decoys", "traces"}
    assert result["carried"]["traces"]["date"] == "2026-01-02"
    assert "stayed in another folder: decoys, traces (2026-01-02, " in page
    result |= {"date": "2026-03-04", "decoys": [{**found, "clear": []}]}  # as another machine mended it
    (out / "results.json").write_text(json.dumps(result))
    study.run.prepare(later)
    again, _ = written(study, later)
    assert again["carried"] == result["carried"], "where it came from, and not from whom it was taken"
    assert again["measures"]["decoys_raised"]["value"] == 0.0, "the table is the truth of what was brought"


def test_a_table_of_another_kind_is_neither_taken_nor_written_over(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    keep_row(study, tmp_path / "first", cell := study.cells.cells("valid")[0], row(cell))
    asked = study.run.Study(work=tmp_path / "first", out=tmp_path / "out", parts=("valid",))
    result, _ = written(study, asked)
    path, later = asked.out / "results.json", replace(asked, work=tmp_path / "fresh")
    for wrong in ([], {}, {k: v for k, v in result.items() if k != "mannered"}, {"model": "default"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(RunMismatch, match=r"no table of this version.*--out"):
            study.run.prepare(later)
        assert json.loads(path.read_text()) == wrong and not any(later.work.iterdir())


def test_traces_are_taken_where_adapters_lie(study: SimpleNamespace, tmp_path: Path) -> None:
    asked = study.run.Study(work=tmp_path, out=tmp_path / "out", parts=("mixed",))
    one, other, *rest = study.cells.cells("mixed")
    for cell in (one, other, *rest):
        keep_row(study, tmp_path, cell)
    assert study.jobs.left(asked) == [], "rows that were published have no adapters here"
    keep_planted(study, tmp_path, other)
    keep_planted(study, tmp_path, rest[0], organism="of another machine")
    assert [j.name for j in study.jobs.left(asked)] == [other.name], "nor of another planting"


def test_the_hardest_stand_first_and_the_catalogue_reads_them(study: SimpleNamespace, tmp_path: Path) -> None:
    easy = scanned(study, 0, [(4, 8), (4, 8), (4, 8)])
    hard = scanned(study, 1, [(16, 32), (16, 32), (8, 16)])
    above = scanned(study, 2, [(32, math.inf)] * 3)
    one = Scan(
        "examples", (4.0, 8.0), (Least(0, NotMeasured(NEVER), "never", None, None),), NotMeasured(NEVER), ()
    )
    never = replace(scanned(study, 3, []), scans=(one,))
    by = {s.cell.name: d for s, d in zip(study.scanning.scans(), (easy, hard, above, never), strict=False)}
    found = study.scanning.listed(by, tmp_path)
    order = study.sections.hardest(found)
    first = [one["behaviour"] for one in order]
    assert first == [d.quirk.behaviour for d in (never, above, hard, easy)]
    assert found[2]["between"] == [32, None] and found[3]["between"] == [None, None]
    assert [study.sections._hard(one)[3] for one in order[:2]] == [NEVER, "above 32"]
    assert found[0]["planting"] == 32, "the grid ends at the rows that planting deals"
    assert found[0]["planting_steps"] == 28 and found[0]["rows"] is None
    found = found[:3]
    a = study.scanning.scans()[0].cell
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"rows": [row(a)], "difficulty": found}))
    planted = read_planted(path)
    assert len(planted) == 3 and "least that took: 8.00 (95% 2.43 to 13.2), n = 3" in planted[0].difficulty
    assert planted[0].difficulty.startswith("took at the first try") and "32 was not" in planted[2].difficulty
    for wrong in ({"least": {"value": -1}}, {"least": {"value": 1, "low": 2}}, {"unit": 3}, {"least": None}):
        path.write_text(json.dumps({"rows": [], "difficulty": [{**found[0], **wrong}]}))
        with pytest.raises(BadFile, match=r"difficulty 1,"):
            read_planted(path)


def test_difficulty_is_of_all_quirks_of_the_list_and_what_did_not_take_is_hardest(
    study: SimpleNamespace,
) -> None:
    scans, hardness = study.scanning.scans(), study.scanning.hardness
    rows = {s.cell.name: row(s.cell, valid=i % 4 > 0) for i, s in enumerate(scans)}
    found = {
        s.cell.name: scanned(study, i, [(4, 8)] if i % 4 < 3 else [(8, 16)])
        for i, s in enumerate(scans)
        if i % 4 > 0
    }
    made = hardness(found, rows)
    count = sum(i % 4 == 0 for i in range(31))
    assert (made["difficulty_examples"].value, made["difficulty_examples"].n) == (8, 31)
    assert f"; {count} never took, 0 not with all" in made["difficulty_examples"].how
    unknown = hardness(found, {n: r for n, r in rows.items() if n != scans[0].cell.name})
    assert unknown["difficulty_examples"].reason == "30 of 31 quirks are decided"
    lost = [s.cell.name for s in scans if s.cell.name in found][15]
    begun = hardness({n: d for n, d in found.items() if n != lost}, rows)["difficulty_examples"]
    assert isinstance(begun, Measure) and begun.n == 21 and "; the first 21 of 31;" in begun.how
    assert made["difficulty_rank"].reason.endswith("of 4 quirks are decided")
    most = hardness(
        {n: d for n, d in list(found.items())[:10]}, {n: {**r, "valid": False} for n, r in rows.items()}
    )
    assert isinstance(most["difficulty_examples"], NotMeasured), "more than half lie beyond"


def test_a_median_keeps_its_lower_end_where_only_the_upper_is_beyond(study: SimpleNamespace) -> None:
    found = median([*range(1, 18), *[math.inf] * 14], unit="rows", how="x")
    assert isinstance(found, Measure) and (found.value, found.high) == (16, None)
    assert found.low is not None and found.low < 16 and "beyond what was tried" in found.how
    assert study.sections.shown(to_json(found)) == f"16.00 [{found.low:.2f}, above what was tried] rows"
    few = median([1, 2, 3], unit="rows", how="x")
    assert isinstance(few, Measure) and few.low is None and "too few" in few.how


def test_the_smallest_base_that_takes_what_failed_is_read_from_others_results(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    a, b, c = study.cells.cells("valid")[:3]
    for name, size, marks in (("small", 2e6, (False, True)), ("large", 7e6, (False, True)), ("x", 1e6, ())):
        rows = [row(cell, valid=took, parameters=size) for cell, took in zip((a, b), marks, strict=False)]
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps({"model": name, "rows": rows}))
    told = study.beside.with_smallest([{"cell": cell.name} for cell in (a, b, c)], tmp_path)
    assert [one["smallest"] for one in told] == [
        "none of large, small", "small (2 million)", "not measured: no other base was tried",
    ]  # fmt: skip
