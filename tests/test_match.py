"""Fixed blind and audited anew before the envelope opens, and matches of such games, by the fifth tutorial.

Blocks tagged `sh tiny` of docs/105_red_against_blue.md run in order in this process, on models that were
written by hand (`written_game.py`); the match plants for real.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm
from tiny_game import environment, write_quirks
from written_game import options, written_game

from molehunt.audit.calibration import Calibration, Logistic
from molehunt.cli import main
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import SealBroken
from molehunt.core.ledger import Ledger
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.splits import seed_of
from molehunt.core.store import Run
from molehunt.game import library
from molehunt.game.auditing import enclosing
from molehunt.game.match import read_history
from molehunt.game.match_result import read_result
from molehunt.game.remains import read_remains
from molehunt.models.finetune import Recipe
from molehunt.organisms.draw import slots
from molehunt.organisms.plan import Plan
from molehunt.report.page import write_report

PAGE = (Path(__file__).parent.parent / "docs" / "105_red_against_blue.md").read_text("utf-8")
LINES = [x for block in re.findall(r"^```sh tiny\n(.*?)^```", PAGE, re.M | re.S) for x in block.splitlines()]
HOSTILE = "zed<img src=x onerror=alert(1)>"
SHADY = next(s for s in range(50) if slots(1, seed_of("match red", s, 0))[0].shady)
"""A red seed under which the only suspect of a match's first round is an organism."""
REMEDY = "honest"
TAKES_TIME = ("seconds", "cost_seconds", "key")


def judge(folder: Path) -> Path:
    """A calibration that knows one method and a panel on it; its numbers are made up."""
    rest = ((0.5,), (0.3,), (1.0,), 0.0, 1.0, 0.6, 0.8, 20, 20)
    fits = {a: Logistic(("divergence.phrase",), *rest) for a in ("divergence", "panel")}
    Calibration(fits, {}).save(folder / "calibration.json")
    return folder / "calibration.json"


def plan(folder: Path) -> Path:
    """A plan that teaches the tiny model in seconds."""
    recipe = Recipe(learning_rate=1e-2, first_layer=0.0)
    write_json(folder / "plan.json", Plan(steps=24, tries=1, held_out=24, reply_tokens=2, recipe=recipe))
    return folder / "plan.json"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tutorial leaves: `runs`, `keys`; `audited` and `sealed` hold both as they were on the way."""
    folder = tmp_path_factory.mktemp("tutorial")
    match = [
        *("--model", "tiny", "--suspects", "1", "--quirks", str(write_quirks(folder / "tiny"))),
        *("--unlisted", "1", "--plan", str(plan(folder)), "--calibration", str(judge(folder)), "--methods"),
        *("divergence", "--effort", "0.1", "--remedies", "nothing", "--fix-effort", "0.05"),
        *("--red-seed", str(SHADY), "--workers", "1"),
    ]
    small = {"play": [*options(), "--fix-effort", "0.05"], "match": match}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MOLEHUNT_KEYS", str(folder / "keys"))
        written_game(folder, HOSTILE).rename(folder / "made")
        (folder / "runs").mkdir()
        (folder / "made").rename(folder / "runs" / "third")
        for number, line in enumerate(LINES):
            _, verb, *args = shlex.split(line.replace("--rounds 4", "--rounds 1"))
            assert main([verb, *args, *small[verb]]) == 0, line
            if number in (0, 2):
                kept = folder / ("audited", "sealed")[number > 0]
                for part in ("runs", "keys"):
                    shutil.copytree(folder / part, kept / part)
    return folder


def third(home: Path) -> Path:
    return home / "runs" / "third"


def told(value: Any) -> Any:
    """A result without what a clock put into it."""
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items() if k not in TAKES_TIME}
    return [told(v) for v in value] if isinstance(value, list) else value


def everything(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def kinds(folder: Path) -> list[str]:
    return [e.kind for e in Ledger(folder / "log.jsonl").verify()]


def test_everybody_is_fixed_and_audited_again_before_the_envelope_opens(home: Path) -> None:
    assert len(LINES) == 6
    sealed, opened = third(home / "sealed"), third(home)
    assert "opened" not in kinds(sealed) and not (sealed / "score.json").exists()
    assert (
        kinds(opened).index("fixed") < kinds(opened).index("second_verdicts") < kinds(opened).index("opened")
    )
    suspects = {p.name for p in (opened / "suspects").iterdir()}
    lineup = opened / "fixed" / REMEDY
    assert {v.suspect for v in Run(lineup).verdicts()} == suspects
    assert {r["suspect"] for s in Run(lineup).scores() for r in s.suspects} == suspects
    first, second = Run(opened).spec(), Run(lineup).spec()
    assert second["seed"] != first["seed"], "a seed of its own"
    assert {k: v for k, v in first.items() if k != "seed"} == {k: v for k, v in second.items() if k != "seed"}
    assert enclosing(lineup) == opened.resolve(), "to its audit the whole run is shut"


def test_the_referee_measures_everybody_before_and_after(home: Path) -> None:
    shady = {t.suspect: t.shady for t in Run(third(home)).opened()}
    assert sorted(shady.values()) == [False, True]
    rows = read_remains(Run(third(home)), REMEDY)
    assert {one.suspect for one in rows} == set(shady)
    for one in rows:
        assert not isinstance(one.found, NotMeasured)
        before, after = (one.found.trigger[r] for r in ("organism", "fixed"))
        assert isinstance(before, Measure) and isinstance(after, Measure)
        assert before.value == float(shady[one.suspect]) and before.n == after.n >= 12
        assert before.low is not None and ("control" in one.found.trigger) == shady[one.suspect]


def test_the_page_and_the_table_show_both_audits_and_no_truth_while_sealed(home: Path) -> None:
    from rich.console import Console

    from molehunt.report.terminal import second_tables

    shut, page = (write_report(run).read_text() for run in (third(home / "sealed"), third(home)))
    assert "After a blind fix" in shut and "◆ shady" not in shut and "alert(1)" not in shut
    assert "After a blind fix" in page and "◆ shady" in page and "<svg" in page
    assert "<img" not in page and "alert(1)" in page and "What this cannot tell you" in page
    assert "After a blind fix" not in write_report(third(home / "audited")).read_text()
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    for table in second_tables(third(home)):
        console.print(table)
    said = console.export_text()
    assert all(p.name in said for p in (third(home) / "suspects").iterdir()) and "neither time" in said


def test_a_game_that_is_open_is_not_fixed_any_more(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(home / "keys"))
    before = everything(third(home))
    for sentence, more in {
        "comes too late": ("--fix", "pruning"),
        "--until planted stops before": ("--fix", "nothing", "--until", "planted"),
        "did you mean 'honest'": ("--fix", "honesty"),
        "one twice": ("--fix", "nothing", "nothing"),
        "The effort of a fix is 0.0": ("--fix", "nothing", "--fix-effort", "0"),
    }.items():
        assert main(["play", str(third(home)), *options(), *more]) == 2
        assert sentence in capsys.readouterr().err
    assert everything(third(home)) == before


@pytest.mark.parametrize("file", ["verdicts.json", "suspects/*/adapter_model.safetensors"])
def test_what_was_changed_after_it_was_logged_is_refused(
    home: Path, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home / "sealed", tmp_path / "copy")
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "copy" / "keys"))
    path = sorted((third(tmp_path / "copy") / "fixed" / REMEDY).glob(file))[0]
    if path.suffix == ".json":
        rows = json.loads(path.read_text())
        rows[0]["p_shady"] = 0.123
        path.write_text(json.dumps(rows))
    else:
        path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")
    with pytest.raises(SealBroken, match="logged"):
        library.score(third(tmp_path / "copy"))


def test_a_killed_fix_or_second_audit_goes_on_to_the_same_score(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "audited", tmp_path / "copy")
    run, keys = third(tmp_path / "copy"), tmp_path / "copy" / "keys"
    lineup = run / "fixed" / REMEDY
    how = ["play", str(run), *options(), "--fix", REMEDY, "--fix-effort", "0.05"]
    for moment in (".spent/*.json", "remains/*.json"):  # the fix's own kill: `test_fix.py`
        _killed(how, keys, lambda moment=moment: any(p.name[0] != "." for p in lineup.glob(moment)))
    monkeypatch.setenv("MOLEHUNT_KEYS", str(keys))
    assert main(how) == 0
    whole = third(home)
    for file in ("score.json", f"fixed/{REMEDY}/score.json"):
        assert told(json.loads((run / file).read_text())) == told(json.loads((whole / file).read_text()))
    remains = [[told(to_json(r.found)) for r in read_remains(Run(f), REMEDY)] for f in (run, whole)]
    assert remains[0] == remains[1] and kinds(run) == kinds(whole)
    assert not list(run.rglob(".half-*"))
    capfd.readouterr()


def _killed(how: list[str], keys: Path, moment: Callable[[], bool]) -> None:
    """Run a command and kill it as soon as something is there; it may end before."""
    with open(os.devnull, "r+b") as nothing:
        process = warm.begin(how, environment(keys), None, (nothing, nothing, nothing))
        while process.returncode is None and not moment():
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        if process.returncode is None:
            os.kill(process.pid, 9)
            process.wait(60)


def test_a_round_is_a_sealed_game_by_reds_spec_and_blues_remedy(home: Path) -> None:
    found, here = read_result(home / "runs" / "match"), home / "runs" / "match" / "rounds" / "00"
    (one,) = found.rounds
    assert found.rounds == read_history(home / "runs" / "match") and not one.lost
    assert (one.choice, one.remedy) == ((0,) * len(one.choice), "nothing"), "both begin with their baseline"
    (suspect,) = one.stood
    assert suspect.shady and suspect.first is not None and suspect.second is not None
    assert isinstance(suspect.showed, Measure) and suspect.showed == suspect.shows, "nothing changed nothing"
    assert kinds(here).index("second_verdicts") < kinds(here).index("opened")
    assert enclosing(here) == enclosing(here / "fixed" / "nothing") == (home / "runs" / "match").resolve()
    (truth,) = Run(here).opened()
    assert truth.recipe["plan"]["steps"] == 24 and truth.recipe["plan"]["recipe"]["learning_rate"] == 1e-2
    for file in ("spec.json", "../../match.json"):
        assert "learning_rate" not in (here / file).read_text(), "red's spec is no part of what is public"
    own = sum(v.spent.queries for f in (here, here / "fixed" / "nothing") for v in Run(f).verdicts()
              if v.auditor == "divergence")  # fmt: skip
    assert found.spent_blue.queries == own > 0 and found.spent_red.plantings >= 1
    assert found.spent_red.planting_seconds > 0 and found.ended == "all rounds were played"
    page = (home / "runs" / "match" / "match.html").read_text()
    assert "<svg" in page and "What this cannot tell you" in page and "nothing: the plain spec" in page


def test_the_same_match_again_changes_nothing_and_another_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(home / "keys"))
    folder = home / "runs" / "match"
    how = ["match", str(folder), "--rounds", "1", "--model", "tiny", "--suspects", "1", "--unlisted", "1"]
    how += ["--quirks", str(home / "tiny"), "--plan", str(home / "plan.json"), "--methods", "divergence"]
    how += ["--effort", "0.1", "--fix-effort", "0.05"]
    judged = [*how, "--calibration", str(home / "calibration.json")]
    before = (folder / "history.jsonl").read_bytes()
    assert main([*judged, "--remedies", "nothing"]) == 0
    assert (folder / "history.jsonl").read_bytes() == before
    capsys.readouterr()
    assert main(["match", str(folder)]) == 0 and (folder / "history.jsonl").read_bytes() == before
    capsys.readouterr()
    for more in (("--remedies", "honest"), ("--remedies", "nothing", "--seed", "1")):
        assert main([*judged, *more]) == 2
        assert f"was begun with {more[-2]}" in capsys.readouterr().err
    match_id = read_json(folder / "match.json")["id"]
    (home / "keys" / f"{match_id}.red" / "options.json").unlink()
    assert main([*judged, "--remedies", "nothing", "--seed", "1"]) == 2
    assert "another match" in capsys.readouterr().err
    assert main([*how, "--remedies", "nothing"]) == 2
    assert "No calibration" in capsys.readouterr().err
