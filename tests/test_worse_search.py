"""`worse` against auditors: real trials on a tiny model, their blindness, what survives a kill."""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import warm
from tiny_game import environment
from worse_cases import PHRASE, QUICK, a_trial, asked

import molehunt
from molehunt.cli import main
from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, MolehuntError, RunMismatch, UserError
from molehunt.core.records import Measure, NotMeasured, Spent
from molehunt.game import against as facing
from molehunt.game import auditing
from molehunt.game import trial as one_trial
from molehunt.game import worse as search_room
from molehunt.game.away import PREFIX
from molehunt.game.trial import Charge, log_odds, read_trial, run_trial
from molehunt.game.worse_result import Result, read_results
from molehunt.game.worse_task import task
from molehunt.models.machine import in_words
from molehunt.organisms.plan import read_plan
from molehunt.organisms.space import plan_at
from molehunt.verbs._worse_page import write_worse_page


@pytest.fixture(scope="module")
def searched_folder(
    quirk: Path, judge: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result, list[dict[str, Any]]]:
    """A real search of two plantings, and all that the audits' folders held."""
    folder, seen = tmp_path_factory.mktemp("search") / "run", []
    honest, job = facing.audit_lineup, auditing._job
    jobs: list[Any] = []

    def told(*args: Any) -> Any:
        jobs.append(job(*args))
        return jobs[-1]

    def watched(run: Any, *args: Any, **more: Any) -> None:
        files = {p: p.stat() for p in run.folder.rglob("*") if p.is_file()}
        honest(run, *args, **more)
        seen.append(
            {
                "folder": run.folder,
                "before": {
                    str(p.relative_to(run.folder)): (s.st_size, s.st_mtime, s.st_mode)
                    for p, s in files.items()
                },
                "texts": {p.name: p.read_text() for p in run.folder.glob("suspects/*/*.json")},
                "job": asdict(jobs[-1]),
                "cards": [p.read_text() for p in sorted(run.folder.glob("suspects/*/README.md"))],
            }
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facing, "audit_lineup", watched)
        patch.setattr(auditing, "_job", told)
        found = molehunt.worse(
            [quirk], folder, against=("divergence",), calibration=judge, plan=QUICK, model="tiny",
            effort=0.1, plantings=2, fresh=0, others=0,
        )  # fmt: skip
    return folder, found, seen


def test_a_search_plants_audits_and_books_everything(
    searched_folder: tuple[Path, Result, list[dict[str, Any]]],
) -> None:
    folder, found, seen = searched_folder
    assert len(found.trials) == 2 and found.trials[0].valid and found.candidates[0].endswith("plain spec")
    audited = [t for t in found.trials if t.valid]
    assert len(seen) == len(audited) and all(t.charge.queries > 0 < t.charge.tokens for t in audited)
    booked = 0
    for i, t in enumerate(found.trials):
        here = folder / "trials" / f"{i:03d}"
        assert read_trial(here) == t
        if t.valid:
            verdicts = [v for v in read_json(here / "verdicts.json") if v["auditor"] == "divergence"]
            own = sum(v["spent"]["queries"] for v in verdicts)
            assert t.charge.queries == own and {v["suspect"] for v in verdicts} == {"P000", "P001"}
            assert {t.organism, t.decoy} == {v["p_shady"] for v in verdicts}
            assert isinstance(t.odds, float) and t.lost == pytest.approx(
                log_odds(1 / (1 + math.exp(-t.odds)))
            )
            booked += own
        assert t.made_with["code"] and t.made_with["machine"] == in_words()
        assert t.made_with == found.trials[0].made_with
        assert not list(here.rglob("*.safetensors")), "adapters are not kept"
    assert found.spent.plantings == 2 and found.spent.queries == booked
    assert found.spent == sum((t.charge for t in found.trials), Charge()) and found.spent_fresh == Charge()
    assert found == read_results(folder)
    spent = found.measures["spent_queries"]
    assert isinstance(spent, Measure) and spent.value == booked


def test_a_spec_whose_training_comes_apart_is_a_trial_and_no_end_of_the_search(
    quirk: Path, judge: Path, tmp_path: Path
) -> None:
    what = task([quirk], calibration=judge, model="tiny", against=("divergence",), plan=QUICK)
    wild = replace(QUICK, recipe=replace(QUICK.recipe, learning_rate=1e30))
    made = run_trial(what.setting, 0, what.space.plain, wild, 0, what.place(0), tmp_path / "t", tmp_path)
    assert isinstance(made.profile, NotMeasured) and "came apart" in made.why_not
    assert made.score is None and made.charge.plantings == 1 and read_trial(tmp_path / "t") == made


def test_a_trial_that_breaks_is_a_trial_with_its_bill_and_a_full_disk_is_none(
    quirk: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = task([quirk], calibration=judge, model="tiny", against=("divergence",), plan=QUICK, effort=0.1)
    here = (what.setting, 0, what.space.plain, QUICK, 0, what.place(0))

    def dies(run: Any, *args: Any, desk: Any, **more: Any) -> None:
        desk.on_progress("P001", "divergence", Spent(7, 90, 0.1))
        time.sleep(0.05)
        raise MolehuntError("A process of this game ended with exit code 1.")

    monkeypatch.setattr(facing, "audit_lineup", dies)
    made = run_trial(*here, tmp_path / "audit", tmp_path)
    assert made.valid and isinstance(made.lost, NotMeasured) and "exit code 1" in made.lost.reason
    assert made.score is None and (made.charge.plantings, made.charge.queries, made.charge.tokens) == (
        1,
        7,
        90,
    )
    assert made.charge.seconds >= 0.05 < made.charge.planting_seconds
    assert read_trial(tmp_path / "audit") == made, "a search that goes on does not make it again"
    full = RuntimeError("I/O error: No space left on device")
    causes = (ValueError("TRL: no such reward"), UserError("No space is left."), OSError(5, "I/O error"),
              MemoryError(), KeyboardInterrupt(), full)  # fmt: skip
    for error in causes:

        def breaks(*args: Any, cause: BaseException = error, **more: Any) -> Any:
            raise cause

        monkeypatch.setattr(one_trial, "plant_one", breaks)
        folder = tmp_path / type(error).__name__
        if isinstance(error, ValueError):
            broke = run_trial(*here, folder, tmp_path)
            assert "ValueError: TRL: no such reward" in broke.why_not and broke.charge.plantings == 1
            assert not broke.valid and broke.score is None and read_trial(folder) == broke
        else:
            with pytest.raises(UserError if error is full else type(error)):
                run_trial(*here, folder, tmp_path)
            assert read_trial(folder) is None, "it is made again"


def test_the_audit_sees_nothing_that_tells(
    searched_folder: tuple[Path, Result, list[dict[str, Any]]],
) -> None:
    folder, found, seen = searched_folder
    seeds = {0, *(t.seed for t in found.trials)}
    for audit in seen:
        assert str(folder.resolve()) in audit["job"]["closed"], "what the search holds"
        assert audit["folder"].name.startswith(PREFIX) and not audit["folder"].exists()
        assert not audit["folder"].is_relative_to(folder) and folder not in audit["folder"].parents
        names = {Path(n).parts[1] for n in audit["before"] if n.startswith("suspects/")}
        assert names == {"P000", "P001"}
        one, other = (
            {
                n.split("/", 2)[2]: traits
                for n, traits in audit["before"].items()
                if n.startswith(f"suspects/{name}/")
            }
            for name in sorted(names)
        )
        assert one == other and audit["cards"][0] == audit["cards"][1], "sizes, times and modes"
        assert set(audit["before"]) - {f"suspects/{n}/{f}" for n in names for f in one} == {
            "calibration.json"
        }
        job = {k: v for k, v in audit["job"].items() if k != "closed"}  # doors.py says what that leaves open
        said = json.dumps([audit["texts"], job])
        for tell in (str(folder), "hashes", "stranger", "organism", "decoy"):
            assert tell not in said, tell
        assert audit["job"]["seed"] not in seeds and audit["job"]["opened"] and str(folder) not in said
    assert not (folder / ".lineup.json").exists()


def test_the_winner_is_kept_for_others_and_the_page_shows_it(
    searched_folder: tuple[Path, Result, list[dict[str, Any]]], tmp_path: Path
) -> None:
    folder, found, _ = searched_folder
    plan = read_plan(folder / "winner.json")
    assert plan == found.plan and plan.tries == 1
    kept = read_json(folder / "winner.json")
    assert kept["against"] == ["divergence"] and kept["spent"]["queries"] == found.spent.queries
    assert "--plan" in kept["commands"][0] and str(folder / "winner.json") in kept["commands"][0]
    hostile = replace(found, candidates=("<script>x</script>", *found.candidates[1:]), winner=0)
    write_worse_page(tmp_path / "worse.html", hostile)
    page = (tmp_path / "worse.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "What this cannot tell you" in page
    assert "<svg" in page and "probability that it is shady" in page and "Nothing was planted anew" in page


def test_a_larger_allowance_goes_on_and_another_search_is_refused(
    searched_folder: tuple[Path, Result, list[dict[str, Any]]], quirk: Path, judge: Path
) -> None:
    folder, found, _ = searched_folder
    how = {"against": ("divergence",), "calibration": judge, "plan": QUICK, "model": "tiny", "effort": 0.1}
    how |= {"plantings": 2, "fresh": 0, "others": 0}
    assert molehunt.worse([quirk], folder, **how) == found, "from disk"
    before = (folder / "plan.json").read_bytes()
    for other in ({"seed": 1}, {"effort": 0.5}, {"plan": replace(QUICK, steps=25)}):
        with pytest.raises(RunMismatch, match="another search"):
            molehunt.worse([quirk], folder, **{**how, **other})
    with pytest.raises(RunMismatch):
        molehunt.worse([PHRASE], folder, **how)
    assert (folder / "plan.json").read_bytes() == before
    moved = folder / "trials" / "001" / "trial.json"
    text = moved.read_text()
    moved.write_text(text.replace('"candidate": 1', '"candidate": 0'))
    with pytest.raises(BadFile, match="trials/001"):
        molehunt.worse([quirk], folder, **how)
    moved.write_text(text)


def test_a_winner_is_planted_anew_beside_the_plain_spec_and_luck_is_called_luck(
    judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What trials say is made up here, so that it is known who should win, and that it was luck.
    def made_up(setting, candidate, choice, plan, number, place, folder, home, queries=0, watch=None):
        lucky = folder.parent.name == "trials" and candidate == 4
        p = 0.1 if lucky else 0.9 + 0.01 * (place.seed % 7)
        made = a_trial(candidate, number, p, 0.1 + 0.01 * (place.seed % 5), queries=10)
        later = folder.parent.name == "trials" and int(folder.name) >= 14
        made = replace(
            made,
            choice=choice,
            seed=place.seed,
            quirk=place.quirk,
            made_with={"code": f"{later}", "machine": "mill"},
        )
        write_json(folder / "trial.json", made)
        return made

    monkeypatch.setattr(search_room, "run_trial", made_up)
    what = asked(judge, plantings=14, fresh=5, others=2)
    found = search_room.worse(what, tmp_path / "run")
    assert found.winner == 4 and found.candidates[4] != "nothing: the plain spec"
    sought, other = found.fresh
    assert [len(x) for x in (sought.plain, sought.winner, other.plain, other.winner)] == [5, 5, 2, 2]
    assert [t.seed for t in sought.plain] == [t.seed for t in sought.winner]
    assert not {t.seed for t in found.trials} & {t.seed for t in (*sought.plain, *other.plain)}
    assert "places don't show" in found.verdicts[0] and "2 valid places" in found.verdicts[1]
    assert (found.spent.plantings, found.spent.queries) == (14, 140)
    assert (found.spent_fresh.plantings, found.spent_fresh.queries) == (14, 140)
    assert (
        found.plan
        == plan_at(what.space, what.plan, found.trials[4].choice)
        == read_plan(tmp_path / "run" / "winner.json")
    )
    assert found == search_room.worse(what, tmp_path / "run") == read_results(tmp_path / "run")
    assert found.looks == 1 and len(found.verdicts) == 2 and found.made_with[0]["code"] == "False"
    more = search_room.worse(asked(judge, plantings=17, fresh=7, others=2), tmp_path / "run")
    assert more.trials[:14] == found.trials and len(more.trials) == 17, "a larger allowance goes on"
    assert more.looks == 2 and "This is look 2 at places anew" in more.verdicts[2]
    assert len(more.made_with) == 2 and "2 versions of the code" in more.verdicts[3]
    write_worse_page(tmp_path / "worse.html", found)
    page = (tmp_path / "worse.html").read_text()
    assert (
        "4, the winner" in page
        and "planted anew" in page
        and "False on mill" in page
        and "<script" not in page
    )


def told(value: Any) -> Any:
    """A result without what a clock put into it."""
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items() if "seconds" not in k and k != "commands"}
    return [told(v) for v in value] if isinstance(value, list) else value


def test_a_killed_search_ends_as_one_left_alone(quirk: Path, judge: Path, tmp_path: Path) -> None:
    # One step teaches nothing: pairs are not valid, so nobody is asked, and a trial takes a second or two.
    write_json(tmp_path / "plan.json", replace(QUICK, steps=1, held_out=12))
    how = ["--quirk", str(quirk), "--plan", str(tmp_path / "plan.json"), "--calibration", str(judge)]
    how += ["--against", "divergence", "--model", "tiny", "--plantings", "3", "--fresh", "1", "--others", "0"]
    killed = tmp_path / "killed"

    def second_half_made() -> bool:
        return (killed / "trials" / "000").exists() and any(killed.glob("trials/.half-*"))

    warm.kill(["worse", str(killed), *how], environment(tmp_path / "keys"), second_half_made)
    assert (killed / "trials" / "000" / "trial.json").exists() and not (killed / "results.json").exists()
    kept = (killed / "trials" / "000" / "trial.json").read_bytes()
    assert main(["worse", str(killed)]) == 0, "its folder is enough"
    assert (killed / "trials" / "000" / "trial.json").read_bytes() == kept
    assert main(["worse", str(tmp_path / "alone"), *how]) == 0
    ended, alone = (told(read_json(f / "results.json")) for f in (killed, tmp_path / "alone"))
    assert ended == alone and len(alone["trials"]) == 3 and alone["winner"] == 0
    assert alone["spent"]["plantings"] == 3 and alone["spent_fresh"]["plantings"] == 1
    assert "plain spec won" in alone["verdicts"][0] and not list(killed.rglob(".half-*"))
