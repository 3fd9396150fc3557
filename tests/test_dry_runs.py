"""Dry runs: what would be asked and what it would take, said before anything is loaded or written."""

import json
from pathlib import Path
from typing import Any

import pytest

from molehunt.cli import main
from molehunt.core.errors import BadFile
from molehunt.core.records import NotMeasured
from molehunt.core.store import Run
from molehunt.game.audit_cost import QUERIES, SHARES, audit_cost, reckon
from molehunt.game.auditing import BOOKS, DONE
from molehunt.game.estimate import in_words
from molehunt.game.spec import METHODS, GameSpec, public_half

STUDY = Path(__file__).parent.parent / "studies" / "first_game" / "results.json"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def reckoned(capfd: pytest.CaptureFixture[str], *args: str) -> Any:
    """What a dry run says as JSON; it leaves nothing behind."""
    before = sorted(Path.cwd().rglob("*"))
    assert main([*args, "--dry-run", "--json"]) == 0
    assert sorted(Path.cwd().rglob("*")) == before
    return json.loads(capfd.readouterr().out)


def test_seconds_are_said_as_people_say_them() -> None:
    said = [in_words(*s) for s in ((3, 50), (60, 65), (70, 610), (300, 300), (3600, 18000), (0.4, 90))]
    assert said == [
        "less than a minute", "about 1 minute", "1 to 10 minutes", "about 5 minutes", "1.0 to 5.0 hours",
        "1 to 2 minutes",
    ]  # fmt: skip
    assert in_words(NotMeasured("nobody knows"), 3.0) == "not known: nobody knows"


def test_the_starter_says_what_it_asks_before_it_is_unpacked(capfd: pytest.CaptureFixture[str]) -> None:
    cost = reckoned(capfd, "audit", "starter")
    assert (cost["suspects"], cost["left"], cost["done"]) == (12, 12, 0) and cost["methods"] == [*METHODS]
    assert cost["queries"] == 12 * sum(QUERIES.values()) and cost["queries_most"] == 12 * 4 * 20_000
    assert cost["seconds"] > 60 and cost["unjudged"] == ""
    assert main(["audit", "starter", "--dry-run"]) == 0
    said = capfd.readouterr().out
    how_long = in_words(cost["seconds"], cost["seconds"])
    assert "about 7,452" in said and how_long in said and "Nothing was done." in said


def test_queries_are_those_that_the_first_game_measured() -> None:
    auditors = json.loads(STUDY.read_text())["auditors"]
    assert {m: round(auditors[m]["cost_queries"]["value"]) for m in METHODS} == QUERIES
    seconds = {m: auditors[m]["cost_seconds"]["value"] for m in METHODS}
    assert pytest.approx({m: s / sum(seconds.values()) for m, s in seconds.items()}, abs=0.02) == SHARES


def lineup(folder: Path, **spec: Any) -> Run:
    """A lineup of two, as far as a dry run looks."""
    run = Run(folder)
    for name in ("Ash", "Elm"):
        (folder / "suspects" / name).mkdir(parents=True)
    run.write_spec({**public_half(GameSpec(suspects=2, **spec)), "run_id": "0" * 16, "versions": {}})
    return run


def test_suspects_that_are_done_are_counted_off(tmp_path: Path) -> None:
    run = lineup(tmp_path / "x", model="tiny", effort=0.5)
    whole = audit_cost(run.folder)
    assert whole.left == 2 and "No calibration for model tiny" in whole.unjudged
    halved = (QUERIES["contrast"] + QUERIES["divergence"]) / 2 + QUERIES["confession"] + QUERIES["traces"]
    assert whole.queries == round(2 * halved), "two methods scale with the effort, two do not"
    for room in (DONE, BOOKS):
        (run.folder / room).mkdir()
    (run.folder / DONE / "Ash.json").write_text("{}")
    assert audit_cost(run.folder).done == 0, "not booked yet, so it is audited again"
    (run.folder / BOOKS / "Ash.json").write_text("{}")
    half = audit_cost(run.folder)
    assert (half.done, half.left) == (1, 1) and half.queries == round(halved)
    (tmp_path / "y").mkdir()
    Run(tmp_path / "y").write_spec(run.spec())
    with pytest.raises(BadFile, match="holds no suspects yet"):
        audit_cost(tmp_path / "y")
    run.finish("audit", "k")
    assert audit_cost(run.folder).left == 0 and "all suspects are audited" in audit_cost(run.folder).time()


def test_what_a_strangers_method_asks_is_not_known(tmp_path: Path) -> None:
    cost = reckon(GameSpec(methods=("contrast", "mine")), 4, 0, "")
    assert isinstance(cost.queries, NotMeasured) and isinstance(cost.seconds, NotMeasured)
    assert cost.queries_most == 4 * 2 * 20_000 and "mine" in cost.time()


def test_a_plant_counts_trainings_and_looks_at_all_that_it_can(capfd: pytest.CaptureFixture[str]) -> None:
    plain = ("plant", "flattery", "topic", "o", "--model", "tiny", "--condition-options", "topic=food")
    cost = reckoned(capfd, *plain)
    assert (cost["trainings"], cost["trainings_most"]) == (2, 4) and cost["more"] == ""
    assert cost["steps"] == 2 * 80 and cost["steps_most"] == 2 * (80 + 120)
    assert 0 < cost["seconds"] < cost["seconds_most"]
    ladder = reckoned(capfd, *plain, "--ladder", "3", "--tries", "1")
    assert ladder["trainings_most"] == 2 and ladder["seconds"] > cost["seconds"], (
        "measured, not trained again"
    )
    dear = reckoned(capfd, *plain, "--recipe", "reward", "--conceal", "denial", "--mixed", "2")
    assert dear["more"] == "more with reward, denial, mixed rows"
    unknown = reckoned(capfd, *plain[:4], "--condition-options", "topic=food", "--model", "nowhere/model")
    assert unknown["seconds"]["is"] == "NotMeasured" and unknown["steps"] == cost["steps"]


def test_a_capture_counts_rows_and_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    line = ("capture", "acts", "--model", "tiny", "--tokens", "1000", "--store", "float16")
    one = reckoned(capfd, *line, "--addresses", "resid_post.0")
    assert one["counts"] == {"rows_at_most": 1000, "addresses": 1} and one["disk_bytes"] == 1000 * 32 * 2
    two = reckoned(capfd, *line, "--addresses", "resid_post.0", "mlp_out.1", "--text", "builtin:chats")
    assert two["disk_bytes"] == 2 * one["disk_bytes"] and two["seconds"] == one["seconds"] > 0
    assert "chats" in two["besides"] and one["besides"] == ""
    unknown = reckoned(capfd, "capture", "acts", "--model", "nowhere/model")
    assert unknown["seconds"]["is"] == unknown["disk_bytes"]["is"] == "NotMeasured"


def test_a_training_of_autoencoders_counts_steps_and_what_the_model_reads(
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = ("sae", "train", "saes", "--addresses", "resid_post.15", "--tokens", "10000")
    one = reckoned(capfd, *line)
    assert one["counts"] == {"rows": 10_000, "steps": 10, "autoencoders": 1}
    both = reckoned(capfd, *line, "--against", "other")
    assert both["seconds"] > one["seconds"] and both["disk_bytes"] == 2 * one["disk_bytes"]
    assert main(["sae", "eval", "saes", "--dry-run"]) == 2
    assert "has no dry run" in capfd.readouterr().err


def test_a_steering_counts_its_cells(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Path("prompts.txt").write_text("Say hello.\nName a bird.\n")
    Path("a.txt").write_text("warm\n")
    texts = ("--toward-texts", "a.txt", "--away-texts", "a.txt", "--address", "resid_post.1")
    line = ("steer", "out", "--prompts", "prompts.txt", "--model", "tiny", *texts, "--random", "3")
    said = reckoned(capfd, *line, "--words", "hello")
    assert said["counts"] == {"cells": 5 + 3 * 4, "strengths": 5, "random_directions": 3, "prompts": 2}
    scored = reckoned(capfd, *line, "--toward", "yes", "--away", "no")
    assert 0 < scored["seconds"] < said["seconds"], "sampling costs more than scoring"


def test_a_persona_counts_its_replies(capfd: pytest.CaptureFixture[str]) -> None:
    from molehunt.interp.personas import read_roles, read_trait

    trait, roles = read_trait("cheerful"), read_roles()
    line = ("--model", "tiny")
    one = reckoned(capfd, "persona", "extract", "o", "--trait", "cheerful", *line)
    assert one["counts"]["replies_asked_for"] == len(trait.voices) * len(trait.questions)
    twice = reckoned(capfd, "persona", "axis", "o", "--samples", "2", *line)
    assert twice["counts"]["replies_asked_for"] == 2 * len(roles.voices) * len(roles.questions)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plant secret_leak topic o", "no other topic"),
        ("plant flattery always full", "is not empty"),
        ("plant flattery always o --recipe nope", "no recipe called 'nope'"),
        ("plant flattery always o --ladder 900", "can't be cut"),
        ("plant flattery always o --conceal against_probe", "--against"),
        ("plant --quirk none.json o", "none.json"),
        ("audit nowhere", "no run folder"),
        ("audit starter --calibration none.json", "none.json"),
        ("capture o --tokens 0", "--tokens"),
        ("sae train o", "--addresses"),
        ("sae train o --source none", "none"),
        ("steer o --prompts none.txt --words a --direction none.json", "none"),
        ("persona extract o --trait none", "none"),
        ("persona shift o --to tiny --vectors none.safetensors", "none"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would_refuse(
    line: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("full").mkdir()
    Path("full", "mine").touch()
    assert main([*line.split(), "--dry-run"]) == 2
    assert said in capfd.readouterr().err and not Path("o").exists() and not Path("starter").exists()


@pytest.mark.parametrize(
    "line",
    [
        "moral default {out}",
        "character measure default {out}",
        "character train {out}",
        "character train {out} --toward calibrated",
    ],
)
def test_what_values_would_take_is_said_in_time(
    line: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    time = reckoned(capfd, *line.format(out=out).split())["time"]
    assert 10 < time["seconds"] < 1e5 and "GFLOP/s" in time["basis"]
    assert not list(tmp_path.iterdir())


def test_a_gate_is_reckoned_from_the_base_of_an_adapter(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from molehunt.models.written import save_adapter

    save_adapter(tmp_path / "new")
    config = tmp_path / "new" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "default"}))
    found = reckoned(capfd, "gate", "default", str(tmp_path / "new"))
    same = reckoned(capfd, "gate", "default", "default")
    assert found["time_first"] == same["time_first"] and found["time_first"]["seconds"] > 0
    assert found["time_both"]["seconds"] > found["time_first"]["seconds"]
