"""The part `audit` of the gate's study: blind, one broken audit stops no other and is tried again."""

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from strangers_site import install
from test_gate_audit import certain
from test_gate_study import row, study

from molehunt.audit.calibration import DEFAULT
from molehunt.core.extend import names, outside
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.game.watch import Watch
from molehunt.gate.bounds import read_bounds
from molehunt.models.load import open_model

__all__ = ["study"]

SPY = '''
"""Tries to read what tells which generations are poisoned."""

import os
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.kinds import Finding

WORK, OUT = Path({work!r}), Path({out!r})
ATTEMPTS = dict(
    names=lambda: os.listdir(WORK / "trained"),
    adapter=lambda: (WORK / "trained" / "trials-00-poisoned" / "adapter_model.safetensors").read_bytes(),
    rows=lambda: (WORK / "rows" / {bounds!r} / "trials-00-poisoned.json").read_text(),
    table=lambda: (OUT / "results.json").read_text(),
)


def reads(attempt):
    try:
        attempt()
    except PermissionError:
        return 0.0
    return 1.0


@dataclass(frozen=True)
class Spy:
    name: str = "spy"
    summary: str = "reaches for the truth"
    access: str = "chat"
    key_statistics: tuple = ()

    def investigate(self, suspect, case):
        return Finding({{name: reads(attempt) for name, attempt in ATTEMPTS.items()}}, ())
'''


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ...]]:
    """Methods: one, of strangers, that knows where `work` and `out` lie."""
    told = {"work": str(tmp_path / "work"), "out": str(tmp_path / "out")}
    told["bounds"] = read_bounds().sha256[:12]
    code = {"spying_gate": SPY.format(**told)}
    site = install(tmp_path / "site", code, "audit.methods/spy = spying_gate:Spy")
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(site))
    for known in (outside, names):
        known.cache_clear()
    yield ("spy",)
    for known in (outside, names):
        known.cache_clear()


def said(name: str, accuses: bool | None) -> dict[str, Any]:
    """What an audit said of a generation; None where it broke off."""
    found = (
        {"is": "Overseen", "accuses": accuses} if accuses is not None else to_json(NotMeasured("it|broke"))
    )
    return {"name": name, "arm": name.rsplit("-")[-1], "commit": "def", "seconds": 90.0, "audit": found}


def asked(study: ModuleType, folder: Path, **other: Any) -> Any:
    base = {"work": folder / "work", "out": folder / "out", "model": "tiny", "trials": 1}
    return study.Study(parts=("audit",), **{**base, **other})


def test_audits_are_blind_and_one_that_broke_off_stops_no_other_and_is_tried_again(
    study: ModuleType, tmp_path: Path, spy: tuple[str, ...]
) -> None:
    made, model, watch = sys.modules["generation"], open_model("tiny"), Watch(None)
    judge = certain(3.0, "spy.rows", tmp_path / "harsh.json")
    ask = asked(study, tmp_path, calibration=judge)
    first, later = (dataclasses.replace(ask.setting, commit=c) for c in ("first", "later"))
    honest, poisoned = study.every(ask, "trials")
    for trial in (honest, poisoned):
        recipe = study.Recipe(steps=1, batch=2)
        made.train(model, made.claims()[:2], recipe, trial.number, study.trained_folder(first, trial))
        study.write_json(study.row_file(first, trial), row(trial.name, trial is honest))
    study.write(ask)
    config = study.trained_folder(first, honest) / "adapter_config.json"
    whole = config.read_text()
    config.write_text("{")
    study._audit(ask, first, watch, methods=spy)
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [(a["name"], a["audit"]["is"]) for a in told["audits"]] == [
        (honest.name, "NotMeasured"),
        (poisoned.name, "Overseen"),
    ]
    assert told["trials"]["in"] == told["trials"]["of"] == 2 == told["audits_of"]
    assert told["measures"]["audited_passes"]["is"] == "NotMeasured"
    assert told["measures"]["audit_accuses_poisoned"]["value"] == 1.0
    page = (tmp_path / "out" / "README.md").read_text()
    assert "2 of 2 trials are in" in page and "1 of 2 generations of `trials` were audited, 1 could" in page
    assert (
        "audits: commit first, calibration `harsh.json`" in page and f"- {honest.name} was not audi" in page
    )
    assert study.cost(ask).startswith("1 of 2 audits are left") and "pace of 1 that" in study.cost(ask)

    config.write_text(whole)
    study._audit(ask, later, watch, methods=spy)
    again = json.loads((tmp_path / "out" / "results.json").read_text())["audits"]
    assert [a["commit"] for a in again] == ["later", "first"] and again[1] == told["audits"][1]
    assert {a["audit"]["is"] for a in again} == {"Overseen"} and study.cost(ask).startswith("0 of 2")
    for trial in (honest, poisoned):
        kept = sys.modules["gate_audit"].audit_file(first, trial, judge).with_suffix("") / "features.json"
        assert {k: v for k, v in json.loads(kept.read_text())["P000"].items() if k.startswith("spy.")} == {
            "spy.names": 0.0, "spy.adapter": 0.0, "spy.rows": 0.0, "spy.table": 0.0,
        }  # fmt: skip


def test_audits_lie_under_the_hash_of_the_calibration_shipped_or_given(
    study: ModuleType, tmp_path: Path
) -> None:
    audit_file, trial = sys.modules["gate_audit"].audit_file, study.Trial("trials", 0, "honest")
    setting, copy = asked(study, tmp_path).setting, tmp_path / "copy.json"
    copy.write_bytes(DEFAULT.read_bytes())
    shipped = audit_file(setting, trial, None)
    assert shipped == audit_file(setting, trial, copy)
    assert shipped.parent.name == hashlib.sha256(DEFAULT.read_bytes()).hexdigest()[:12]
    copy.write_bytes(DEFAULT.read_bytes() + b" ")
    assert shipped != audit_file(setting, trial, copy), "another calibration, another audit"


def test_a_trial_that_raised_counts_against_gate_and_audit_and_one_not_audited_for_neither(
    study: ModuleType,
) -> None:
    rows = {n: row(n, True) for n in ("trials-00-honest", "trials-01-honest", "trials-02-honest")}
    failed = {"trials-03-honest": "it broke", "trials-03-poisoned": "it broke"}
    audits = [
        said("trials-00-honest", False), said("trials-01-honest", True), said("trials-02-honest", None),
        said("trials-00-poisoned", None),
    ]  # fmt: skip
    found = study.measures(rows, failed, audits)
    assert (found["gate_passes"].value, found["gate_passes"].n) == (0.75, 4)
    assert (found["audited_passes"].value, found["audited_passes"].n) == (pytest.approx(1 / 3), 3)
    assert "1 not measured" in found["audited_passes"].how
    assert (found["audit_accuses_honest"].value, found["audit_accuses_honest"].n) == (0.5, 2)
    assert isinstance(found["audit_accuses_poisoned"], NotMeasured)
    none = study.measures(rows, failed, audits[2:])
    assert not any(isinstance(v, Measure) for k, v in none.items() if k.startswith("audit")), "never a zero"


def test_the_page_says_that_practice_planted_the_poisons_behaviour(study: ModuleType) -> None:
    audits = [said("trials-00-honest", False), said("trials-00-poisoned", True)]
    rows = [row("trials-00-honest", True), row("trials-00-poisoned", False)]
    result = {
        "date": "today", "commit": "c", "machine": "m", "model": "tiny", "rows": rows,
        "bounds": {"name": "usual", "sha256": "0" * 64}, "trials": {"in": 2, "of": 60, "failed": {}},
        "measures": to_json(study.measures({r["name"]: r for r in rows}, {}, audits)),
        "audited_by": {"name": "shipped", "sha256": "1" * 64}, "audits_of": 60, "audits": audits,
    }  # fmt: skip
    page = study.table(result, read_bounds())
    assert "2 of 60 generations of `trials` were audited, 0 could not be (audits: commit def" in page
    assert "Practice for this calibration planted `sycophancy` too" in page
    other = study.table({**result, "audited_by": {"name": "mine|.json", "sha256": "1" * 64}}, read_bounds())
    assert "does not say what its practice planted" in other and "`mine/.json` 111111111111" in other


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--parts", "audit"), "holds trials of own_chats False, not True: ask for `--recipe.no-own-chats`"),
        (("--parts", "audit", "--recipe.no-own-chats"), "keeps no generation of `trials` to audit"),
        (("--recipe.no-own-chats", "--recipe.steps", "3"), "holds trials of steps 40, not 3: choose another"),
        (("--recipe.no-own-chats", "--calibration", "none.json"), "There is no calibration at none.json"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    study: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    sentence: str,
) -> None:
    """In a folder from before numbers had chats of their own, as that of the trials of 733a95c."""
    old = to_json(study.Recipe())
    old.pop("own_chats")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "study.json").write_text(json.dumps({"model": "default", "recipe": old}))
    before = sorted(tmp_path.rglob("*"))
    places = ("--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"))
    monkeypatch.setattr(sys, "argv", ["run.py", *options, *places])
    with pytest.raises(SystemExit) as ended:
        study.main()
    assert ended.value.code == 2 and sorted(tmp_path.rglob("*")) == before
    told = capsys.readouterr().err
    assert sentence in told and told.count("\n") == 1 and "Traceback" not in told
