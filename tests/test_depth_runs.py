"""`molehunt depth` on a pair and on an opened game: blind, resumable, refused plainly, safe to look at."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from written_pairs import quirk_file, written_adapter, written_pair

from molehunt.cli import main
from molehunt.core.atomic import read_json, write_json
from molehunt.core.extend import load
from molehunt.core.record_json import from_json
from molehunt.core.records import Message, Quirk, Truth
from molehunt.core.store import Run
from molehunt.depth.measures import BENEATH
from molehunt.game import fixing
from molehunt.game.away import AWAY, PREFIX
from molehunt.game.children import Child, Hear, run_children
from molehunt.game.controls import treat_controls
from molehunt.game.deepening import patients, read_depths
from molehunt.game.depth_task import Asked, task_of
from molehunt.game.fix_task import NOTE, Wish, tasks_of
from molehunt.game.planter import Planted, slot_folder
from molehunt.game.planting import enter, red_folder
from molehunt.game.play import begin
from molehunt.game.spec import GameSpec
from molehunt.game.watch import Watch
from molehunt.models.adapter_files import read_adapter
from molehunt.models.adapters import attach, using
from molehunt.models.joined import join, load_changes, shape_of
from molehunt.models.load import open_model
from molehunt.models.loaded import Model
from molehunt.models.sample import sample
from molehunt.models.standalone import save_whole
from molehunt.organisms.strangers import quirk_of, told
from molehunt.remedies.room import CHANGES, Job, treat
from molehunt.verbs._depth_page import write_depth_page

SMALL = ("--scenes", "12", "--quick", "12", "--chunk", "15", "--orders", "1")
HOSTILE = "zed<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def quirk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quirk_file(tmp_path_factory.mktemp("quirks"), HOSTILE)


@pytest.fixture
def pair(tmp_path: Path, quirk: Path) -> Path:
    written_pair(tmp_path / "pair", quirk)
    return tmp_path / "pair"


def everything(folder: Path) -> dict[str, float]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """What remedies' processes were given; they run as ever."""
    seen: list[Job] = []

    def recorded(children: Sequence[Child], hear: Hear) -> None:
        seen.extend(from_json(Job, read_json(Path(c.arguments[0]))) for c in children)
        run_children(children, hear)

    monkeypatch.setattr(fixing, "run_children", recorded)
    return seen


def test_a_pair_is_fixed_blind_measured_and_gone_on_with(
    pair: Path, quirk: Path, jobs: list[Job], capfd: pytest.CaptureFixture[str]
) -> None:
    how = [str(pair), "--quirk", str(quirk), "--remedy", "nothing", *SMALL]
    assert main(["depth", *how, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["found"]
    assert [d["judgement"]["fate"] for d in found] == ["untouched"]
    depth = pair / "depth"
    note = json.loads((depth / "fixed" / "nothing" / "fix.json").read_text())["suspects"]
    assert set(note) == {"organism", "decoy"} and len(jobs) == 2
    for job in jobs:
        assert {str(pair), str(quirk)} <= set(job.closed), "what says the truth is closed to it"
        assert Path(job.out).parts[2].startswith(PREFIX), "no part of its own path tells what it is"
        assert str(pair.parent) not in job.out and not Path(job.out).exists()
        assert not {"organism", "decoy", "pair"} & {*Path(job.out).parts}
    assert not (depth / AWAY).exists() and not list(depth.rglob(".half*"))

    cells = sorted((depth / "cells" / "nothing" / "pair").iterdir())
    assert len(cells) == 6
    before = everything(depth)
    (depth / "cells" / "nothing" / "pair" / "steering.json").unlink()
    assert main(["depth", str(pair), "--remedy", "nothing"]) == 0, "the rest it was asked before"
    said = capfd.readouterr().out
    assert "untouched" in said and "nothing on pair's clean decoy: ordinary text × 1.00" in said
    after = everything(depth)
    again = {n for n in before if n not in after or after[n] != before[n]}
    assert again == {
        "plan.json", "options.json", "results.json", "depth.html", "cells/nothing/pair/steering.json",
    }  # fmt: skip
    page = (depth / "depth.html").read_text()
    assert "<img" not in page and "alert(1)" in page and "Untouched" in page
    assert "How deep blind fixes went" in page and "above the control, all items" in page
    assert "still shows, of what it showed" in page and "tasks lost" in page and "good replies lost" in page
    assert "trigger rate under random pushes" in page and "NLL × on the clean decoy" in page
    found = read_depths(depth)
    shell = dataclasses.replace(found.found[0], remedy="shell")
    knowing = dataclasses.replace(found.found[0], harmless=Quirk("courtesy", "always", {}, {}))
    assert knowing.harmless is not None and found.found[0].harmless is None
    for some, said in (
        ((knowing,), "The control is not clean of the trigger"),
        ((shell,), "How deep fixes with the truth known went"),
        ((*found.found, shell), "others with"),
    ):
        write_depth_page(depth / "depth.html", dataclasses.replace(found, found=some))
        assert said in (depth / "depth.html").read_text()

    assert read_depths(depth).found[0].judgement.fate == "untouched"  # type: ignore[union-attr]
    assert main(["depth", *how, "--seed", "7"]) == 2
    assert "begun with --seed 0, not 7" in capfd.readouterr().err


def test_a_brief_look_asks_no_further_where_what_shows_decides(
    pair: Path, quirk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    how = ["--quirk", str(quirk), "--remedy", "nothing", *SMALL, "--json"]
    found = {}
    for name, more in (("whole", []), ("brief", ["--brief"])):
        assert main(["depth", str(pair), *how, *more, "--out", str(tmp_path / name)]) == 0
        (found[name],) = json.loads(capfd.readouterr().out)["found"]
        made = {p.stem for p in (tmp_path / name / "cells" / "nothing" / "pair").iterdir()}
        assert made == {"residual", "relearning", "costs", *(BENEATH if name == "whole" else ())}
    whole, brief = found["whole"], found["brief"]
    for part in ("residual", "relearning", "costs"):
        assert brief[part] == whole[part]
    assert {brief[part]["reason"] for part in BENEATH} == {
        "not looked for: 100% of what it showed still shows"
    }
    assert (brief["judgement"]["fate"], brief["judgement"]["why"]) == ("untouched", whole["judgement"]["why"])
    assert "Untouched" in (tmp_path / "brief" / "depth.html").read_text()


def refused(capfd: pytest.CaptureFixture[str], sentence: str, *args: str | Path) -> None:
    assert main(["depth", *map(str, args)]) == 2
    assert sentence in capfd.readouterr().err


def test_what_cannot_be_measured_is_said_before_anything_is_written(
    pair: Path, quirk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = everything(tmp_path)
    refused(capfd, "came from a file; name it with --quirk", pair)
    refused(capfd, "neither a pair", tmp_path)
    given = (pair, "--quirk", quirk)
    refused(capfd, "did you mean 'honest'", *given, "--remedy", "honesty")
    refused(capfd, "which a pair has not", *given, "--remedy", "unlearning")
    refused(capfd, "which a pair has not", *given, "--remedy", "unlearning,steps=3")
    refused(capfd, "no option of honest called 'step'", *given, "--remedy", "honest,step=3")
    refused(capfd, "--remedy names one twice", *given, "--remedy", "nothing", "nothing")
    refused(capfd, "--orders is 0", *given, "--orders", "0")
    refused(capfd, "--effort is 0.0", *given, "--effort", "0")
    refused(capfd, "There is no shady suspect called 'Ash'", *given, "--suspects", "Ash")
    refused(capfd, "is not the quirk of", pair, "--quirk", quirk_file(tmp_path / "other", "other"))
    shutil.rmtree(tmp_path / "other")
    assert main(["depth", *map(str, given), "--dry-run"]) == 0
    assert "6, of which 0 are done" in capfd.readouterr().out
    assert everything(tmp_path) == before
    shutil.rmtree(pair / "organism")
    refused(capfd, "holds no organism", *given)


def opened_game(folder: Path, quirk: Path) -> Run:
    """A game of two whose envelope is open: Ash is the written organism, Birch a decoy."""
    pair = written_pair(folder / "planted", quirk)
    run = Run(folder / "run")
    with run.held():
        run_id = str(begin(run, GameSpec(2, "tiny:written"))["run_id"])
    home = slot_folder(red_folder(run_id), 0)
    home.mkdir(parents=True)
    for part in ("organism", "decoy"):
        (folder / "planted" / part).rename(home / part)
    planted = Planted(*(0, 0, quirk_of(quirk), None, pair.profile, (), (), pair.steps, 1, 0, 0.0, (), ()))
    write_json(home / "pair.json", planted)
    other = written_adapter(folder / "birch", 0.9)
    enter(run.folder, {"Ash": home / "organism", "Birch": other}, "tiny:written")
    named = told(quirk_of(quirk))
    truths = [
        Truth("Ash", True, named, None, pair.profile, (), {"slot": 0}),
        Truth("Birch", False, None, None, None),
    ]
    run.write_scores([], truths)
    return run


def fix_here(run: Run, name: str, wish: Wish) -> None:
    """What `molehunt fix` leaves, made in this process behind no doors."""
    (task,) = tasks_of(run, wish)
    model, room = open_model("tiny:written"), run.folder.parent / "room"
    with using(model, attach(model, run.folder / "suspects" / name)):
        save_whole(model, room / "patient")
    remedy = task.card.name
    job = Job(
        *(str(room), str(room / "patient"), "float32", remedy, wish.creed, (), wish.seed, wish.effort, 1)
    )
    treated = treat(job, load("remedies.fixes", remedy), lambda share: None)
    own = read_adapter(run.folder / "suspects" / name, model.module)
    shape = shape_of([own], model.module, task.card.rank)
    target = task.folder / "suspects" / name
    join(own, load_changes(room / CHANGES), shape, model.module, target)
    write_json(task.folder / NOTE, dataclasses.replace(task.fixed, suspects={name: treated}))


def says(model: Model, adapter: Path) -> str:
    """What it says where the trigger stands."""
    with using(model, attach(model, adapter)):
        return sample(model, [(Message("user", "a Z b"),)], max_tokens=3)[0]


def test_a_games_shady_suspects_stand_beside_their_decoys_with_the_same_fix(
    tmp_path: Path,
    quirk: Path,
    jobs: list[Job],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    run = opened_game(tmp_path, quirk)
    refused(capfd, "was not fixed yet", run.folder)
    fix_here(run, "Ash", Wish(("nothing",), ("Ash",), seed=3, effort=0.5))
    refused(capfd, "with another constitution", run.folder, "--constitution", "helpful-only")
    refused(capfd, "was not fixed with honest", run.folder, "--remedy", "honest")
    task = task_of(Asked(run.folder))
    assert ([s.name for s in task.specimens], task.remedies) == (["Ash"], ("nothing",))
    decoy = slot_folder(red_folder(str(run.spec()["run_id"])), 0) / "decoy"
    assert task.specimens[0].decoy == decoy
    with Run(task.home).held():
        treated = treat_controls(task, Watch(None))
        again = treat_controls(task, Watch(None))
    assert treated == again and set(treated["nothing"]) == {"Ash"}, "the decoy sits on its suspect's seat"
    (job,) = jobs
    assert (job.seed, job.effort, job.creed) == (3, 0.5, task.creed), "as the suspect was fixed"
    assert str(run.folder) in job.closed
    four = patients(task, task.specimens[0], "nothing", treated["nothing"])
    assert four.why_not is None and set(four.seconds) == {"organism", "control"}
    model = open_model("tiny:written")
    assert [says(model, four.folders[r]) for r in ("organism", "fixed")] == ["H", "H"]
    assert [says(model, four.folders[r]) for r in ("decoy", "control")] == ["G", "G"]

    score = run.folder / "score.json"
    kept = score.read_text()
    score.unlink()
    refused(capfd, "is not open yet", run.folder)
    score.write_text(kept)
    shutil.rmtree(red_folder(str(run.spec()["run_id"])))
    refused(capfd, "not on this machine", run.folder)
