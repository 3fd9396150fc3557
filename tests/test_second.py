"""Between two audits everybody is fixed blind and audited again in the locked room, before the envelope opens."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import warm
from tiny_game import environment
from written_game import SPEC, options, written_game

from molehunt.audit.room import Job
from molehunt.cli import main
from molehunt.core.errors import SealBroken
from molehunt.core.ledger import Ledger
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.store import Run
from molehunt.game import auditing, library
from molehunt.game.fix_task import Wish
from molehunt.game.remains import read_remains
from molehunt.game.second import audited_again
from molehunt.report.page import write_report

TAKES_TIME = ("seconds", "cost_seconds")
HOSTILE = "zed<img src=x onerror=alert(1)>"
WISH = Wish(("nothing",))


def told(value: Any) -> Any:
    """A result without what a clock put into it."""
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items() if k not in (*TAKES_TIME, "key")}
    return [told(v) for v in value] if isinstance(value, list) else value


def everything(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def kinds(folder: Path) -> list[str]:
    return [e.kind for e in Ledger(folder / "log.jsonl").verify()]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, a game whose first verdicts are on record, and `keys`."""
    home = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLEHUNT_KEYS", str(home / "keys"))
        library.play(written_game(home, HOSTILE), SPEC, until="audited")
    return home


@pytest.fixture(scope="module")
def twice(audited: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Job], Path]:
    """The game with a fix and a second audit on record, still sealed; the audits' jobs; the game opened."""
    jobs: list[Job] = []
    job = auditing._job

    def seen(*args: Any) -> Job:
        jobs.append(job(*args))
        return jobs[-1]

    home = tmp_path_factory.mktemp("twice")
    shutil.copytree(audited, home / "sealed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLEHUNT_KEYS", str(home / "sealed" / "keys"))
        patch.setattr(auditing, "_job", seen)
        library.play(home / "sealed" / "run", SPEC, until="audited", wish=WISH)
        shutil.copytree(home / "sealed", home / "opened")
        patch.setenv("MOLEHUNT_KEYS", str(home / "opened" / "keys"))
        library.play(home / "opened" / "run", SPEC, wish=WISH)
    return home / "sealed" / "run", jobs, home / "opened" / "run"


def test_everybody_is_fixed_and_audited_again_before_the_envelope_opens(
    twice: tuple[Path, list[Job], Path],
) -> None:
    sealed, jobs, opened = twice
    assert "opened" not in kinds(sealed) and not (sealed / "score.json").exists()
    assert kinds(opened).index("second_verdicts") < kinds(opened).index("opened")
    assert kinds(opened).index("fixed") < kinds(opened).index("second_verdicts")
    suspects = {p.name for p in (opened / "suspects").iterdir()}
    lineup = opened / "fixed" / "nothing"
    assert {v.suspect for v in Run(lineup).verdicts()} == suspects
    assert {r["suspect"] for s in Run(lineup).scores() for r in s.suspects} == suspects
    (again,) = jobs
    first, second = Run(opened).spec(), Run(lineup).spec()
    assert again.seed == second["seed"] != first["seed"]
    budget = ("methods", "queries", "tokens", "seconds", "effort", "access", "reference", "model")
    assert [first[k] for k in budget] == [second[k] for k in budget]
    assert str(sealed.resolve()) in again.closed, "the run around it is closed"
    assert again.opened == (str((sealed / "fixed" / "nothing" / "suspects").resolve()),)


def test_the_referee_measures_everybody_before_and_after(twice: tuple[Path, list[Job], Path]) -> None:
    opened = twice[2]
    shady = {t.suspect: t.shady for t in Run(opened).opened()}
    assert sorted(shady.values()) == [False, True]
    for one in read_remains(Run(opened), "nothing"):
        assert not isinstance(one.found, NotMeasured)
        before, after = (one.found.trigger[r] for r in ("organism", "fixed"))
        assert isinstance(before, Measure) and isinstance(after, Measure)
        assert before.value == after.value == float(shady[one.suspect]), "nothing changes nothing"
        assert ("control" in one.found.trigger) == shady[one.suspect]
        assert before.low is not None and before.n >= 12


def test_the_page_and_the_table_show_both_audits_and_no_truth_while_sealed(
    twice: tuple[Path, list[Job], Path],
) -> None:
    from rich.console import Console

    from molehunt.report.terminal import second_tables

    sealed, _, opened = twice
    shut, page = (write_report(run).read_text() for run in (sealed, opened))
    assert "After a blind fix" in shut and "◆ shady" not in shut and "alert(1)" not in shut
    assert "After a blind fix" in page and "◆ shady" in page and "<svg" in page
    assert "<img" not in page and "alert(1)" in page and "What this cannot tell you" in page
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    for table in second_tables(opened):
        console.print(table)
    said = console.export_text()
    assert all(p.name in said for p in (opened / "suspects").iterdir()) and "1.00" in said


def test_a_game_that_is_open_is_not_fixed_any_more(
    twice: tuple[Path, list[Job], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = twice[2]
    monkeypatch.setenv("MOLEHUNT_KEYS", str(opened.parent / "keys"))
    before = everything(opened)
    for sentence, more in {
        "comes too late": ("--fix", "pruning"),
        "--until planted stops before": ("--fix", "nothing", "--until", "planted"),
        "did you mean 'honest'": ("--fix", "honesty"),
        "one twice": ("--fix", "nothing", "nothing"),
    }.items():
        assert main(["play", str(opened), *options(), *more]) == 2
        assert sentence in capsys.readouterr().err
    assert everything(opened) == before


def test_a_verdict_or_an_adapter_that_was_changed_after_the_log_is_refused(
    twice: tuple[Path, list[Job], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (name, text) in enumerate(
        {"verdicts.json": ("0.5", "0.25"), "suspects/*/adapter_model.safetensors": ("", "")}.items()
    ):
        home = tmp_path / str(number)
        shutil.copytree(twice[0].parent, home)
        monkeypatch.setenv("MOLEHUNT_KEYS", str(home / "keys"))
        (path, *_) = sorted((home / "run" / "fixed" / "nothing").glob(name))
        if text[0]:
            rows = json.loads(path.read_text())
            rows[0]["p_shady"] = 0.123
            path.write_text(json.dumps(rows))
        else:
            path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")
        with pytest.raises(SealBroken, match="logged"):
            library.score(home / "run")


def test_a_killed_fix_or_second_audit_goes_on_to_the_same_score(
    audited: Path, twice: tuple[Path, list[Job], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, keys = tmp_path / "home", tmp_path / "home" / "keys"
    shutil.copytree(audited, home)
    run = home / "run"
    lineup = run / "fixed" / "nothing"
    moments = (
        lambda: list(lineup.glob("suspects/*/README.md")),
        lambda: list(lineup.glob(".spent/*.json")),
        lambda: list(lineup.glob("remains/*.json")),
    )
    for moment in moments:
        with open(os.devnull, "r+b") as nothing, (home / "errors.txt").open("ab") as errors:
            given = ["play", str(run), *options(), "--fix", "nothing"]
            process = warm.begin(given, environment(keys), None, (nothing, nothing, errors))
        while process.returncode is None and not moment():
            try:
                process.wait(0.02)
            except Exception:
                continue
        if process.returncode is None:
            os.kill(process.pid, 9)
            process.wait(60)
        time.sleep(0.2)
    monkeypatch.setenv("MOLEHUNT_KEYS", str(keys))
    library.play(run, SPEC, wish=WISH)
    opened = twice[2]
    for file in ("score.json", "fixed/nothing/score.json"):
        assert told(json.loads((run / file).read_text())) == told(json.loads((opened / file).read_text()))
    assert [told(to_json(r.found)) for r in read_remains(Run(run), "nothing")] == [
        told(to_json(r.found)) for r in read_remains(Run(opened), "nothing")
    ]
    assert kinds(run) == kinds(opened) and audited_again(Run(run)) == ("nothing",)
    assert not list(run.rglob(".half-*"))


def test_an_old_run_folder_has_no_second_audit(audited: Path) -> None:
    assert "After a blind fix" not in write_report(audited / "run").read_text()
