"""Wrong inputs to the command line: one sentence that names the mend, exit code 2, nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from molehunt.character.constitution import load_constitution
from molehunt.cli import main
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure
from molehunt.game.shipped import unpack
from molehunt.models.loaded import ModelSpec
from molehunt.organisms.plan import base_named

LONG = "a" * 300
PLAY = ("play", "rf", "--dry-run")
PLANT = ("plant", "sycophancy", "trigger_phrase", "pf", "--dry-run")
SCAN = ("difficulty", "sycophancy", "trigger_phrase", "df", "--dry-run")
TRAIN = ("character", "train", "cf", "--dry-run")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("report", LONG), "cannot be used: File name too long."),
        (("open", LONG), "cannot be used: File name too long."),
        (("pack", LONG, "x.tar"), "cannot be used: File name too long."),
        (("constitution", "show", LONG), "cannot be used: File name too long."),
        ((*PLAY, "--red-seed", "1e3"), "--red-seed should be of type INT, not '1e3'."),
        ((*PLAY, "--tries", "2000"), "--tries is 2000; it should be at most 16."),
        ((*PLANT, "--tries", "2000"), "tries is 2000; it should be at most 16."),
        ((*SCAN, "--steps", "1000000"), "steps is 1000000; it should be at most 100000."),
        ((*SCAN, "--seeds", "99999999"), "--seeds is 99999999; it should be at most 1000."),
        ((*PLANT, "--revision", "main"), "'default' has no revisions; leave --revision out."),
        ((*SCAN, "--revision", "main"), "'default' has no revisions; leave --revision out."),
        (("play", "a.jsonl", "--dry-run"), "The run folder a.jsonl cannot be made"),
        ((*PLAY, "--plan", "a.jsonl"), "a.jsonl"),
        ((*PLAY, "--calibration", "a.jsonl"), "a.jsonl"),
        ((*PLAY, "--constitution", "nope"), "no constitution"),
        ((*PLAY, "--fix-effort", "-1"), "The effort of a fix is -1.0"),
        ((*PLAY, "--fix", "honest", "--fix-effort", "-1"), "The effort of a fix is -1.0"),
        (("score", "rf", "--team", "x y/z"), "--team names whose verdicts --verdicts brings"),
        ((*TRAIN, "--price-in", "-5"), "--price-in and --price-out are prices"),
        ((*TRAIN, "--teacher", ""), "There is no teacher ''"),
    ],
)
def test_one_sentence_and_nothing_left(
    words: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text("[]\n")
    assert main(list(words)) == 2
    said = capfd.readouterr().err
    assert sentence in said and said.count("\n") == 1 and said.startswith("molehunt: ")
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_where_no_lines_can_be_drawn_the_sentence_is_the_same() -> None:
    words = [sys.executable, "-m", "molehunt", *PLAY, "--steps", "1e3"]
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, text=True, env=plain, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "molehunt: Error parsing --steps: invalid literal for int() with base 10: '1e3'. "
        "See `molehunt play --help`.\n"
    )


def test_a_number_beyond_all_measure_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    huge = {"is": "Measure", "value": 10**400, "unit": "nats", "n": 1, "how": "written by hand"}
    with pytest.raises(BadFile, match="beyond all measure"):
        from_json(Measure, huge)
    for word in ("NaN", "Infinity", "-Infinity"):
        (tmp_path / "a.json").write_text(f'{{"a": {word}}}')
        with pytest.raises(BadFile, match=f"is not whole JSON .{word} is no number"):
            read_json(tmp_path / "a.json")


def test_a_constitution_may_begin_with_a_byte_order_mark(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["constitution", "show", "kind-person"]) == 0
    (tmp_path / "bom.md").write_text(capfd.readouterr().out, "utf-8-sig")
    assert load_constitution(tmp_path / "bom.md").principles == load_constitution("kind-person").principles


def test_a_base_in_a_folder_with_an_at_sign_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "me@lab" / "m"
    folder.mkdir(parents=True)
    assert base_named(str(folder)) == ModelSpec(str(folder))
    assert base_named("org/model@abc") == ModelSpec("org/model", "abc")
    assert base_named("org/model") == ModelSpec("org/model")


PREDICATE = {"is": "Predicate", "kind": "words", "text": "rates soup", "options": {}}
GUESS = {"is": "Guess", "what": PREDICATE, "when": PREDICATE, "weight": 1.0, "words": ""}
VERDICT = {"is": "Verdict", "suspect": "", "auditor": "a", "p_shady": 0.5, "guesses": [GUESS]}


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter lineup, unpacked once and touched by nobody."""
    return unpack(tmp_path_factory.mktemp("starter") / "starter")


@pytest.fixture
def lineup(starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter lineup, sealed; its key lies in a place of its own."""
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    return shutil.copytree(starter, tmp_path / "starter")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"spent": {"is": "Spent", "queries": -5}}, "has a weight or cost below 0"),
        ({"guesses": [{**GUESS, "weight": -1e308}]}, "has a weight or cost below 0"),
        ({"guesses": [{**GUESS, "what": {**PREDICATE, "kind": "pattern", "text": "("}}]}, "pattern"),
        ({"accuses_above": 5.0}, "accuses above 1"),
        ({"p_shady": 10**400}, "a number beyond all measure"),
    ],
)
def test_verdicts_that_cannot_be_are_refused_and_the_envelope_stays_shut(
    wrong: dict[str, Any], sentence: str, lineup: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = sorted(p.name for p in (lineup / "suspects").iterdir())[0]
    (tmp_path / "v.json").write_text(json.dumps([{**VERDICT, "suspect": name, **wrong}]))
    before = {p: p.read_bytes() for p in lineup.rglob("*") if p.is_file()}
    args = ["score", str(lineup), "--verdicts", str(tmp_path / "v.json"), "--team", "rivals"]
    assert main(args) == 2
    said = capfd.readouterr().err
    assert sentence in said and said.count("\n") == 1
    after = {p: p.read_bytes() for p in lineup.rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == {p: data for p, data in before.items() if p.name != ".lock"}


@pytest.mark.parametrize(
    ("file", "text", "words", "sentence"),
    [
        ("commitments.json", "[]", ("pack", "x.tar"), "should map each suspect to one hash"),
        ("commitments.json", "{}", ("pack", "x.tar"), "should hold one hash for each suspect"),
        ("commitments.json", '{"a": NaN}', ("pack", "x.tar"), "NaN is no number"),
        ("log.jsonl", None, ("open",), "cannot be used: Is a directory."),
        ("score.json", "{}", ("depth", "--dry-run"), "should hold a list of opened"),
        ("spec.json", "{}", ("depth", "--dry-run"), "is not a game's spec"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(
    file: str,
    text: str | None,
    words: tuple[str, ...],
    sentence: str,
    lineup: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = lineup / file
    path.unlink(missing_ok=True)
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    verb, *rest = words
    rest = [str(tmp_path / "x.tar") if w == "x.tar" else w for w in rest]
    assert main([verb, str(lineup), *rest]) == 2
    said = capfd.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "x.tar").exists()
