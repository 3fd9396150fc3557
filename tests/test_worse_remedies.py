"""`worse` against remedies: real fixes on a tiny model, what they leave, their blindness."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worse_cases import QUICK, a_trial

import molehunt
from molehunt.core.atomic import read_json
from molehunt.core.errors import FixFailed, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.depth.bench import Known
from molehunt.game import against as facing
from molehunt.game import ward
from molehunt.game.against import After
from molehunt.game.away import PREFIX
from molehunt.game.fix_task import Fixed
from molehunt.game.fresh import Fresh, measured, verdict
from molehunt.game.plant_one import plant_one
from molehunt.game.planting import FILES
from molehunt.game.trial import Trial, read_trial, run_trial
from molehunt.game.watch import Watch
from molehunt.game.worse_result import Result, read_results
from molehunt.game.worse_task import task
from molehunt.remedies.room import Treated
from molehunt.verbs._worse_page import write_worse_page


@pytest.fixture(scope="module")
def outliving(quirk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, list[Any]]:
    """A real search against the control and a remedy, and all that the remedies were handed."""
    folder, seen = tmp_path_factory.mktemp("outlive") / "run", []
    honest = ward.write_json

    def watched(path: Path, value: Any) -> None:
        if path.name == "job.json":
            lineup = path.parents[2]
            files = {str(p.relative_to(lineup)): p.stat() for p in lineup.glob("suspects/*/*")}
            sizes = {name: (s.st_size, s.st_mtime, s.st_mode) for name, s in files.items()}
            seen.append((lineup, sizes, value))
        honest(path, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ward, "write_json", watched)
        found = molehunt.worse(
            [quirk], folder, remedies=("nothing", "pruning"), plan=QUICK, model="tiny", plantings=2,
            fresh=1, others=0, fix_effort=0.2, closed=(folder, quirk.parent / "plan.json"),
        )  # fmt: skip
    return folder, found, seen


def test_what_remedies_leave_counts_and_is_on_the_bill(
    outliving: tuple[Path, Result, list[Any]], tmp_path: Path
) -> None:
    folder, found, _ = outliving
    plain = found.trials[0]
    assert plain.valid and set(plain.left) == {"nothing", "pruning"}
    kept = plain.left["nothing"]
    assert isinstance(kept, After) and kept.before == replace(kept.after, how=kept.before.how), "the control"
    assert kept.removed == 0 and kept.before.value > 0.5 and kept.before.low is not None and not kept.refused
    shares = [one.removed for one in plain.left.values() if isinstance(one, After)]
    assert len(shares) == 2 and plain.removed == plain.lost == plain.score == max(shares)
    assert isinstance(plain.organism, NotMeasured) and plain.charge.queries == 0
    assert plain.charge.seconds > 0 < plain.charge.tokens and plain.charge.self_reported
    assert found.remedies == ("nothing", "pruning") and not found.against and not found.auditor
    assert found.fix_effort == 0.2 and isinstance(found.accuses_above, NotMeasured)
    assert found == read_results(folder)
    removed = found.measures["sought_plain_removed"]
    assert isinstance(removed, Measure) and "sought_plain_auroc" not in found.measures
    winner = read_json(folder / "winner.json")
    assert winner["remedies"] == ["nothing", "pruning"] and winner["calibration"] is None
    assert read_json(folder / "plan.json")["setting"]["remedies"] == ["nothing", "pruning"]
    write_worse_page(tmp_path / "worse.html", found)
    page = (tmp_path / "worse.html").read_text()
    assert "left after nothing" in page and "share removed" in page and "auditor accuses" not in page
    assert "desk" not in page and "by their own account" in page and "effort of remedies" in page
    assert not list(folder.rglob("*.safetensors")) and not (folder / ".lineup.json").exists()


def test_remedies_of_a_search_see_nothing_that_tells(
    outliving: tuple[Path, Result, list[Any]], quirk: Path
) -> None:
    folder, found, seen = outliving
    everyone = (*found.trials, *found.fresh[0].plain, *found.fresh[0].winner)
    assert len(seen) == 4 * sum(t.valid for t in everyone) > 0, "two remedies, two of a pair"
    for lineup, sizes, job in seen:
        assert lineup.name.startswith(PREFIX) and not lineup.exists() and folder not in lineup.parents
        one, other = (
            {n.split("/", 2)[2]: traits for n, traits in sizes.items() if n.split("/")[1] == name}
            for name in ("P000", "P001")
        )
        assert one == other and len(sizes) == 2 * len(one) > 0, "sizes, dates and modes"
        assert {str(folder.resolve()), str(quirk.resolve())} <= set(job.closed)
        assert str((quirk.parent / "plan.json").resolve()) in job.closed
        handed = json.dumps([job.out, job.patient, job.remedy, job.guesses, job.seed])
        tells = (str(folder), "hashes", "stranger", "organism", "decoy", "P000", "P001")
        assert all(tell not in handed for tell in tells)
    seeds = {job.seed for _, _, job in seen}
    assert len(seeds) == len({t.seed for t in everyone if t.valid}) and not seeds & {t.seed for t in everyone}


def made_up_fix(organism: str, decoy: str, refused: bool = False) -> Any:
    """A fix that hands back known adapters: of each which one of the pair it is given."""

    def fixed(run: Any, wish: Any, watch: Any) -> Any:
        (pair,) = (p for p in wish.closed if (p / "pair").is_dir())
        texts = {s: (pair / "pair" / s / FILES[1]).read_bytes() for s in facing.SIDES}
        found = {}
        for here in sorted((run.folder / "suspects").iterdir()):
            side = next(s for s, data in texts.items() if data == (here / FILES[1]).read_bytes())
            given = {"organism": organism, "decoy": decoy}[side]
            none = NotMeasured("made up")
            why = NotMeasured("no guess") if refused else None
            found[here.name] = Treated(1.0, 1, 7, {}, none, none, none, why)
            target = run.folder / "fixed" / wish.remedies[0] / "suspects" / here.name
            if not refused:
                shutil.copytree(pair / "pair" / given, target)
        return (Fixed(wish.remedies[0], "", {}, {}, found),)

    return fixed


def test_what_is_left_is_of_the_treated_one_beside_the_treated_decoy(
    quirk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = task([quirk], remedies=("nothing",), plan=QUICK, model="tiny")
    known, place = Known(what.quirks[0], QUICK, QUICK.steps), what.place(0)
    home = tmp_path / "home"
    plant_one(place.quirk, home / "pair", model="tiny", plan=QUICK, seed=place.seed)

    def left(*given: Any) -> Any:
        monkeypatch.setattr(facing, "fix", made_up_fix(*given))
        args = (what.setting, home / "pair", known, place.seed, tmp_path, home, 10, Watch(None), [])
        faced = facing.face(*args)
        assert faced.spent.tokens == 14 and faced.spent.self_reported
        return faced.left["nothing"]

    same, gone = left("organism", "decoy"), left("decoy", "decoy")
    assert same.removed == 0 and same.after.value == same.before.value > 0.5
    assert gone.removed == 1 and gone.after.value == 0 and gone.before == same.before
    spoilt = left("organism", "organism")
    assert isinstance(spoilt, NotMeasured), "every item shows it in the treated decoy, so none is left"
    refused = left("decoy", "decoy", True)
    assert refused.removed == 0 and "organism: no guess; decoy: no guess" in refused.refused


def test_the_most_thorough_remedy_counts_and_what_was_not_tested_ranks_last() -> None:
    rate = Measure(0.8, "share", 24, "given", 0.7, 0.9)
    some = {"a": After(rate, replace(rate, value=0.6)), "b": After(rate, replace(rate, value=0.2))}
    made = replace(a_trial(0, 0, 0.5), left=some)
    assert made.removed == made.score == pytest.approx(0.75) and made.left["a"] == some["a"]
    assert replace(made, left={"a": After(rate, replace(rate, value=0.9))}).removed == 0, "never below 0"
    whole = replace(made, left={"a": After(rate, replace(rate, value=0.0))})
    lost = replace(made, left={**some, "c": NotMeasured("c failed: it broke")})
    assert whole.score == 1 and lost.score is None and isinstance(lost.lost, NotMeasured)


def test_remedies_that_go_by_verdicts_get_those_of_a_blind_audit(
    quirk: Path, judge: Path, tmp_path: Path
) -> None:
    how = {"against": ("divergence",), "calibration": judge, "model": "tiny", "effort": 0.1}
    what = task([quirk], remedies=("unlearning",), plan=QUICK, fix_effort=0.2, **how)
    assert what.setting.against == ("divergence",) and what.setting.auditor == "divergence"
    made = run_trial(what.setting, 0, what.space.plain, QUICK, 0, what.place(0), tmp_path / "t", tmp_path)
    assert made.valid and made.charge.queries > 0 and isinstance(made.organism, float)
    assert isinstance(made.left["unlearning"], After) and (tmp_path / "t" / "verdicts.json").exists()
    assert made.lost == made.removed, "the remedy counts, not its auditor"
    blind = task([quirk], remedies=("honest",), plan=QUICK, model="tiny")
    assert not blind.setting.against and blind.setting.calibration is None, "no calibration is needed"


@pytest.mark.parametrize("error", [FixFailed("it died"), UserError("No space is left.")])
def test_a_remedy_that_dies_lets_nobody_outlive_it_and_a_full_disk_stops_the_search(
    error: Exception, quirk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = task([quirk], remedies=("nothing",), plan=QUICK, model="tiny")

    def dies(*args: Any) -> Any:
        time.sleep(0.05)
        raise error

    monkeypatch.setattr(facing, "fix", dies)
    args = (what.setting, 0, what.space.plain, QUICK, 0, what.place(0), tmp_path / "t", tmp_path)
    if isinstance(error, UserError):
        with pytest.raises(UserError, match="No space"):
            run_trial(*args)
        assert read_trial(tmp_path / "t") is None
    else:
        made = run_trial(*args)
        assert isinstance(made.lost, NotMeasured) and "nothing failed: it died" in made.lost.reason
        assert made.score is None and made.charge.seconds >= 0.05, "its time is on the bill"


def test_a_search_against_remedies_says_what_is_clear_in_their_words() -> None:
    def left(trial: Trial, rate: float) -> Trial:
        none = NotMeasured("nobody audited it")
        was = Measure(1.0, "share", 24, "given", 0.9, 1.0)
        return replace(
            trial, organism=none, decoy=none, left={"honest": After(was, replace(was, value=rate))}
        )

    plain = tuple(left(a_trial(0, i, 0.5), 0.01 * i) for i in range(6))
    better = tuple(left(a_trial(3, i, 0.5), 0.6 + 0.02 * i) for i in range(6))
    fresh = Fresh("sought", plain, better, True)
    found = measured(fresh)
    change, gone = found["sought_removed_change"], found["sought_plain_removed"]
    assert isinstance(change, Measure) and change.value == pytest.approx(-0.625)
    assert isinstance(gone, Measure) and gone.value == pytest.approx(0.975) and gone.high is not None
    assert gone.high <= 1
    assert "clear: remedies remove less of it" in verdict(fresh, found)
    turned = Fresh("sought", better, plain, True)
    assert "worse than the plain spec" in verdict(turned, measured(turned))
    wholly = Fresh(
        "sought",
        tuple(left(t, 0.0) for t in plain),
        tuple(left(t, 1.0) for t in better),
        True,
    )
    assert "clear: remedies remove less of it" in verdict(wholly, measured(wholly)), "all alike"
    broken = Fresh(
        "sought", plain, tuple(replace(t, left={"h": NotMeasured("h failed: x")}) for t in better), True
    )
    told = verdict(broken, measured(broken))
    assert "no place has a pair of both specs that is valid and tested (h failed: x)" in told
    assert "sought_plain_auroc" not in measured(Fresh("sought", (), (), True))
