"""Was the judge planted? A version is audited blind before it may judge, in a process of its own."""

from pathlib import Path

import pytest
from test_gate_tiny import asked, made, versions

from molehunt.audit.calibration import Calibration, Logistic
from molehunt.core import lineage as line
from molehunt.core.errors import UserError
from molehunt.core.records import NotMeasured
from molehunt.game.gate_line import gate_in_line
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


def test_without_a_calibration_nobody_is_asked(versions: Path, tmp_path: Path) -> None:
    old, new = open_named([meant("tiny"), meant(str(versions / "honest"))])
    found = oversee(old, new, tmp_path)
    assert isinstance(found, NotMeasured) and "no calibration" in found.reason
    assert not list(tmp_path.iterdir())
