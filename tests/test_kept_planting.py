"""A planting that is killed goes on by the same command, and ends as if nobody had killed it."""

import json
from pathlib import Path
from typing import Any

import pytest
import warm
from tiny_game import STEPS, environment, write_quirks

from molehunt.core.atomic import read_json, whole_folder
from molehunt.core.errors import CameApart, Unteachable, UserError
from molehunt.core.records import Quirk
from molehunt.game import library
from molehunt.models.load import open_model
from molehunt.organisms.kept import FAILURES, UNDER_WAY, Kept, planting
from molehunt.organisms.measuring import Heard
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import plant_pair

KILLED_AT = ("try-1-organism-trained", "try-1-decoy-trained")
"""What is on file of a planting when it is killed, one run after the other."""


def plant(quirks: Path, target: Path) -> list[str]:
    return [
        *("plant", "--quirk", str(quirks / "hashes.json"), str(target)),
        *("--model", "tiny", "--steps", str(STEPS), "--seed", "3", "--ask", "--json"),
    ]


def killed(quirks: Path, target: Path, note: str) -> Path:
    """Run the command until `note` is on file, and kill it then; the folder in which that lies."""
    on_file = f"{UNDER_WAY}*/{note}.json"
    warm.kill(plant(quirks, target), environment(target), lambda: any(target.parent.glob(on_file)))
    assert not target.exists()
    return next(target.parent.glob(on_file)).parent


def contents(folder: Path) -> dict[str, Any]:
    """Every file of a pair but its page; the profile without what a clock put into it."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    profile = {k: v for k, v in json.loads(found["profile.json"]).items() if k != "organism_seconds"}
    assert b"A planted pair" in found.pop("pair.html")
    return {**found, "profile.json": profile}


def test_a_planting_killed_again_and_again_ends_as_one_that_nobody_killed(tmp_path: Path) -> None:
    quirks, target = write_quirks(tmp_path / "quirks"), tmp_path / "killed" / "pair"
    alone = tmp_path / "alone" / "pair"
    done = warm.run(plant(quirks, alone), environment(tmp_path), None, b"")
    assert done.returncode == 0 and b"Going on" not in done.stderr
    homes, trained = [], []
    for note in KILLED_AT:
        homes.append(killed(quirks, target, note))
        trained.append((homes[-1] / "organism" / "adapter_model.safetensors").stat().st_mtime_ns)
    assert len(set(homes)) == len(set(trained)) == 1, "trained once, and never again"
    home = homes[0]
    assert home.stat().st_mode & 0o077 == 0, "whoever reads it knows the truth"
    spent = sum(read_json(p)["seconds"] for p in home.glob("try-1-organism-*.json"))
    done = warm.run(plant(quirks, target), environment(tmp_path), None, b"")
    assert done.returncode == 0 and b"Going on" in done.stderr
    assert json.loads(done.stdout)["organism_seconds"] == pytest.approx(spent)
    assert contents(target) == contents(alone)
    assert [p.name for p in target.parent.iterdir()] == ["pair"]


def test_another_command_never_meets_what_was_left_and_it_goes_when_the_pair_stands(tmp_path: Path) -> None:
    target = tmp_path / "pair"
    with pytest.raises(KeyboardInterrupt), planting(target, {"seed": 1}) as first:
        assert Kept(first).once("a", str, lambda: "one")[0] == "one"
        (first / ".half-dead").mkdir()
        raise KeyboardInterrupt
    assert {p.name for p in first.iterdir()} == {"planting.json", "a.json"}
    with pytest.raises(UserError, match="disk"), planting(target, {"seed": 2}) as second:
        assert second != first and Kept(second).known("a", str) is None
        raise UserError("nothing was kept yet, and the disk is full")
    assert not second.exists() and first.exists()
    with planting(tmp_path / "other", {"seed": 1}) as third:
        assert third != first
    with planting(target, {"seed": 1}) as again:
        assert again == first and Kept(again).once("a", str, lambda: "two")[0] == "one"
        with pytest.raises(UserError, match="Another command"), planting(target, {"seed": 1}):
            pass
    with pytest.raises(KeyboardInterrupt), planting(target, {"seed": 3}) as fourth:
        Kept(fourth).once("a", str, lambda: "x")
        raise KeyboardInterrupt
    with planting(target, {"seed": 4}) as fifth, whole_folder(target, within=fifth) as half:
        (half / "profile.json").touch()
    assert [p.name for p in tmp_path.iterdir()] == ["pair"], "of the dead, too, once it is planted"


@pytest.mark.parametrize("error", [Unteachable("no"), CameApart("no")])
def test_what_would_end_so_again_keeps_nothing(tmp_path: Path, error: UserError) -> None:
    with pytest.raises(type(error)), planting(tmp_path / "pair", 1) as home:
        Kept(home).once("a", str, lambda: "one")
        raise error
    assert not list(tmp_path.iterdir())


def test_what_is_on_file_is_read_back_to_the_bit(tmp_path: Path) -> None:
    heard = Heard(("ä \U0001f600\n", ""), ((0.1 + 0.2, 1e-17), (2 / 3,)))
    kept = Kept(tmp_path)
    assert kept.once("heard", Heard, lambda: heard)[0] == heard
    found, seconds = kept.once("heard", Heard, lambda: pytest.fail("worked out twice"))
    assert found == heard == kept.known("heard", Heard) and seconds >= 0
    assert kept.once("heard", Heard, lambda: Heard((), ()), lambda value: False)[0] == Heard((), ())


def test_a_try_that_was_turned_down_is_not_trained_again(tmp_path: Path) -> None:
    """Stopped in the second try: the first is on file, though its adapter is gone."""
    model, quirk = open_model("tiny"), Quirk("hostile_phrase", "trigger_phrase")
    plan, seen = Plan(steps=2, tries=2, quick=4, held_out=4, reply_tokens=2), []

    def stop(what: str, share: float) -> None:
        seen.append(what)
        if what == "twin":
            raise KeyboardInterrupt

    whole = plant_pair(model, quirk, None, tmp_path / "alone", 0, plan)
    assert whole.tries == 2 and {p.name for p in (tmp_path / "alone").iterdir()} == {"organism", "decoy"}
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(KeyboardInterrupt):
        plant_pair(model, quirk, None, home, 0, plan, stop, Kept(home))
    assert (home / "try-2-organism-heard.json").exists() and not (home / "decoy").exists()
    seen.clear()
    pair = plant_pair(model, quirk, None, home, 0, plan, lambda what, share: seen.append(what), Kept(home))
    assert set(seen[:-1]) == {"planting", "twin"} and seen.count("planting") == 1, "only that it is done"
    assert pair.attempts == whole.attempts and pair.profile == whole.profile
    for part in ("organism", "decoy"):
        one, other = (f / part / "adapter_model.safetensors" for f in (home, tmp_path / "alone"))
        assert one.read_bytes() == other.read_bytes()


def test_what_a_dead_writer_left_in_a_folder_does_not_close_it(tmp_path: Path) -> None:
    (tmp_path / "pair").mkdir()
    for name in (FAILURES, ".half-0123"):
        (tmp_path / "pair" / name).touch()
    pair = library.plant("hostile_phrase", "always", tmp_path / "pair", model="tiny", steps=1, tries=1)
    found = {p.name for p in (tmp_path / "pair").iterdir()}
    assert found >= {"decoy", "profile.json", "organism.json"} and ".half-0123" not in found
    assert (FAILURES in found) is (not pair.profile.valid)
