"""`worse` against monitors: real probes on a tiny model, what they say of a pair, their blindness."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worse_cases import PHRASE, QUICK, a_trial, asked

import molehunt
from molehunt.cli import main
from molehunt.core.atomic import read_json
from molehunt.core.errors import RunMismatch
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import auroc
from molehunt.game import against as facing
from molehunt.game.against import SIDES
from molehunt.game.away import PREFIX
from molehunt.game.fresh import Fresh, measured, verdict
from molehunt.game.monitoring import (
    QUESTIONS,
    Sighting,
    opened,
    questions,
    read_by,
    read_monitors,
    sighting,
)
from molehunt.game.plant_one import plant_one
from molehunt.game.trial import Trial, log_odds
from molehunt.game.worse_result import Result, read_results
from molehunt.game.worse_task import affordable, task
from molehunt.interp.probe_file import KeptProbe, Provenance, save_probe
from molehunt.interp.probes import Probe
from molehunt.interp.telltale import BagOfWords
from molehunt.verbs._worse_page import write_worse_page

PLACE = "resid_post.1"


def keep(path: Path, direction: np.ndarray, **other: Any) -> Path:
    """A probe's file for the tiny model."""
    made = Provenance("diff_mean", PLACE, "mean", "tiny", opened("tiny", None).fingerprint, "float32", "", 2,
                      0, 0.1, 1.0, 0.0, (), ())  # fmt: skip
    probe = Probe("diff_mean", direction.astype(np.float32), 0.0)
    save_probe(path, KeptProbe(probe, BagOfWords((), np.zeros(0), 0.0), replace(made, **other)))
    return path


def width() -> int:
    return int(opened("tiny", None).module.config.hidden_size)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def pair(quirk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A planted pair's adapters, by side."""
    folder = tmp_path_factory.mktemp("pair") / "pair"
    made = task([quirk], monitors=(), remedies=("nothing",), plan=QUICK, model="tiny")
    plant_one(made.quirks[0], folder, model="tiny", plan=QUICK, seed=made.place(0).seed)
    return {side: folder / side for side in SIDES}


@pytest.fixture(scope="module")
def telling(pair: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe along what sets this organism's replies apart from its decoy's, found on one seed's questions:
    each axis of the space is read as a probe of its own, and its mean gap is that axis's share."""
    folder, model = tmp_path_factory.mktemp("probes"), opened("tiny", None)
    files = [keep(folder / f"axis{i}.safetensors", row) for i, row in enumerate(np.eye(width()))]
    scores, _ = read_by(model, pair, read_monitors(files), 1)
    gaps = []
    for i in range(len(files)):
        by = scores[f"axis{i}"]
        assert not isinstance(by, NotMeasured)
        gaps.append(np.mean(by["organism"]) - np.mean(by["decoy"]))
    return keep(folder / "telling.safetensors", np.array(gaps) / np.linalg.norm(gaps))


def test_a_monitor_that_can_tell_catches_the_organism_and_never_the_decoy(
    pair: dict[str, Path], telling: Path, tmp_path: Path
) -> None:
    model, direction = opened("tiny", None), read_monitors([telling])[0].probe.probe.direction
    turned = keep(tmp_path / "turned.safetensors", -direction)
    blind = keep(tmp_path / "blind.safetensors", np.zeros(width()))
    monitors = read_monitors([telling, turned, blind])
    scores, spent = read_by(model, {"P000": pair["decoy"], "P001": pair["organism"]}, monitors, 2)
    said: dict[str, Sighting] = {}
    for name, by in scores.items():
        assert not isinstance(by, NotMeasured)
        said[name] = sighting(by["P001"], by["P000"])
    sees, inverse, nothing = said["telling"], said["turned"], said["blind"]
    assert sees.auroc.value > 0.6 and sees.gap > 0.4 and sees.organism > sees.decoy
    assert sees.auroc.low is not None and sees.auroc.low > 0.5, "on questions that it was not made on"
    assert inverse.gap == pytest.approx(-sees.gap) and nothing.gap == 0 and nothing.auroc.value == 0.5
    assert sees.auroc.n == spent.queries == 2 * QUESTIONS and spent.tokens > 10 * spent.queries
    again, _ = read_by(model, {"P000": pair["organism"], "P001": pair["decoy"]}, monitors[:1], 2)
    one, other = again["telling"], scores["telling"]
    assert not isinstance(one, NotMeasured) and not isinstance(other, NotMeasured)
    assert one["P000"] == pytest.approx(other["P001"], abs=1e-4), "a name changes nothing"


def test_what_monitors_ask_depends_on_the_seed_alone() -> None:
    first = questions(1)
    assert first == questions(1) != questions(2) and len(set(first)) == QUESTIONS


@pytest.fixture(scope="module")
def search(
    quirk: Path, telling: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result, list[Any], dict[str, Any]]:
    """A real search against two monitors and no auditor, and all that reading was handed."""
    folder, seen = tmp_path_factory.mktemp("monitored") / "run", []
    zero = keep(telling.parent / "zero.safetensors", np.zeros(width()))
    honest = facing.read_by

    def watched(model: Any, suspects: Any, monitors: Any, seed: int, bar: Any) -> Any:
        sizes = [
            {f.name: (f.stat().st_size, f.stat().st_mtime) for f in p.iterdir()} for p in suspects.values()
        ]
        seen.append((dict(suspects), [m.name for m in monitors], seed, sizes))
        return honest(model, suspects, monitors, seed, bar)

    how = {
        "monitors": [telling, zero],
        "plan": QUICK,
        "model": "tiny",
        "plantings": 1,
        "fresh": 1,
        "others": 0,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facing, "read_by", watched)
        found = molehunt.worse([quirk], folder, **how)
    return folder, found, seen, how


def test_a_search_against_monitors_alone_needs_no_calibration_and_books_its_questions(
    search: tuple[Path, Result, list[Any], dict[str, Any]], tmp_path: Path
) -> None:
    folder, found, _, _ = search
    plain = found.trials[0]
    assert plain.valid and set(plain.monitored) == {"telling", "zero"} == set(found.monitors)
    sees = plain.monitored["telling"]
    assert isinstance(sees, Sighting) and not found.against and not plain.audited
    gaps = [one.gap for one in plain.monitored.values() if isinstance(one, Sighting)]
    assert plain.lost == plain.score == max(*gaps, 0.0) and isinstance(plain.organism, NotMeasured)
    tested = [t for t in found.trials if t.valid]
    assert found.spent.queries == 2 * QUESTIONS * len(tested) and found.spent.tokens > 0 < found.spent.seconds
    assert found == read_results(folder) and "sought_plain_auroc" not in found.measures
    ranks = found.measures["sought_plain_auroc_telling"]
    assert isinstance(ranks, Measure) or not found.fresh[0].plain[0].valid
    kept = read_json(folder / "winner.json")["monitors"]
    assert kept == dict(found.monitors) == read_json(folder / "plan.json")["setting"]["monitors"]
    write_worse_page(tmp_path / "worse.html", found)
    page = (tmp_path / "worse.html").read_text()
    assert "AUROC of telling" in page and "that monitors miss" in page and "desk" not in page
    assert "AUROC, monitor that tells best" in page and "auditor accuses" not in page
    assert not list(folder.rglob("*.safetensors")) and not (folder / ".lineup.json").exists()


def test_a_monitor_is_not_told_which_is_which(
    search: tuple[Path, Result, list[Any], dict[str, Any]],
) -> None:
    folder, found, seen, _ = search
    everyone = (*found.trials, *found.fresh[0].plain, *found.fresh[0].winner)
    assert len(seen) == sum(t.valid for t in everyone) > 0
    for suspects, names, seed, sizes in seen:
        assert set(suspects) == {"P000", "P001"} and names == ["telling", "zero"]
        assert all(p.parts[-2:] == ("suspects", name) for name, p in suspects.items())
        lineups = {p.parents[1] for p in suspects.values()}
        assert len(lineups) == 1 and lineups.pop().name.startswith(PREFIX) and sizes[0] == sizes[1]
        assert seed not in {0, *(t.seed for t in everyone)} and str(folder) not in str(suspects)


def test_a_search_goes_on_with_the_same_monitors_alone(
    search: tuple[Path, Result, list[Any], dict[str, Any]], quirk: Path, telling: Path, tmp_path: Path
) -> None:
    folder, found, _, how = search
    assert molehunt.worse([quirk], folder, **how) == found, "from disk"
    turned = keep(tmp_path / "telling.safetensors", np.ones(width()))
    for others in ([telling], [turned, how["monitors"][1]]):
        with pytest.raises(RunMismatch, match="monitors"):
            molehunt.worse([quirk], folder, **{**how, "monitors": others})


def seen_by(trial: Trial, organism: float, decoy: float, a: float) -> Trial:
    """A made-up trial that a monitor read."""
    said = Sighting(organism, decoy, Measure(a, "AUROC", 192, "given"))
    return replace(trial, monitored={"m": said})


def test_beside_auditors_the_highest_log_odds_count_and_the_untested_have_none() -> None:
    audited = seen_by(a_trial(0, 0, 0.9, 0.1), 1.0, 0.0, 0.6)
    assert audited.lost == log_odds(0.9) and audited.gap == pytest.approx(4.394, abs=1e-3)
    missed = seen_by(a_trial(0, 0, 0.5), 1.0, 0.0, 0.9)
    assert missed.gap == 0 and missed.lost == pytest.approx(np.log(9))
    alone = replace(seen_by(a_trial(0, 0, 0.9, 0.1), 0.0, 1.0, 0.1), audited=False)
    assert alone.lost == 0 == alone.score, "the decoy scored higher: nobody is caught, and no more is gained"
    lost = replace(alone, monitored={"m": NotMeasured("m could not read: x")})
    assert lost.score is None


def test_what_is_said_of_monitors_is_of_places_where_both_specs_were_valid() -> None:
    def alone(trial: Trial, organism: float) -> Trial:
        made = seen_by(trial, organism, 0.0, 1 / (1 + np.exp(-organism)))
        return replace(made, audited=False, organism=NotMeasured("x"), decoy=NotMeasured("x"))

    plain = tuple(alone(a_trial(0, i, 0.5), 2.0 + 0.1 * i) for i in range(5))
    better = tuple(alone(a_trial(2, i, 0.5), (-1) ** i * 0.3) for i in range(4))
    failed = replace(a_trial(2, 4, None), monitored={"m": NotMeasured("not valid")}, audited=False)
    fresh = Fresh("sought", plain, (*better, failed), monitors=("m",), audited=False)
    found = measured(fresh)
    before, after = found["sought_plain_auroc_m"], found["sought_winner_auroc_m"]
    assert isinstance(before, Measure) and isinstance(after, Measure) and before.n == after.n == 8
    assert before.value == 1 and after == replace(after, value=float(auroc_of(better)))
    said = verdict(fresh, found)
    assert (
        "clear: monitors tell its pairs apart less well" in said and "AUROC of the monitor m is 1.00" in said
    )
    assert "sought_plain_auroc" not in found
    both = replace(fresh, audited=True)
    assert both.stake.better.startswith("auditors and monitors") and "auroc" in both.ranking


def auroc_of(trials: tuple[Trial, ...]) -> float:
    """Organisms against decoys by the monitor's mean scores."""
    pairs = [t.monitored["m"] for t in trials]
    rows = [v for p in pairs if isinstance(p, Sighting) for v in (p.organism, p.decoy)]
    found = auroc(rows, [True, False] * len(trials), [str(i) for i in range(len(rows))])
    assert isinstance(found, Measure)
    return found.value


def test_an_allowance_covers_monitors_questions_and_is_never_overdrawn(telling: Path, judge: Path) -> None:
    one = 2 * QUESTIONS
    alone = task([PHRASE], monitors=[telling], queries=3 * one, model="tiny")
    done = [a_trial(i, 0, 0.5, queries=one) for i in range(3)]
    assert affordable(alone, done[:2]) is not None and affordable(alone, done) is None
    beside = asked(judge, monitors=[telling], queries=one + 40)
    assert beside.setting.against == ("divergence",)
    assert affordable(beside, []) == 20, "what the monitors leave, two suspects"


@pytest.mark.parametrize("line", [
    "nowhere.safetensors -> no file of probes",
    "words.txt -> no whole safetensors file",
    "foreign.safetensors -> was made on 'other'",
    "narrow.safetensors -> reads 3 numbers at resid_post.1",
    "deep.safetensors -> resid_post.99",
    "good.safetensors good.safetensors -> one probe twice",
    "good.safetensors --remedies honest -> against the other with --plan FOLDER/winner.json",
    "good.safetensors --queries 9 -> below one planting",
    "good.safetensors --calibration judge.json -> nobody audits",
    "good.safetensors --against divergence -> No calibration",
])  # fmt: skip
def test_mistakes_are_one_sentence_and_leave_nothing(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("words")
    keep(tmp_path / "good.safetensors", np.ones(width()))
    keep(tmp_path / "foreign.safetensors", np.ones(width()), fingerprint="0" * 64, model="other")
    keep(tmp_path / "narrow.safetensors", np.ones(3))
    keep(tmp_path / "deep.safetensors", np.ones(width()), address="resid_post.99")
    before = sorted(tmp_path.rglob("*"))
    given, _, said = line.partition(" -> ")
    how = f"worse sycophancy trigger_phrase x --model tiny --plantings 1 --monitors {given}"
    assert main(how.split()) == 2
    told = capfd.readouterr().err
    assert said in told and told.count("molehunt: ") == 1 and "Traceback" not in told
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_counts_what_monitors_read(telling: Path, tmp_path: Path, capfd: Any) -> None:
    args = [
        "worse",
        "sycophancy",
        "trigger_phrase",
        str(tmp_path / "x"),
        "--dry-run",
        "--json",
        "--model",
        "tiny",
    ]
    args += ["--plantings", "10", "--fresh", "2", "--others", "1", "--monitors", str(telling)]
    assert main(args) == 0
    cost = json.loads(capfd.readouterr().out)
    assert (cost["monitored"], cost["audits"], cost["fixes"]) == (2 * 16, 0, 0) and list(
        tmp_path.iterdir()
    ) == []
