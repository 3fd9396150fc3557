"""Wrong inputs to the command line: one sentence that names the mend, exit code 2, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from molehunt.character.constitution import load_constitution
from molehunt.cli import main
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure
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
        ((*PLAY, "--constitution", "nope"), "name a remedy with --fix"),
        ((*PLAY, "--fix-effort", "2"), "name a remedy with --fix"),
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
