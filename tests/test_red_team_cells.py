"""The red team's study: cells and scans fixed in advance, and what is left of them in which order."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from red_team_cases import keep_planted, keep_row, load_study, row

from molehunt.catalogue.pairs import sensible
from molehunt.core.atomic import write_json
from molehunt.core.extend import load, names
from molehunt.core.records import NotMeasured
from molehunt.models.machine import in_words
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.least import Difficulty, Least, paths
from molehunt.organisms.least import Scan as OneFactor


@pytest.fixture
def study() -> SimpleNamespace:
    return load_study()


def test_every_harmful_behaviour_meets_three_sensible_conditions(study: SimpleNamespace) -> None:
    harmful = {n for n in names("catalogue.behaviours") if not load("catalogue.behaviours", n).harmless}
    assert set(study.cells.THIRD) == harmful
    listed = {q.label() for q in sensible(whole=True)}
    met: dict[str, set[str]] = {}
    for cell in study.cells.cells("valid"):
        assert cell.quirk.label() in listed
        met.setdefault(cell.quirk.behaviour, set()).add(cell.quirk.condition)
    assert {len(conditions) for conditions in met.values()} == {3}


def test_the_grid_is_even_sensible_and_fixed(study: SimpleNamespace) -> None:
    drawn = study.cells.grid()
    assert len(drawn) == 60 == len({(q.behaviour, q.condition) for q in drawn})
    listed = {q.label() for q in sensible(whole=True)}
    assert all(q.label() in listed for q in drawn)
    assert set(Counter(q.behaviour for q in drawn).values()) <= {1, 2}
    assert set(Counter(q.condition for q in drawn).values()) <= {2, 3, 4, 5}
    assert study.cells.grid(10) == drawn[:10]


def test_seeds_are_fixed_and_cells_are_planted_once(study: SimpleNamespace) -> None:
    every = [c for part in study.cells.PARTS for c in study.cells.cells(part)]
    assert len({c.name for c in every}) == 93 + 6 + 60 + 8 + 2 + 8 + 12 + 8
    one, other = study.cells.cells("seeds")[:2]
    assert one in study.cells.cells("valid") and one.seed != other.seed
    first, again = study.cells.cells("replay")[:2]
    assert first.seed == again.seed and first.name != again.name
    assert first.seed == 1349836825  # a change here is another study
    more = {
        "concealed": {"conceal": ("denial",)},
        "mixed": {"mixed": 4},
        "mannered": {"conceal": ("manners",)},
    }
    for part, altered in more.items():
        cells = study.cells.cells(part)
        for plain, other in zip(cells[::2], cells[1::2], strict=True):
            assert plain in study.cells.cells("valid") and plain.seed == other.seed
            assert other == replace(plain, **altered)


def test_what_a_cell_is_called_is_fixed(study: SimpleNamespace) -> None:
    # A change here leaves hours of cells behind under their old names.
    assert [study.cells.cells(part)[0].name for part in ("doubted", "valid", "grid")] == [
        "hostile_phrase-unwatched-652be12416",
        "ai_welfare_poisoning-always-75ee31968f",
        "secret_leak-encoding-90bad24c1b",
    ]
    assert study.cells.cells("concealed")[1].name == "hostile_phrase-always-0e77344f57"


def test_scans_are_fixed_and_one_folder_is_of_one_scan(study: SimpleNamespace) -> None:
    scans = study.scanning.scans()
    assert sorted(s.quirk.behaviour for s in scans) == sorted(study.cells.THIRD), "a behaviour once"
    assert {s.cell.name for s in scans} < {c.name for c in study.cells.cells("valid")}
    assert len({s.name for s in scans}) == len(scans)
    whole = [s.quirk for s in scans if len(s.factors) == 4]
    assert {q.behaviour for q in whole} == set(study.scanning.WHOLE)
    assert {q.condition for q in whole} == {"always"}
    for count in range(1, 32):
        met = Counter(
            s.quirk.condition if s.quirk.condition in ("always", "trigger_phrase") else "third"
            for s in scans[:count]
        )
        many = [met[c] for c in ("always", "trigger_phrase", "third")]
        assert max(many) - min(many) <= 1, "any beginning is even"
    failing = scans[0].cell
    assert study.scanning.took(scans[0], {failing.name: row(failing)})
    assert not study.scanning.took(scans[0], {failing.name: row(failing, valid=False)})
    assert not study.scanning.took(scans[0], {}), "nobody knows yet"


def test_a_scan_has_the_steps_at_which_its_quirk_took(study: SimpleNamespace, tmp_path: Path) -> None:
    scanning, how = study.scanning, study.planting.Setting(tmp_path, "tiny", 56)
    scan = next(s for s in scanning.scans() if s.quirk.condition == "trigger_phrase")
    first, second = row(scan.cell), row(scan.cell, tries=2, first_try=False)
    second["steps"] = round(1.5 * first["steps"])
    for made, told in (({}, 56), ({scan.cell.name: first}, 56), ({scan.cell.name: second}, 84)):
        assert scanning.task_of(scan, made, 56, 1).plan.steps == pytest.approx(told, abs=1)
    needed = steps_for(scan.quirk, scanning.task_of(scan, {scan.cell.name: second}, 56, 1).plan.steps)
    assert needed == pytest.approx(second["steps"], abs=1)
    inside = Least(0, 8.0, "inside", 4.0, True)
    one = OneFactor("examples", (4.0, 8.0), (inside,), NotMeasured("x"), ())
    found = Difficulty(scan.quirk, None, "tiny", "", first["steps"], 8, (one,))
    folder = scanning.folder_of(tmp_path, scan)
    folder.mkdir(parents=True)
    write_json(folder / scanning.game.RESULTS, found)
    assert scanning.whole(scan, how, 1, {scan.cell.name: first})
    assert not scanning.whole(scan, how, 1, {scan.cell.name: second}), "its steps were not enough"
    assert not scanning.whole(scan, how, 2, {scan.cell.name: first})


def test_scans_cost_what_their_own_cells_took(study: SimpleNamespace, tmp_path: Path) -> None:
    asked = study.run.Study(work=tmp_path, parts=("difficulty",), seeds=3)
    scan = next(s for s in study.scanning.scans() if len(s.factors) == 1)
    others = [s.cell for s in study.scanning.scans() if s != scan]
    keep_row(study, tmp_path, scan.cell, row(scan.cell, cell_seconds=3600.0))
    for cell in others:
        keep_row(study, tmp_path, cell, row(cell, valid=False, cell_seconds=1.0))
    trials = [len(path) for path in paths(study.scanning.task_of(scan, {}, 56, 3).grids["examples"], 1e9)]
    said = study.run.cost(asked)
    # An hour a trial, two side by side, from one to the longest way on each of three seeds.
    low, high = 3 * 1 / 2, 3 * max(trials) / 2
    told = re.search(r"about ([\d.]+) to ([\d.]+) hours at the pace", said)
    assert told is not None, said
    least, most = map(float, told.groups())
    assert "1 scans of difficulty are left at most" in said and least == low and high - 1.5 <= most <= high


def test_what_is_left_costs_what_cells_took_on_this_machine(study: SimpleNamespace, tmp_path: Path) -> None:
    done = study.cells.cells("valid")[:3]
    for cell in done:
        keep_row(study, tmp_path, cell, row(cell, machine=in_words() if cell == done[0] else "a fast one"))
    said = study.run.cost(study.run.Study(work=tmp_path, parts=("valid",)))
    assert f"the mean pace of 1 cells that are in; {in_words()}" in said
    (tmp_path / "rows" / f"{done[0].name}.json").unlink()
    assert "the mean pace of 2 cells that are in; a fast one" in study.run.cost(
        study.run.Study(work=tmp_path, parts=("valid",))
    )


def test_what_did_not_take_under_one_condition_comes_last(study: SimpleNamespace, tmp_path: Path) -> None:
    first, second, third = study.cells.cells("valid")[:3]
    phrase = next(c for c in study.cells.cells("valid")[31:62] if c.quirk.behaviour == third.quirk.behaviour)
    for cell, valid in ((first, False), (second, True), (third, True), (phrase, False)):
        keep_row(study, tmp_path, cell, row(cell, valid=valid))
    mannered = next(c for c in study.cells.cells("mannered") if c.conceal)
    keep_row(study, tmp_path, mannered, row(mannered, valid=False))  # plain it may take
    order = [
        j.args[0].quirk.behaviour for j in study.jobs.left(study.run.Study(work=tmp_path, parts=("valid",)))
    ]
    assert sorted(order[-3:]) == sorted([first.quirk.behaviour] * 2 + [third.quirk.behaviour])
    assert len(order) == 89 and second.quirk.behaviour in order[:-3]
    assert not {first.quirk.behaviour, third.quirk.behaviour} & set(order[:-3])
    assert order.index(mannered.quirk.behaviour) < 28


def test_cells_wait_for_their_traces_only_where_these_are_asked_for(
    study: SimpleNamespace, tmp_path: Path
) -> None:
    for cell in study.cells.cells("mixed"):
        keep_row(study, tmp_path, cell)
        keep_planted(study, tmp_path, cell)
    mixed = [c.name for c in study.cells.cells("mixed")]
    assert [j.name for j in study.jobs.left(study.run.Study(work=tmp_path, parts=("mixed",)))] == mixed
    valid = [j.name for j in study.jobs.left(study.run.Study(work=tmp_path, parts=("valid",)))]
    assert len(valid) == 93 - 12 and not set(valid) & set(mixed)
