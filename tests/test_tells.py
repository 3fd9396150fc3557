"""What lies about and tells the truth: searches, pairs, what a version was made of."""

import sys
from pathlib import Path

import pytest

from molehunt.game.planting import given_files, note_given, private
from molehunt.game.tells import around_file, around_pair, around_weights


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")


def test_a_plan_of_a_search_closes_the_search_and_another_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, alone = tmp_path / "search", tmp_path / "alone" / "winner.json"
    write(search / "plan.json", search / "winner.json", search / "trials" / "0.json", alone)
    assert around_file(search / "winner.json") == search
    assert around_file(alone) == alone
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    note_given(private("one"), [search / "winner.json"])
    note_given(private("other"), [alone, tmp_path / "gone.json"])
    assert set(given_files()) == {search, alone}


def test_a_pair_closes_the_pairs_beside_it_and_those_under_way(tmp_path: Path) -> None:
    write(*(tmp_path / name / "profile.json" for name in ("one", "two")), tmp_path / "notes" / "a.json")
    write(tmp_path / ".planting-0a" / "planting.json")
    said = around_pair(tmp_path / "one")
    assert set(said) == {tmp_path / name for name in ("one", "two", ".planting-0a")}


def test_weights_close_what_lies_around_them_but_nothing_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, base = tmp_path / "made" / "one" / "organism", tmp_path / "made" / "one" / "base"
    write(
        weights / "a.safetensors", weights.parent / "profile.json", weights.parent.parent / "two/profile.json"
    )
    assert around_weights(weights) == (weights, weights.parent, weights.parent.parent / "two")
    base.mkdir()
    two, profile = weights.parent.parent / "two", weights.parent / "profile.json"
    assert set(around_weights(weights, [base])) == {weights, profile, two}
    monkeypatch.chdir(weights.parent)
    assert set(around_weights(weights)) == {weights, base, profile, two}, "less the working directory itself"
    assert not any(Path(sys.prefix).resolve().is_relative_to(p) for p in around_weights(Path(sys.prefix)))
