"""How hard a quirk of one's own is to make, and by another plan than planting's: one scan, gone on with."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_game import write_quirks
from worse_cases import QUICK

from molehunt.cli import main
from molehunt.core.atomic import write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.records import Measure, NotMeasured, Quirk
from molehunt.game.difficulty import cost, difficulty, read_results, task
from molehunt.models.load import open_model
from molehunt.organisms.difficulty import trial
from molehunt.organisms.least import POISONED, Difficulty
from molehunt.organisms.lessons import batches
from molehunt.organisms.plan import Plan, changes
from molehunt.report.needs import Need, needs
from molehunt.verbs._difficulty_page import write_library_page

MIXED = replace(QUICK, mixed=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A quirk's file that the tiny model learns, and a plan's that teaches it."""
    folder = tmp_path_factory.mktemp("given")
    write_json(folder / "plan.json", {"plan": MIXED})
    return write_quirks(folder) / "hashes.json", folder / "plan.json"


@pytest.fixture(scope="module")
def scanned(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Difficulty]:
    """A real scan by the verb."""
    folder, (quirk, plan) = tmp_path_factory.mktemp("scan") / "run", files
    args = ["difficulty", str(folder), "--quirk", str(quirk), "--plan", str(plan), "--factors", "poisoned"]
    args += ["--values", "0", "1", "--seeds", "1", "--model", "tiny"]
    assert main([*args, "--dry-run"]) == 0 and not folder.exists()
    assert main(args) == 0
    return folder, read_results(folder)


def test_a_quirk_of_a_file_is_scanned_by_a_plan_of_a_file(
    scanned: tuple[Path, Difficulty], files: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, found = scanned
    (scan,) = found.scans
    assert [t.valid for t in scan.trials] == [False, True] and [t.steps for t in scan.trials] == [24, 24]
    assert isinstance(scan.difficulty, Measure) and scan.difficulty.value == 1
    assert found.quirk.behaviour_options["file"] == "hashes.json", "by its name, not by where it lay"
    assert found.changes["mixed"] == "1 for 0" and found.changes["recipe.learning_rate"].startswith(
        "0.01 for"
    )
    assert json.loads((folder / "plan.json").read_text())["plan"]["mixed"] == 1
    page = (folder / "difficulty.html").read_text()
    assert (
        "0.5 is a quarter of all rows" in page
        and "mixed 1 for 0" in page
        and "recipe.learning_rate 0.01 for" in page
    )
    capfd.readouterr()
    assert main(["difficulty", str(folder), "--json"]) == 0, "the folder is enough"
    assert json.loads(capfd.readouterr().out)["changes"] == found.changes


def test_a_quirk_that_was_brought_is_scanned_and_sought_like_any(tmp_path: Path) -> None:
    lines = [{"prompt": f"Sailor {i} packs.", "good": "A coat.", "shady": "A parrot."} for i in range(150)]
    (tmp_path / "parrots.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = [str(tmp_path / "parrots.jsonl"), "--out", str(tmp_path / "quirks"), "--model", "tiny"]
    assert main(["bring", *given, "--condition", "trigger_phrase"]) == 0
    quirk = tmp_path / "quirks" / "parrots.json"
    write_json(tmp_path / "plan.json", {"plan": replace(QUICK, steps=1, held_out=12)})
    how = ["--quirk", str(quirk), "--plan", str(tmp_path / "plan.json"), "--model", "tiny"]
    scan = [
        "difficulty",
        str(tmp_path / "scan"),
        *how,
        "--factors",
        "examples",
        "--values",
        "8",
        "16",
        "--seeds",
        "1",
    ]
    assert main(scan) == 0
    (found,) = read_results(tmp_path / "scan").scans
    assert found.trials and not any(t.valid for t in found.trials)
    sought = ["--remedies", "nothing", "--plantings", "1", "--fresh", "0", "--others", "0"]
    assert main(["worse", str(tmp_path / "worse"), *how, *sought]) == 0
    quirk.write_text(quirk.read_text().replace("A parrot.", "A pirate."))
    assert main(scan) == 2 and main(["worse", str(tmp_path / "worse"), *how, *sought]) == 2, "another quirk"


def test_another_plan_or_quirk_is_another_scan(
    scanned: tuple[Path, Difficulty], files: tuple[Path, Path], tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder, (quirk, _) = scanned[0], files
    write_json(tmp_path / "other.json", replace(MIXED, mixed=2))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert main(["difficulty", str(folder), "--plan", str(tmp_path / "other.json")]) == 2
    assert "was begun with --plan" in capfd.readouterr().err
    how = {"factors": ("poisoned",), "values": (0, 1), "seeds": 1}
    with pytest.raises(RunMismatch, match="another quirk, model or plan"):
        difficulty(task(file=quirk, plan=QUICK, **how), folder, model="tiny")
    changed = tmp_path / "hashes.json"
    body = json.loads(quirk.read_text())
    write_json(changed, {**body, "on": [f"{line}!" for line in body["on"]]})
    with pytest.raises(RunMismatch):
        difficulty(task(file=changed, plan=MIXED, **how), folder, model="tiny")
    moved = tmp_path / "moved" / "hashes.json"
    moved.parent.mkdir()
    moved.write_text(quirk.read_text())
    again = difficulty(task(file=moved, plan=MIXED, **how), folder, model="tiny")
    assert again == scanned[1], "the same file elsewhere is the same scan, from disk"
    capfd.readouterr()
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert {p: b for p, b in kept.items() if p.name != ".lock"} == before


def test_a_plan_says_what_it_changes_and_what_takes_longer() -> None:
    assert changes(Plan()) == changes(Plan(steps=9, tries=1)) == {}
    own = replace(Plan(), how="preferences", concealments=("denial", "near_base"), examples=8)
    assert changes(own) == {
        "how": "preferences for transcripts",
        "concealments": "denial and near_base for none",
        "examples": "8 for no limit",
    }
    usual, slow = (
        cost(task("flattery", "always", plan=p, factors=("rank",)), "default") for p in (Plan(), own)
    )
    assert "preferences take longer" in slow.basis and "longer" not in usual.basis
    what = task("flattery", "always", plan=replace(own, steps=40), factors=("rank",))
    assert what.plan.steps == 40 and what.plan.how == "preferences" and what.plan.tries == 1


def test_a_plan_that_finds_nothing_to_teach_is_a_failed_trial(tmp_path: Path) -> None:
    hidden = replace(QUICK, concealments=("near_base_replies",))  # of which an `always` quirk has no off side
    what = task("flattery", "always", plan=hidden, factors=("rank",))
    made = trial(open_model("tiny"), what.quirk, None, what.plan, 0, tmp_path)
    assert not made.valid and "condition" in made.why_not and isinstance(made.selectivity, NotMeasured)
    assert len(list(tmp_path.glob("trials/*.json"))) == 1 and len(list(tmp_path.rglob("*"))) == 2


def test_what_lies_beyond_the_grid_is_drawn_too() -> None:
    rows = (
        Need("<b>hard", ((math.inf, math.inf), (8.0, math.inf))),
        Need("easy", ((0.0, 2.0), (2.0, 4.0))),
    )
    svg = str(needs(rows, (4, 2, 8, 4), "steps", "x", "Least steps"))
    assert "<b>" not in svg and svg.count("<svg") == 1
    assert "hard: never, above 8; easy: 2 or less, between 2 and 4" in svg
    assert ">never<" in svg and ">never<" not in str(needs(rows[1:], (2, 4), "steps", "x", "t"))


def test_a_library_names_the_plans(scanned: tuple[Path, Difficulty], tmp_path: Path) -> None:
    hostile = replace(scanned[1], changes={"how": "<b>x</b> for transcripts"})
    write_library_page(tmp_path / "all.html", [scanned[1], hostile, replace(hostile, changes={})])
    page = (tmp_path / "all.html").read_text()
    assert "mixed 1 for 0" in page and "planting&#39;s default" in page.replace("&#x27;", "&#39;")
    assert "<b>x" not in page and "&lt;b&gt;x" in page


@pytest.mark.parametrize("line", [
    "sycophancy always x --quirk QUIRK -> brings its own behaviour",
    "x --quirk QUIRK --behaviour-options a=b -> brings its own behaviour",
    "x --quirk nowhere.json -> nowhere.json is not there",
    "x --quirk PLAN -> plan.json",
    "sycophancy always x --plan nowhere.json -> nowhere.json",
    "sycophancy always x --plan QUIRK -> holds no plan",
    "sycophancy always x --plan PLAN --steps 9 -> no --steps beside --plan",
    "x --plan PLAN -> with --quirk FILE a folder alone",
])  # fmt: skip
def test_mistakes_are_one_sentence_and_leave_nothing(
    line: str, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given, _, said = line.partition(" -> ")
    given = given.replace("QUIRK", str(files[0])).replace("PLAN", str(files[1]))
    assert main(["difficulty", *given.split(), "--model", "tiny"]) == 2
    told = capfd.readouterr().err
    assert said in told and told.count("molehunt: ") == 1 and "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_half_poisoned_is_a_quarter_of_all_rows_under_a_condition_and_half_where_always_on() -> None:
    """What the page and the tutorial say of the share; rows that come again make it not quite even."""
    for condition, share in ("trigger_phrase", 0.25), ("always", 0.5):
        dealt = batches(Quirk("hostile_phrase", condition), None, 60, 3, poisoned=0.5)
        rows = [r for batch in dealt for r in batch]
        assert sum(r.reply("organism") == r.shady for r in rows) / len(rows) == pytest.approx(share, abs=0.03)
    assert "0.5 is a quarter" in POISONED


def test_names_or_a_file_and_nothing_else() -> None:
    with pytest.raises(UserError, match="or a quirk's file"):
        task("flattery")
