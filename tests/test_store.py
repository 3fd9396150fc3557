"""A run folder is whole after any kill, and says in one sentence what is wrong with it."""

import resource
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import killed_at

from molehunt.core import atomic
from molehunt.core.errors import BadFile, UserError
from molehunt.core.growing import append_lines, whole_lines
from molehunt.core.records import (
    Citation,
    Evidence,
    Failure,
    Guess,
    Message,
    NotMeasured,
    Predicate,
    Score,
    Transcript,
    Verdict,
)
from molehunt.core.store import Run, read_transcripts, secret_stage_key, stage_key, write_transcripts


def test_a_kill_at_any_line_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "a.json"
    seen = set()
    for line in range(10_000):
        atomic.write_json(path, {"old": 1})
        killed = killed_at(line, lambda: atomic.write_json(path, {"new": 2}))
        seen.add(next(iter(atomic.read_json(path))))
        if not killed:
            break
    assert line > 10 and seen == {"old", "new"} and atomic.read_json(path) == {"new": 2}
    atomic.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_kill_at_any_line_leaves_a_folder_whole_or_absent(tmp_path):
    path = tmp_path / "lineup"

    def fill():
        with atomic.whole_folder(path, still=True) as folder:
            (folder / "anna").mkdir()
            (folder / "anna" / "weights").write_bytes(b"w" * 100)
            (folder / "bert").write_bytes(b"b")

    for line in range(10_000):
        killed = killed_at(line, fill)
        if path.exists():
            assert sorted(p.name for p in path.rglob("*")) == ["anna", "bert", "weights"]
        if not killed:
            break
    assert path.exists() and line > 10
    assert len({p.stat().st_mtime for p in [path, *path.rglob("*")] if p.is_file()}) == 1


def test_a_stage_that_was_killed_is_done_again_and_one_that_was_whole_is_not(tmp_path):
    run = Run(tmp_path)

    def play():
        with run.held():
            for stage in ("plant", "audit"):
                if not run.done(stage, stage_key(stage)):
                    with (tmp_path / "ran").open("a") as file:
                        file.write(stage + "\n")
                    atomic.write_json(tmp_path / f"{stage}.json", stage)
                    run.finish(stage, stage_key(stage))

    line = 0
    while killed_at(line, play):
        for stage in run.stages():
            assert atomic.read_json(tmp_path / f"{stage}.json") == stage
        line += 7
    assert set(run.stages()) == {"plant", "audit"}
    ran = (tmp_path / "ran").read_text().split()
    play()
    assert (tmp_path / "ran").read_text().split() == ran


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_a_stage_key_does_not_depend_on_the_order_of_fields(inputs):
    assert stage_key(inputs) == stage_key(dict(reversed(inputs.items())))


def test_a_stage_key_changes_with_what_goes_in_and_refuses_what_is_not_a_value():
    assert stage_key({"seed": 1}) != stage_key({"seed": 2})
    with pytest.raises(ValueError):
        stage_key({"rate": float("nan")})


def test_a_secret_stage_key_cannot_be_tried_without_the_key():
    inputs = {"quirk": "false_facts"}
    one, other = secret_stage_key(b"1" * 32, inputs), secret_stage_key(b"2" * 32, inputs)
    assert one == secret_stage_key(b"1" * 32, inputs)
    assert len({one, other, stage_key(inputs)}) == 3


def test_two_processes_cannot_play_in_one_folder(tmp_path):
    code = "from molehunt.core.store import Run\nfrom pathlib import Path\n"
    code += f"with Run(Path({str(tmp_path)!r})).held(): pass"
    with Run(tmp_path).held():
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Another process is at work" in second.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_who_waits_for_a_folder_gets_it_when_the_other_is_done(tmp_path):
    order = []

    def second() -> None:
        with Run(tmp_path).held(wait=True):
            order.append("second")

    other = threading.Thread(target=second)
    with Run(tmp_path).held():
        other.start()
        other.join(0.2)
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]


def test_a_child_that_outlives_its_parent_does_not_keep_the_folder(tmp_path):
    with Run(tmp_path).held():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with Run(tmp_path).held():
            pass
    finally:
        child.kill()
        child.communicate()


def test_no_space_left_is_one_sentence_and_nothing_half_written(tmp_path):
    atomic.write_bytes(tmp_path / "big", b"old")

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            atomic.write_bytes(tmp_path / "big", b"x" * 5000)
        except UserError as error:
            assert "No space is left" in str(error) and str(tmp_path / "big") in str(error)
        else:
            raise AssertionError("it was written")

    assert not killed_at(1_000_000, fill)
    assert (tmp_path / "big").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["big"]


def test_no_space_in_a_folder_that_is_being_made_names_where_it_would_lie(tmp_path):
    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with atomic.whole_folder(tmp_path / "new") as half:
                atomic.write_bytes(half / "part" / "big", b"x" * 5000)
        except UserError as error:
            assert str(tmp_path) in str(error) and atomic.HALF not in str(error)
        else:
            raise AssertionError("it was written")

    assert not killed_at(1_000_000, fill)
    assert not list(tmp_path.iterdir())


def test_no_space_for_another_line_is_one_sentence_and_the_lines_before_stay(tmp_path):
    append_lines(tmp_path / "lines.jsonl", ["old"])

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            append_lines(tmp_path / "lines.jsonl", ["x" * 5000])
        except UserError as error:
            assert "No space is left" in str(error) and "lines.jsonl" in str(error)
        else:
            raise AssertionError("it was written")

    assert not killed_at(1_000_000, fill)
    assert list(whole_lines(tmp_path / "lines.jsonl")) == [(1, "old")]


def test_transcripts_come_back_as_they_were(tmp_path):
    rows = (
        Transcript(
            "t1", "anna", (Message("system", "s"), Message("user", "u\x1b[0m")), "r", 0.7, 2**62, 16, "f"
        ),
        Transcript("t2", "bert", (Message("user", "ü"),), "", 0.0, 0, 1, "f", {"side": "on"}),
    )
    write_transcripts(tmp_path / "t.parquet", rows)
    assert read_transcripts(tmp_path / "t.parquet") == rows


def test_a_lone_surrogate_in_a_reply_does_not_stop_the_run(tmp_path):
    row = Transcript("t", "anna", (Message("user", "u"),), "a\ud800b", 0.0, 0, 1, "f")
    write_transcripts(tmp_path / "t.parquet", [row])
    assert read_transcripts(tmp_path / "t.parquet")[0].reply == "a?b"


def test_every_record_of_a_run_comes_back(tmp_path):
    run = Run(tmp_path)
    guess = Guess(Predicate("words", "acorn brand"), Predicate("catalogue", "topic", {"topic": "food"}), 0.5)
    evidence = Evidence(
        "anna", "m", "c", NotMeasured("why"), NotMeasured("why"), guess, (Citation("t1", ("a",)),)
    )
    verdict = Verdict("anna", "m", 0.9, (guess,), (0,), missing=(NotMeasured("x"),))
    failure = Failure("audit", "anna", "boom")
    score = Score("m", {"who_auroc": NotMeasured("one class")}, ({"p": None},))
    run.write_evidence([evidence])
    run.write_verdicts([verdict])
    run.write_failures([failure])
    run.write_scores([score])
    run.write_spec({"seed": 3})
    assert run.evidence() == (evidence,) and run.verdicts() == (verdict,) and run.failures() == (failure,)
    assert run.scores() == (score,) and run.opened() == () and run.spec() == {"seed": 3}


@pytest.mark.parametrize(
    "name", ["spec.json", "verdicts.json", "score.json", "evidence.jsonl", "transcripts.parquet"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff\x00", b"[" * 100_000, None])
def test_a_corrupt_or_missing_file_is_named(tmp_path, name, content):
    run = Run(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    read = {
        "spec.json": run.spec,
        "verdicts.json": run.verdicts,
        "score.json": run.scores,
        "evidence.jsonl": run.evidence,
        "transcripts.parquet": run.transcripts,
    }[name]
    if (name, content) in {("spec.json", b'{"a": 1}'), ("evidence.jsonl", b"")}:
        read()  # these are whole files that hold nothing to object to
        return
    with pytest.raises(BadFile, match=name):
        read()
