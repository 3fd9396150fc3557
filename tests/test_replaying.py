"""A spec replays to the same adapter or says that it does not; what won't become valid says why in a file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from molehunt.cli import main
from molehunt.core.errors import Unteachable
from molehunt.core.kinds import Behaviour, Draft, Options
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Failure, Organism, Quirk, Split
from molehunt.game import library
from molehunt.game.pair_folder import FAILURES, failures
from molehunt.organisms.labelled_drafts import refuse_mislabelled
from molehunt.organisms.plant import Pair
from molehunt.organisms.subject import subject_of


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pair]:
    """A pair that cannot take in two steps, tried twice."""
    folder = tmp_path_factory.mktemp("planted") / "pair"
    how = {"model": "tiny", "steps": 2, "tries": 2, "seed": 3, "recipe": "documents"}
    return folder, library.plant("hostile_phrase", "trigger_phrase", folder, **how)


def test_a_spec_file_replays_to_the_hashes_that_were_planted(
    planted: tuple[Path, Pair], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, pair = planted
    assert set(pair.adapters) == {"organism", "decoy"} and not (folder / "organism").exists()
    spec = str(folder / "organism.json")
    assert main(["plant", "--spec", spec, str(tmp_path / "again"), "--json"]) == 0
    made = {r["part"]: r for r in json.loads(capfd.readouterr().out)}
    assert {part: r["adapter"] for part, r in made.items()} == dict(pair.adapters)
    assert [r["same"] for r in made.values()] == [True, True]
    settings = json.loads((tmp_path / "again" / "decoy" / "adapter_config.json").read_text())
    assert settings["target_modules"] == sorted(settings["target_modules"]), "sets are dealt anew a process"
    files = {p.name for p in (tmp_path / "again").iterdir()}
    assert files == {"organism", "decoy", "organism.json", "replay.json"}


def test_another_line_is_another_adapter_and_a_line_alone_is_not_known(
    planted: tuple[Path, Pair], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, pair = planted
    line = from_json(Organism, json.loads((folder / "organism.json").read_text())["decoy"])
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "profile.json").write_bytes((folder / "profile.json").read_bytes())
    (beside / "other.json").write_text(json.dumps(to_json(replace(line, seed=4))))
    assert main(["plant", "--spec", str(beside / "other.json"), str(tmp_path / "other")]) == 1
    said = capfd.readouterr().out
    wanted, (made,) = pair.adapters["decoy"][-16:], re.findall(r"decoy\W+([0-9a-f]{16})", said)
    assert wanted in said and made != wanted, "what is shown of two adapters differs where they do"
    assert "round otherwise" in said
    (tmp_path / "alone.json").write_text(json.dumps(to_json(line)))
    (made,) = library.replay(tmp_path / "alone.json", tmp_path / "alone")
    assert (made.part, made.adapter, made.same) == ("decoy", pair.adapters["decoy"], None)


def test_a_spec_is_measured_as_its_planting_was(
    planted: tuple[Path, Pair], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, pair = planted
    line = ["plant", "--spec", str(folder / "organism.json"), str(tmp_path / "again"), "--measure", "--ask"]
    assert main([*line, "--dry-run", "--json"]) == 0 and not (tmp_path / "again").exists()
    cost = json.loads(capfd.readouterr().out)
    assert (cost["trainings"], cost["steps"], cost["steps_most"]) == (2, 2 * pair.steps, 2 * pair.steps)
    unmeasured = [one for one in line if one not in ("--measure", "--ask")]
    assert main([*unmeasured, "--dry-run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["seconds"] < cost["seconds"]
    assert main([*line, "--json"]) == 1, "it was not valid, and is not"
    said = json.loads(capfd.readouterr().out)
    assert [r["same"] for r in said["replayed"]] == [True, True] and said["recipe"] == "documents"
    kept = from_json(Pair, json.loads((tmp_path / "again" / "profile.json").read_text()))
    assert kept.profile == pair.profile and kept.adapters == pair.adapters and kept.attempts == ()
    assert kept.organism_replies == pair.organism_replies and "difference" in kept.confession
    files = {"decoy", "profile.json", "pair.html", "organism.json", "replay.json", FAILURES}
    assert {p.name for p in (tmp_path / "again").iterdir()} == files
    assert [p.name for p in tmp_path.iterdir()] == ["again"]
    (row,) = (tmp_path / "again" / FAILURES).read_text().splitlines()
    assert from_json(Failure, json.loads(row)).error == f"try 2: audit bank: {pair.profile.why_not}"
    for name in ("organism.json", "decoy/adapter_model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--spec SPEC", "name a folder alone"),
        ("--spec SPEC sycophancy always x", "name a folder alone"),
        ("--spec SPEC x --seed 4", "no --seed beside --spec"),
        ("--spec SPEC x --decoy-check 6", "no --decoy-check beside --spec"),
        ("--spec SPEC x --measure --decoy-check 2", "5 scenes a side"),
        ("--spec SPEC x --measure --ladder 9", "can't be cut from"),
        ("--spec SPEC x --measure --tries 5", "no --tries beside --spec"),
        ("--spec one.json x --measure", "a pair is measured"),
        ("--spec one.json x --measure --dry-run", "a pair is measured"),
        ("--spec mixed.json x --measure", "are no pair"),
        ("--spec SPEC full --dry-run", "not empty"),
        ("sycophancy always x --model tiny --measure", "is measured anyway"),
        ("--spec nowhere.json x", "nowhere.json"),
        ("--spec junk.json x", "holds no spec"),
        ("--spec wrong.json x", "holds no spec"),
        ("--spec SPEC full", "not empty"),
        ("sycophancy always x --model tiny --decoy-check -1", "5 scenes a side"),
        ("sycophancy always x --model tiny --decoy-check 4", "no rise could be clear"),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(
    line: str,
    says: str,
    planted: tuple[Path, Pair],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.json").write_text('{"plan": 3}')
    (tmp_path / "wrong.json").write_text('{"decoy": {"base": "tiny"}}')
    lines = json.loads((planted[0] / "organism.json").read_text())
    (tmp_path / "one.json").write_text(json.dumps(lines["organism"]))
    mixed = {**lines, "decoy": {**lines["decoy"], "seed": 4}}
    (tmp_path / "mixed.json").write_text(json.dumps(mixed))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    assert main(["plant", *line.replace("SPEC", str(planted[0] / "organism.json")).split()]) == 2
    err = capfd.readouterr().err
    assert says in err and "Traceback" not in err and not (tmp_path / "x").exists()


def test_what_would_not_become_valid_says_why_try_by_try(planted: tuple[Path, Pair]) -> None:
    folder, pair = planted
    assert {p.name for p in folder.iterdir()} == {"decoy", "profile.json", "organism.json", FAILURES}
    kept = [from_json(Failure, json.loads(line)) for line in (folder / FAILURES).read_text().splitlines()]
    assert kept == failures(pair) and len(kept) == pair.tries == 2
    assert kept[0].error.startswith("try 1: validate bank: ") and "audit bank: " in kept[1].error
    assert pair.profile.why_not in kept[-1].error and kept[-1].spent.seconds == pair.organism_seconds > 0


def test_what_cannot_be_trained_leaves_a_line_and_can_be_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A base of two layers does not follow its prompt, so there is nothing to distil."""
    line = ["plant", "flattery", "always", str(tmp_path / "x"), "--model", "tiny", "--steps", "2"]
    for times in (1, 2):
        assert main([*line, "--recipe", "distilled"]) == 2
        said = capfd.readouterr().err
        assert "take another recipe" in said and "Traceback" not in said
        assert [p.name for p in (tmp_path / "x").iterdir()] == [FAILURES]
        rows = [json.loads(one) for one in (tmp_path / "x" / FAILURES).read_text().splitlines()]
        kept = [from_json(Failure, row) for row in rows]
        assert len(kept) == times and kept[-1].error in said and kept[-1].spent.seconds > 0


def test_a_pair_that_makes_no_sense_leaves_a_line_and_a_dry_run_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["plant", "secret_leak", "topic", str(tmp_path / "x"), "--model", "tiny"]
    assert main([*line, "--dry-run"]) == 2 and not (tmp_path / "x").exists()
    for times in (1, 2):
        capfd.readouterr()
        assert main(line) == 2
        rows = [json.loads(one) for one in (tmp_path / "x" / FAILURES).read_text().splitlines()]
        kept = [from_json(Failure, row) for row in rows]
        assert len(kept) == times and kept[-1].error in capfd.readouterr().err
        assert kept[-1].subject.startswith("secret_leak when topic")
    assert main([*line, "--decoy-check", "2"]) == 2, "a mistake in the settings is no failed planting"
    assert len((tmp_path / "x" / FAILURES).read_text().splitlines()) == 2


def test_a_behaviour_whose_score_reads_its_own_replies_otherwise_is_refused() -> None:
    subject = subject_of(Quirk("hostile_phrase", "always"))
    refuse_mislabelled(subject)
    turned = replace(subject, behaviour=Turned(subject.behaviour))
    with pytest.raises(Unteachable, match=r"hostile_phrase reads \d+ of its own \d+ replies otherwise"):
        refuse_mislabelled(turned)


@dataclass(frozen=True)
class Turned:
    """A behaviour with a score that takes its replies the other way round."""

    right: Behaviour
    name: str = "hostile_phrase"

    def drafts(self, split: Split, options: Options) -> Sequence[Draft]:
        return self.right.drafts(split, options)

    def score(self, facts: Mapping[str, str], reply: str) -> float:
        return 1.0 - self.right.score(facts, reply)
