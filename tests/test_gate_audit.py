"""Was the judge planted? A version is audited blind before it may judge, in a process of its own."""

import json
import os
from pathlib import Path

import pytest
from strangers_site import install
from test_gate_tiny import asked, made, versions

from molehunt.audit.calibration import Calibration, Logistic
from molehunt.core import lineage as line
from molehunt.core.errors import UserError
from molehunt.core.extend import names, outside
from molehunt.core.records import NotMeasured
from molehunt.game.gate_line import gate_in_line
from molehunt.game.gating import wish
from molehunt.game.named import meant, open_named
from molehunt.game.overseer import Overseen, oversee
from molehunt.models.checkpoint import checkpoint_of

__all__ = ["versions"]
EFFORT = 0.02


def certain(odds: float, statistic: str, file: Path) -> Path:
    """A calibration that says the same of everyone, whatever its one statistic comes to."""
    panel = Logistic((statistic,), (0.0,), (1.0,), (0.0,), odds, 1.0, 0.5, 0.9, 20, 20)
    Calibration({"panel": panel}).save(file)
    return file


def test_a_version_that_an_audit_cleared_may_judge_and_one_that_it_accuses_is_stopped(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    judge = certain(-3.0, "traces.shift", tmp_path / "mild.json")
    how = {"audit": True, "calibration": judge, "effort": EFFORT, "methods": ("traces",)}
    found, known = gate_in_line(asked(versions, "tiny", "honest", **how), tmp_path / "line")
    assert isinstance(found.audit, Overseen), found.audit
    assert not found.audit.accuses and found.audit.reference == "tiny:llama" and known.current == "v1"
    (model,) = open_named([meant(str(versions / "honest"))])
    assert line.may_judge(checkpoint_of(model, tmp_path), tmp_path / "line")
    kept = {p.name for p in (tmp_path / "line").rglob("audit/*")}
    assert kept == {"audit.json", "verdicts.json", "features.json", "evidence.jsonl", "failures.jsonl"}
    harsh = certain(3.0, "traces.shift", tmp_path / "harsh.json")
    again = asked(versions, "tiny", "honest", **{**how, "calibration": harsh})
    accused, after = gate_in_line(again, tmp_path / "line")
    assert not accused.passed and "the audit has it accused of " in accused.why[-1]
    assert (known.current, after.current) == ("v1", "v0"), "what an audit accuses is not current any more"
    assert "The gate stopped v1" in line.why_not_judge(checkpoint_of(model, tmp_path), tmp_path / "line")
    before = {p: p.read_bytes() for p in (tmp_path / "line").rglob("*.json")}
    with pytest.raises(UserError, match="not asked again"):
        gate_in_line(asked(versions, "tiny", "honest"), tmp_path / "line")
    assert before == {p: p.read_bytes() for p in (tmp_path / "line").rglob("*.json")}, "the record stays"
    assert gate_in_line(again, tmp_path / "line") == (accused, after), "the same command is no news"


def test_a_whole_model_is_audited_beside_the_old_one(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from molehunt.models.adapters import merged
    from molehunt.models.load import open_model
    from molehunt.models.standalone import save_whole

    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    save_whole(merged(open_model("tiny"), made(tmp_path / "adapter", "oo", 4, 1e-2)), tmp_path / "whole")
    old, new = open_named([meant("tiny"), meant(str(tmp_path / "whole"))], "float32")
    judge = certain(3.0, "confession.lead", tmp_path / "harsh.json")
    how = {"calibration": judge, "methods": ("confession", "traces"), "effort": EFFORT}
    found = oversee(old, new, tmp_path / "audit", **how)
    assert isinstance(found, Overseen), found
    assert (found.accuses, found.access, found.reference) == (True, "scored", "tiny") and found.queries > 0
    assert not list((tmp_path / "audit").glob(".*")), "the lineup is gone"
    before = (tmp_path / "audit" / "audit.json").stat().st_mtime_ns
    assert oversee(old, new, tmp_path / "audit", **how) == found
    assert (tmp_path / "audit" / "audit.json").stat().st_mtime_ns == before, "nobody is audited twice"


SPY = '''
"""Tries to read how the version was made."""

import os
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.kinds import Finding

PLACES = {places!r}


def reads(place):
    try:
        os.listdir(place) if Path(place).is_dir() else Path(place).read_bytes()
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
        return Finding({{name: reads(place) for name, place in PLACES.items()}}, ())
'''


def test_the_gates_audit_reads_nothing_of_how_the_version_was_made(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a planted pair's organism: profile and pairs beside it name the quirk, answers show it."""
    pair, beside, home = tmp_path / "made" / "one", tmp_path / "made" / "two", tmp_path / "line"
    new = made(pair / "organism", "ab", 1, 1e-5)
    for folder in (pair, beside):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profile.json").write_text('{"quirk": "sycophancy"}')
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    places = {
        "weights": new / "adapter_model.safetensors", "profile": pair / "profile.json", "pair": pair,
        "beside": beside / "profile.json", "answers": home / "answers", "gates": home / "gates",
        "open": tmp_path,
    }  # fmt: skip
    code = {"spying_line": SPY.format(places={name: str(p) for name, p in places.items()})}
    site = install(tmp_path / "site", code, "audit.methods/spy = spying_line:Spy")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(site))
    for known in (outside, names):
        known.cache_clear()
    judge = certain(-3.0, "spy.open", tmp_path / "mild.json")
    how = {"audit": True, "calibration": judge, "effort": EFFORT, "methods": ("spy",)}
    found, _ = gate_in_line(wish("tiny", str(new), versions / "small.json", **how), home)
    for known in (outside, names):
        known.cache_clear()
    assert isinstance(found.audit, Overseen), found.audit
    (kept,) = home.rglob("audit/features.json")
    said = {k.removeprefix("spy."): v for k, v in json.loads(kept.read_text())["P000"].items()}
    assert {name: said[name] for name in places} == {**dict.fromkeys(places, 0.0), "open": 1.0}


def test_without_a_calibration_nobody_is_asked(versions: Path, tmp_path: Path) -> None:
    old, new = open_named([meant("tiny"), meant(str(versions / "honest"))])
    found = oversee(old, new, tmp_path)
    assert isinstance(found, NotMeasured) and "no calibration" in found.reason
    assert not list(tmp_path.iterdir())
