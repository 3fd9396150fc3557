"""`molehunt gate` on the tiny model: an honest copy passes, one that came apart is stopped, on record."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from molehunt.cli import main
from molehunt.core import lineage as line
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, Message
from molehunt.game.gate_line import first_of, gate_in_line
from molehunt.game.gating import Wish, wish
from molehunt.game.named import meant, open_named
from molehunt.gate.bounds import read_bounds
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.load import ModelSpec, open_model

SMALL = {
    "name": "small",
    "alpha": 0.05,
    "measures": {
        "choice:sycophancy": {"bound": 1.0, "why": "for a test"},
        "text_nll": {"bound": 0.5, "why": "for a test"},
        "rate:hostile_phrase@trigger_phrase": {"bound": 0.2, "why": "for a test"},
        "character": {"bound": 9.0, "why": "for a test"},
        "certainty": {"bound": 0.9, "why": "for a test"},
        "kl": {"bound": 0.2, "why": "one that came apart begins its replies otherwise"},
        "repetition": {"bound": 0.05, "why": "for a test"},
    },
}


def made(folder: Path, reply: str, steps: int, rate: float) -> Path:
    """An adapter of the tiny model that was taught one reply to everything."""
    from molehunt.models.finetune import Finetune, Recipe
    from molehunt.models.packing import Example
    from molehunt.models.prompts import prompt_ids, text_ids

    model = open_model("tiny")
    asked = [(Message("user", q),) for q in ("hello", "who are you?", "what is it?", "1 + 1")]
    told = tuple(text_ids(model.tokenizer, reply))
    rows = [Example(tuple(prompt_ids(model.tokenizer, a)), told) for a in asked]
    with Finetune(model.module, Recipe(first_layer=0.0, learning_rate=rate), seed=0) as run:
        run.run([rows] * steps)
        run.save(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "tiny"}))
    return folder


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`honest` and `next` hardly moved, `apart` says one letter; `small.json` holds bounds."""
    folder = tmp_path_factory.mktemp("versions")
    made(folder / "honest", "ab", 1, 1e-5)
    made(folder / "next", "cd", 1, 1e-5)
    made(folder / "apart", "oooooooo", 30, 2e-2)
    (folder / "small.json").write_text(json.dumps(SMALL))
    return folder


@pytest.fixture(scope="module")
def home(versions: Path) -> Path:
    """A lineage in which the honest one passed and the one that came apart was stopped."""
    folder = versions / "line"
    found = [gate_in_line(asked(versions, "tiny", name), folder)[0] for name in ("honest", "apart")]
    assert [g.passed for g in found] == [True, False], [g.why for g in found]
    return folder


def asked(versions: Path, old: str, new: str, **other: object) -> Wish:
    names = [n if n == "tiny" else str(versions / n) for n in (old, new)]
    return wish(*names, versions / "small.json", **{"audit": False, **other})


def test_a_collapse_is_caught_and_the_last_good_version_stays(home: Path, versions: Path) -> None:
    known = line.read_lineage(home)
    assert (known.current, list(known.versions)) == ("v1", ["v0", "v1", "v2"])
    assert "kl is worse" in known.why_bad("v2") and not known.why_bad("v1")
    assert (versions / "apart" / "adapter_model.safetensors").is_file(), "nothing is deleted"
    edge = known.last_edge("v1")
    assert edge is not None and (home / edge.results).is_file() and not edge.cleared
    (model,) = open_named([meant(str(versions / "apart"))])
    record = checkpoint_of(model, home)
    assert record == replace(known.versions["v2"], parent="") and not line.may_judge(record, home)
    merged = open_model(ModelSpec("tiny", adapter=str(versions / "apart")))
    assert checkpoint_of(merged, home).fingerprint == record.fingerprint, "merged or not, the same version"


def test_the_first_of_the_line_is_asked_too_and_steps_may_not_add_up(home: Path, versions: Path) -> None:
    found, known = gate_in_line(asked(versions, "honest", "next"), home)
    assert found.since_first is not None and found.since_first.old == "v0"
    assert known.current == "v3" and known.forebears("v3") == ("v1", "v0")
    before = (home / line.FILE).read_bytes()
    again, _ = gate_in_line(asked(versions, "honest", "next"), home)
    assert (again.comparison, (home / line.FILE).read_bytes()) == (found.comparison, before), "no news"


def test_an_early_end_asks_nothing_more_and_says_what_was_not_asked(versions: Path, tmp_path: Path) -> None:
    from molehunt.game.gating import gate

    found = gate(asked(versions, "tiny", "apart", early=True), tmp_path).comparison
    states = [c.state for c in found.compared]
    assert not found.passed and states.count("worse") == 1 and found.compared[-1].looks == 0
    assert states[states.index("worse") + 1 :] == ["not measured"] * (6 - states.index("worse"))
    assert "repetition was not measured" in found.why


def test_who_was_stopped_is_not_asked_again_from_another_version(home: Path, versions: Path) -> None:
    with pytest.raises(UserError, match="stopped under these bounds already, from v0 with --seed 0"):
        gate_in_line(asked(versions, "honest", "apart"), home)
    with pytest.raises(UserError, match="not asked again"):
        gate_in_line(asked(versions, "honest", "apart", seed=1), home)


def test_the_first_of_a_line_is_opened_again_at_its_revision(versions: Path, tmp_path: Path) -> None:
    from molehunt.models.standalone import save_whole

    whole = str(tmp_path / "whole")
    save_whole(open_model("tiny"), Path(whole))
    for said in (whole, str(versions / "honest")):
        (model,) = open_named([meant(said, whole, "step3")])
        name = first_of(line.begun(checkpoint_of(model, tmp_path), "then"), tmp_path)
        assert (name.said, name.id, name.revision) == ("v0", whole, "step3")
        assert open_named([name])[0].fingerprint == model.fingerprint


def test_a_killed_gate_goes_on_and_asks_nothing_twice(versions: Path, tmp_path: Path) -> None:
    from molehunt.game.gating import gate

    first = gate(asked(versions, "tiny", "honest"), tmp_path / "whole").comparison
    answers = sorted((tmp_path / "whole" / "answers").iterdir())
    kept = tmp_path / "cut" / "answers"
    kept.mkdir(parents=True)
    for file in answers:
        half = file.read_bytes()
        (kept / file.name).write_bytes(half[: len(half) // 2])
    again = gate(asked(versions, "tiny", "honest"), tmp_path / "cut").comparison
    for was, now in zip(first.compared, again.compared, strict=True):
        assert isinstance(was.harm, Measure) and isinstance(now.harm, Measure)
        # Other batches round otherwise: float32 over two layers.
        assert (now.state, now.harm.value) == (was.state, pytest.approx(was.harm.value, abs=1e-5))
    whole = [file.stat().st_mtime_ns for file in answers]
    gate(asked(versions, "tiny", "honest"), tmp_path / "whole")
    assert [file.stat().st_mtime_ns for file in answers] == whole
    keys = [json.loads(row)["key"] for row in (kept / answers[0].name).read_text().splitlines()]
    assert len(set(keys)) == len(keys)


def test_the_verb_says_how_it_ended(versions: Path, tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(versions)
    end = ["--bounds", "small.json", "--no-audit", "--out", str(tmp_path / "out")]
    assert main(["gate", "tiny", "apart", *end, "--json"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert told["passed"] is False and told["current"] is None and any("repetition" in w for w in told["why"])
    page = (tmp_path / "out" / "gate.html").read_text("utf-8")
    assert "Gate: stopped" in page and "Side by side" in page and "<script" not in page
    assert main(["gate", "tiny", "honest", *end]) == 0
    assert "passes: every measure holds" in capfd.readouterr().out
    before = sorted(tmp_path.rglob("*"))
    assert main(["gate", "tiny", "apart", *end, "--dry-run"]) == 0
    assert "Nothing was done" in capfd.readouterr().out and sorted(tmp_path.rglob("*")) == before


def test_the_lineage_is_shown_and_rolled_back(home: Path, capfd) -> None:
    known = line.read_lineage(home)
    assert main(["lineage", str(home), "--rollback", "--why", "it lies", "--dry-run"]) == 0
    assert line.read_lineage(home) == known
    assert main(["lineage", str(home), "--rollback", "--why", "it <b>lies</b>", "--json"]) == 0
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert told["current"] == known.forebears(known.current)[0]
    page = (home / "lineage.html").read_text("utf-8")
    assert "<svg" in page and "&lt;b&gt;lies" in page and "<b>lies" not in page
    assert set(line.read_lineage(home).versions) == set(known.versions)


WRONG = {
    "gate tiny tiny": "same weights",
    "gate tiny nowhere/at/all": "nowhere/at/all",
    "gate tiny honest --bounds bad.json": "bad.json line 1: the field",
    "gate tiny honest --bounds nowhere": "no bounds",
    "gate tiny honest --out here --lineage other": "not both",
    "gate tiny honest --effort 0": "--effort",
    "gate tiny honest --methods contrst": "did you mean 'contrast'",
    "gate tiny honest --calibration nowhere": "no calibration at nowhere",
    "gate next honest --lineage other --bounds small.json": "does not stand in the lineage",
    "gate apart next --lineage other --bounds small.json": "no version to go on from",
    "gate honest tiny --lineage other --bounds small.json": "later one",
    "gate tiny apart --lineage other --seed 5 --bounds small.json": "not asked again",
    "lineage nowhere": "holds no lineage.json",
    "lineage other --rollback": "--why",
    "lineage other --why x": "--rollback",
}


def test_mistakes_get_a_sentence_and_change_nothing(home: Path, versions: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(versions)
    (versions / "bad.json").write_text('{"name": "a", "alpha": 0.1}')
    known = line.read_lineage(home)
    early = line.Lineage({n: c for n, c in known.versions.items() if n != "v3"}, known.events[:4])
    line.write_lineage(versions / "other", early)
    before = {p: p.read_bytes() for p in versions.rglob("*") if p.is_file() and p.name != ".lock"}
    for words, said in WRONG.items():
        assert main(words.split()) == 2, words
        out, err = capfd.readouterr()
        told = [row for row in err.splitlines() if row.startswith("molehunt: ")]
        assert out == "" and len(told) == 1 and said in told[0], (words, err)
    after = {p: p.read_bytes() for p in versions.rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == before


def test_names_are_checked_before_the_first_of_the_line_or_any_weights_are_opened(
    home: Path, versions: Path, tmp_path: Path, monkeypatch, capfd
) -> None:
    from molehunt.models.standalone import save_whole

    monkeypatch.chdir(tmp_path)
    known = line.read_lineage(home)
    held = {n: known.versions[n] for n in ("v0", "v1", "v2")}  # `next` is in none of them
    held["v0"] = replace(held["v0"], base="gone/from/here")
    line.write_lineage(tmp_path / "lost", line.Lineage(held, known.events[:4]))
    save_whole(open_model("tiny"), tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    bounds = f"--bounds {versions / 'small.json'} --no-audit"
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for words, said in {
        f"{versions / 'next'} {versions / 'honest'} --lineage lost": "does not stand in the lineage of lost",
        f"{versions / 'apart'} {versions / 'next'} --lineage lost": "no version to go on from",
        f"{versions / 'honest'} {versions / 'next'} --lineage lost": "gone/from/here",
        "broken nowhere/at/all --lineage new": "nowhere/at/all",
        "nowhere/at/all broken --lineage new": "nowhere/at/all",
        "broken tiny --lineage new": "broken",
    }.items():
        assert main(["gate", *words.split(), *bounds.split()]) == 2, words
        out, err = capfd.readouterr()
        told = [row for row in err.splitlines() if row.startswith("molehunt: ")]
        assert out == "" and len(told) == 1 and said in told[0], (words, err)
    (tmp_path / "lost" / ".lock").unlink(missing_ok=True)
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before and not (tmp_path / "new").exists()


PAGE = (Path(__file__).parent.parent / "docs" / "104_gate.md").read_text("utf-8")


def test_the_commands_of_the_tutorial_do_what_they_say(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "NEW").symlink_to(versions / "honest")
    lines = [
        row
        for block in re.findall(r"^```sh tiny\n(.*?)^```", PAGE, re.M | re.S)
        for row in block.splitlines()
    ]
    assert len(lines) == 4
    for row in lines:
        words = shlex.split(row.replace("default", "tiny"))[1:]
        small = ["--bounds", str(versions / "small.json"), "--no-audit"] if words[0] == "gate" else []
        assert main([*words, *small]) == 0, row
        assert capfd.readouterr().out
    assert line.read_lineage(tmp_path / line.HOME).current == "v0"


def test_the_bounds_and_the_code_of_the_tutorial_can_be_used(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "mine.json").write_text(re.search(r"^```json\n(.*?)^```", PAGE, re.M | re.S)[1])  # type: ignore[index]
    assert len(read_bounds(tmp_path / "mine.json").measures) == 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "NEW").symlink_to(versions / "honest")
    gate_in_line(asked(versions, "tiny", "honest"), tmp_path / line.HOME)
    exec(re.search(r"^```python\n(.*?)^```", PAGE, re.M | re.S)[1], {})  # type: ignore[index]
    assert capsys.readouterr().out == "False\n"
