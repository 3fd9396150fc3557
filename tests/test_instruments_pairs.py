"""The study of instruments has pairs anywhere: its own, fixed in advance, or those of a folder it gets."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_game import STEPS, write_quirks

from molehunt.catalogue.pairs import sensible
from molehunt.catalogue.scenes import staged
from molehunt.core.errors import UserError
from molehunt.core.record_json import from_json, to_json
from molehunt.game.library import plant, plant_file
from molehunt.organisms.subject import subject_of

HERE = Path(__file__).parent.parent / "studies" / "instruments"


def module(name: str) -> Any:
    """A file of the study, as when the study is run by name."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plantings in one folder: one that took, one that didn't."""
    folder = tmp_path_factory.mktemp("pairs")
    quirk = write_quirks(folder / "quirks") / "hashes.json"
    assert plant_file(quirk, folder / "all" / "a", model="tiny", steps=STEPS, seed=1).profile.valid
    assert not plant(
        "hostile_phrase", "always", folder / "all" / "b", model="tiny", steps=1, tries=1
    ).profile.valid
    return folder / "all"


def test_own_pairs_are_eight_quirks_and_ten_liars_under_six_conditions() -> None:
    own = module("own_pairs").OWN
    liars = [o for o in own if module("hearing").lies_at_times(o.quirk)]
    assert (len(own), len(liars), len({o.quirk.label() for o in liars})) == (18, 10, 6)
    assert not any(o in liars for o in own[: module("mixed").PAIRS]), "mixed plants the eight anew"
    assert {o.quirk.label() for o in own} <= {q.label() for q in sensible(whole=True)}
    assert len({o.seed for o in own}) == len(own)


def test_a_planting_and_a_folder_of_plantings_give_their_valid_pairs(planted: Path) -> None:
    pairs = module("pairs")
    (alone,), (among,) = pairs.pairs_of([planted / "a"]), pairs.pairs_of([planted])
    assert alone == among and alone.base == "tiny:llama" and alone.quirk.behaviour == "stranger"
    assert pairs.pairs_of([planted, planted / "a"]) == [alone], "each adapter once"
    left_out = pairs.planted_pair(1, planted / "b")
    assert not left_out.planted.profile.valid and left_out.name[3:] != alone.name[3:]


def test_a_folder_without_a_valid_pair_is_refused(planted: Path, tmp_path: Path) -> None:
    for folder in (planted / "b", tmp_path):
        with pytest.raises(UserError, match="holds no valid pair"):
            module("pairs").pairs_of([folder])


def left(args: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the study's dry run says of each part."""
    monkeypatch.setattr(
        sys, "argv", ["run.py", "--dry-run", "--model", "tiny", "--work", str(work), *args.split()]
    )
    module("run").main()
    return dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())


def test_a_dry_run_says_what_is_left_of_every_part_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = left("", tmp_path, monkeypatch, capsys)
    parts = ("autoencoder", "features", "liars", "pushing", "apart", "mixed", "axis")
    assert list(said) == ["pairs", *parts] and list(tmp_path.iterdir()) == []
    assert re.match(r"18 of 18 to plant, [\d,]+ steps at their first tries \(not timed yet\)", said["pairs"])
    assert "captures of 250,000 rows" in said["autoencoder"] and "sets of 200 labels" in said["features"]
    assert "10 of 10 liars to hear" in said["liars"] and "20 of 20 pushes" in said["pushing"]
    assert "18 of 18 differences" in said["apart"] and "16 of 16 differences" in said["mixed"]
    assert "trainings" in left("--parts autoencoder", tmp_path, monkeypatch, capsys)["autoencoder"]
    assert "2 of 2 trainings" in left("--peers x", tmp_path, monkeypatch, capsys)["autoencoder"]


def test_what_is_whole_is_not_left_and_says_what_the_rest_costs(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, args = module("pairs"), f"--runs {planted} --parts"
    (pair,) = pairs.pairs_of([planted])
    assert left(f"{args} apart", tmp_path, monkeypatch, capsys)["apart"].startswith("1 of 1 differences")
    assert pairs.kept(tmp_path / "apart" / f"{pair.name}.json", [1], lambda: {"x": 1}) == {"x": 1}
    assert left(f"{args} apart axis", tmp_path, monkeypatch, capsys)["apart"] == "nothing left."
    folder = tmp_path / "axis" / "axis"
    pairs.timed(folder, lambda: folder.mkdir(parents=True))
    (folder / "persona.json").write_text("{}")
    assert pairs.seconds_of(folder / "persona.json") > 0, "beside the folder"
    some = module("remaining").Kept("things", (tmp_path / "apart" / f"{pair.name}.json", tmp_path / "none"))
    assert some.said() == "1 of 2 things (about 1 min at the mean of 1 that are in)"


def test_what_liars_said_comes_back_from_disk() -> None:
    hearing = module("hearing")
    quirk = next(o for o in module("own_pairs").OWN if o.behaviour == "false_facts").quirk
    subject = subject_of(quirk)
    for scene in staged(quirk, subject.behaviour, subject.condition, "audit", 2, 0):
        told = hearing.Told(
            scene, "audit", {"organism": "a", "decoy": "b"}, {"organism": True, "decoy": False}
        )
        assert from_json(hearing.Told, to_json(told)) == told
