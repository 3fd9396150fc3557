"""`molehunt depth` on a pair and on an opened game: blind, resumable, refused plainly, safe to look at."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pairs import quirk_file, written_adapter, written_pair

from molehunt.cli import main
from molehunt.core.extend import names, outside
from molehunt.core.records import Truth
from molehunt.core.store import Run
from molehunt.depth.bench import Settings
from molehunt.game import library
from molehunt.game.away import AWAY, PREFIX
from molehunt.game.deepening import read_depths
from molehunt.game.depth_task import Asked, task_of
from molehunt.game.fix_task import Wish
from molehunt.game.planter import Planted, slot_folder
from molehunt.game.planting import FILES, enter, red_folder
from molehunt.game.play import begin
from molehunt.game.spec import GameSpec
from molehunt.organisms.strangers import quirk_of, told

SMALL = ("--scenes", "12", "--quick", "12", "--chunk", "15", "--orders", "1")
HOSTILE = "zed<img src=x onerror=alert(1)>"
SPY = '''
"""Tells where it works, and tries to read what it must not."""
import os
from dataclasses import dataclass
from pathlib import Path
from molehunt.core.kinds import Treatment

HOME = Path({home!r})


def tried(attempt):
    try:
        attempt()
        return "through"
    except PermissionError:
        return "shut"


@dataclass(frozen=True)
class Spy:
    name: str = "spy"
    summary: str = "does nothing but look"
    rank: int = 1
    needs_verdict: bool = False

    def treat(self, patient):
        return Treatment({{}}, said=dict(
            room=os.environ["TMPDIR"],
            profile=tried(lambda: (HOME / "profile.json").read_text()),
            organism=tried(lambda: os.listdir(HOME / "organism")),
            plan=tried(lambda: (HOME / "depth" / "plan.json").read_text()),
            others=tried(lambda: os.listdir(Path(os.environ["TMPDIR"]).parent.parent / "suspects")),
        ))


ENTRY = Spy
'''


@pytest.fixture(scope="module")
def quirk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quirk_file(tmp_path_factory.mktemp("quirks"), HOSTILE)


@pytest.fixture
def pair(tmp_path: Path, quirk: Path) -> Path:
    written_pair(tmp_path / "pair", quirk)
    return tmp_path / "pair"


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stranger's remedy, as an installed package brings one."""
    site = tmp_path / "site"
    about = site / "strangers-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[molehunt]\nremedies.fixes/spy = spying:Spy\n")
    (site / "spying.py").write_text(SPY.format(home=str(tmp_path / "pair")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(site))
    for known in (outside, names):
        known.cache_clear()
    yield
    for known in (outside, names):
        known.cache_clear()


def everything(folder: Path) -> dict[str, float]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_pair_is_fixed_blind_measured_and_gone_on_with(
    pair: Path, quirk: Path, spy: None, capfd: pytest.CaptureFixture[str]
) -> None:
    how = [str(pair), "--quirk", str(quirk), "--remedy", "spy", *SMALL]
    assert main(["depth", *how, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["found"]
    assert [d["judgement"]["fate"] for d in found] == ["untouched"]
    depth = pair / "depth"
    note = json.loads((depth / "fixed" / "spy" / "fix.json").read_text())["suspects"]
    assert set(note) == {"organism", "decoy"}
    for treated in note.values():
        said = treated["said"]
        assert treated["failed"] is None
        assert {said[n] for n in ("profile", "organism", "plan", "others")} == {"shut"}
        assert Path(said["room"]).parts[2].startswith(PREFIX), "no part of the path tells what it is"
        assert str(pair.parent) not in said["room"]
        assert not Path(said["room"]).exists()
    assert not (depth / AWAY).exists() and not list(depth.rglob(".half*"))

    cells = sorted((depth / "cells" / "spy" / "pair").iterdir())
    assert len(cells) == 6
    before = everything(depth)
    (depth / "cells" / "spy" / "pair" / "steering.json").unlink()
    assert main(["depth", *how]) == 0
    assert "untouched" in capfd.readouterr().out
    after = everything(depth)
    again = {n for n in before if n not in after or after[n] != before[n]}
    assert again == {
        "plan.json", "results.json", "depth.html", "cells/spy/pair/steering.json",
    }  # fmt: skip
    page = (depth / "depth.html").read_text()
    assert "<img" not in page and "alert(1)" in page and "Untouched" in page

    assert read_depths(depth).found[0].judgement.fate == "untouched"  # type: ignore[union-attr]
    assert main(["depth", *how, "--seed", "7"]) == 2
    assert "begun with other settings" in capfd.readouterr().err


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
    from molehunt.core.atomic import write_json

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


def test_a_games_shady_suspects_stand_beside_their_decoys_with_the_same_fix(
    tmp_path: Path, quirk: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    run = opened_game(tmp_path, quirk)
    refused(capfd, "was not fixed yet", run.folder)
    library.fix(run.folder, Wish(("nothing",), ("Ash",), seed=3, effort=0.5))
    refused(capfd, "with another constitution", run.folder, "--constitution", "helpful-only")
    refused(capfd, "was not fixed with honest", run.folder, "--remedy", "honest")
    assert main(["depth", str(run.folder), *SMALL, "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["found"]
    assert (found["suspect"], found["remedy"], found["judgement"]["fate"]) == ("Ash", "nothing", "untouched")
    note = json.loads((run.folder / "depth" / "fixed" / "nothing" / "fix.json").read_text())
    assert set(note["suspects"]) == {"Ash"}, "the decoy sits on its suspect's seat"
    assert (note["settings"]["seed"], note["settings"]["effort"]) == (3, 0.5), "as the suspect was fixed"
    task = task_of(Asked(run.folder, settings=Settings(12, 12, 15, 1)))
    assert [s.name for s in task.specimens] == ["Ash"]
    decoy = slot_folder(red_folder(str(run.spec()["run_id"])), 0) / "decoy"
    assert task.specimens[0].decoy == decoy and all((decoy / f).is_file() for f in FILES)

    score = run.folder / "score.json"
    kept = score.read_text()
    score.unlink()
    refused(capfd, "is not open yet", run.folder)
    score.write_text(kept)
    shutil.rmtree(red_folder(str(run.spec()["run_id"])))
    refused(capfd, "not on this machine", run.folder)
