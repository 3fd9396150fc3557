"""Going on with the folder alone: options come from its note, and one that differs is refused by name."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from molehunt.cli import _said, _verb, read_options
from molehunt.core.asked import FILE, Asked, keep, kept, under_way
from molehunt.core.atomic import write_json
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.seal import new_run_id
from molehunt.game.planting import private
from molehunt.verbs._begun import gone_on, noted


def asked(verb: str, *args: str | Path) -> Any:
    """Options as the command line hands them to the verb, those of the folder among them."""
    words = [str(a) for a in args]
    return _verb(verb).again(read_options(_verb(verb), verb, words), _said(words))


def begun(verb: str, folder: Path, *args: str | Path, done: bool = False) -> Any:
    """Options of a first command, with the note that its function leaves in the folder."""
    options = asked(verb, *args)
    note = noted(options)
    if verb == "worse":
        note["what"] = list(options.what[:-1])
    keep(folder, note, done=done)
    return options


@pytest.mark.parametrize(
    ("verb", "words", "alone", "other", "named"),
    [
        (
            "difficulty",
            [
                "sycophancy",
                "trigger_phrase",
                "{}",
                "--factors",
                "steps",
                "--values",
                "3",
                "9",
                "--model",
                "tiny",
            ],
            ["{}"],
            ["{}", "--steps", "7"],
            "--steps 56, not 7",
        ),
        (
            "worse",
            ["sycophancy", "trigger_phrase", "{}", "--against", "contrast", "--seconds", "60"],
            ["{}"],
            ["flattery", "always", "{}"],
            "BEHAVIOUR CONDITION sycophancy trigger_phrase, not flattery always",
        ),
        (
            "depth",
            ["pair", "--out", "{}", "--remedy", "honest", "--scenes", "9", "--quirk", "q.json"],
            ["pair", "--out", "{}"],
            ["pair", "--out", "{}", "--scenes", "8"],
            "--scenes 9, not 8",
        ),
        (
            "character",
            ["train", "{}", "--model", "tiny", "--lineage", "line", "--parallel", "3"],
            ["train", "{}"],
            ["train", "{}", "--dtype", "bfloat16"],
            "--dtype",
        ),
        (
            "gate",
            ["tiny", "new", "--out", "{}", "--no-audit", "--bounds", "mine.json"],
            ["--out", "{}"],
            ["tiny", "new", "--out", "{}", "--early"],
            "without --early",
        ),
    ],
)
def test_a_folder_that_was_broken_off_says_what_it_was_asked(
    tmp_path: Path, verb: str, words: list[str], alone: list[str], other: list[str], named: str
) -> None:
    first, again, differs = ([w.format(tmp_path) for w in some] for some in (words, alone, other))
    whole = {n: v for n, v in noted(begun(verb, tmp_path, *first)).items() if n != "what"}
    for said in (again, first):
        assert {n: v for n, v in noted(asked(verb, *said)).items() if n != "what"} == whole
    with pytest.raises(RunMismatch, match=f"{named}; leave that out" if " " in named else named):
        asked(verb, *differs)


def test_a_search_takes_its_quirk_from_the_folder(tmp_path: Path) -> None:
    begun("worse", tmp_path, "sycophancy", "trigger_phrase", tmp_path)
    assert asked("worse", tmp_path).what == ("sycophancy", "trigger_phrase", str(tmp_path))


def test_what_chooses_is_gone_on_with_until_it_was_done(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Options:
        until: str = "opened"
        seed: int = 0

    for done, until in ((False, "audited"), (True, "opened")):
        before = Asked({"until": "audited", "seed": 3}, done)
        assert gone_on(Options(), (), before, tmp_path, free=("until",)) == Options(until, 3)
    assert gone_on(Options("opened"), ("until",), before, tmp_path, free=("until",)).until == "opened"


def test_what_grows_stays_as_it_was_asked_last(tmp_path: Path) -> None:
    words = ("sycophancy", "always", tmp_path, "--factors", "rank", "--values", "2", "4", "--model", "tiny")
    begun("difficulty", tmp_path, *words)
    assert asked("difficulty", tmp_path, "--factors", "steps").values == (), "values are those of a factor"
    begun("difficulty", tmp_path, *words, done=True)
    assert asked("difficulty", tmp_path).factors == ("rank",)
    out = tmp_path / "depth"
    begun("depth", out, "pair", "--out", out, "--known", "shell", "--seed", "3", done=True)
    again = asked("depth", "pair", "--out", out)
    assert again.known == ("shell",) and again.seed == 3, "what was last asked of a folder"


def test_another_gate_in_the_folder_is_its_own(tmp_path: Path) -> None:
    first = ("tiny", "new", "--out", tmp_path, "--seed", "3")
    begun("gate", tmp_path, *first)
    assert asked("gate", "tiny", "newer", "--out", tmp_path).seed == 0
    assert asked("gate", "--out", tmp_path).seed == 3
    with pytest.raises(UserError), under_way(tmp_path, noted(asked("gate", *first))):
        assert asked("gate", "--out", tmp_path).new == "new"
        raise UserError("It was refused.")
    assert asked("gate", "--out", tmp_path).new is None, "what was refused does not go on"


def test_a_match_keeps_what_it_was_asked_beside_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    home, match_id = tmp_path / "match", new_run_id()
    home.mkdir()
    write_json(home / "match.json", {"id": match_id})
    words = (home, "--model", "tiny", "--red-seed", "4", "--rounds", "2", "--quirks", tmp_path / "quirks")
    first = begun("match", private(match_id), *words)
    assert noted(asked("match", home)) == noted(first)
    assert asked("match", home, "--rounds", "5").rounds == 5, "more rounds may be asked for"
    begun("match", private(match_id), *words, done=True)
    assert asked("match", home).rounds == 2, "nor does a match that is over play on by itself"
    with pytest.raises(RunMismatch, match="another --red-seed, or with none") as refused:
        asked("match", home, "--red-seed", "5")
    assert "4" not in str(refused.value).replace(str(home), "")
    write_json(home / "match.json", {"id": "../elsewhere"})
    with pytest.raises(BadFile, match="no run id"):
        asked("match", home)


def test_the_same_file_elsewhere_is_no_difference(tmp_path: Path) -> None:
    for name, text in (("a.json", "{}"), ("b.json", "{}"), ("c.json", "[]")):
        (tmp_path / name).write_text(text)
    begun("worse", tmp_path, "sycophancy", "always", tmp_path, "--plan", tmp_path / "a.json")
    assert asked("worse", tmp_path, "--plan", tmp_path / "b.json").plan == tmp_path / "b.json"
    with pytest.raises(RunMismatch, match="--plan"):
        asked("worse", tmp_path, "--plan", tmp_path / "c.json")


def test_a_note_that_is_none_is_said(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    (tmp_path / FILE).write_text("[1]")
    with pytest.raises(BadFile, match="delete it"):
        kept(tmp_path)


def test_an_option_that_is_newer_than_the_note_has_its_default(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Options:
        steps: int = 1
        newer: int = 2

    keep(tmp_path, {"steps": 5, "older": 6})
    assert gone_on(Options(), (), kept(tmp_path), tmp_path) == Options(5, 2)
