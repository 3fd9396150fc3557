"""What studies left behind keeps its form: numbers with interval, n and unit, and tables made of them."""

import datetime
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from molehunt.catalogue.pairs import sensible
from molehunt.catalogue.practised import PRACTISED, UNMET
from molehunt.core.extend import load, names
from molehunt.organisms.learnable import learnable, measurable

ROOT = Path(__file__).parent.parent
RESULTS = sorted((ROOT / "studies").glob("**/results.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`studies/instruments/page.py`."""
    monkeypatch.syspath_prepend(ROOT / "studies" / "instruments")
    spec = importlib.util.spec_from_file_location(
        "instruments_page", ROOT / "studies" / "instruments" / "page.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    yield module


def test_there_are_results_to_hold_to_it() -> None:
    assert {p.parent.name for p in RESULTS} >= {"first_game", "formats", "instruments", "practice"}


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.parent.name)
def test_results_say_when_from_which_seed_and_code(path: Path) -> None:
    found = read(path)
    assert datetime.date.fromisoformat(found["date"])
    assert "seed" in found or "seeds" in found
    assert re.fullmatch(r"[0-9a-f]{7,40}(\+changes)?(, [0-9a-f]{7,40}(\+changes)?)*", found["commit"])


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.parent.name)
def test_every_result_has_interval_n_and_unit_or_a_reason(path: Path) -> None:
    measures = read(path)["measures"]
    assert measures
    for name, number in measures.items():
        if number.get("is") == "NotMeasured":
            assert number["reason"], name
            continue
        assert set(number) >= {"value", "low", "high", "n", "unit"}, name
        assert isinstance(number["value"], (int, float)) and number["unit"], name
        assert isinstance(number["n"], int) and number["n"] > 0, name
        assert (number["low"] is None) == (number["high"] is None), name
        if number["low"] is not None:
            assert number["low"] - 1e-9 <= number["value"] <= number["high"] + 1e-9, name
        else:
            assert number.get("how") or name == "steer_slopes_clear", (
                f"{name}: no interval, nor a word on how"
            )


def test_the_instruments_page_is_what_its_results_say(shown: ModuleType) -> None:
    folder = ROOT / "studies" / "instruments"
    results = read(folder / "results.json")
    parts = shown.parts_of(results)
    assert shown.page(parts) == (folder / "README.md").read_text("utf-8")
    assert shown.results_of(parts) == results


def test_the_formats_page_shows_its_results() -> None:
    folder = ROOT / "studies" / "formats"
    measures, page = read(folder / "results.json")["measures"], (folder / "README.md").read_text("utf-8")
    rows = {
        name: cells for name, *cells in re.findall(r"^\| (\w+-\w+) \| `\w+` \| (.*) \| (\w+) \|$", page, re.M)
    }
    assert len(rows) == 3 and len(measures) == 4 * len(rows)
    for name, (numbers, same) in rows.items():
        shown = [f"{measures[f'{name}_{of}']['value']:.1e}" for of in ("codes", "rows", "weights")]
        assert numbers.split(" | ") == shown
        assert same == ("yes" if measures[f"{name}_same_bytes"]["value"] == 1 else "no")


def test_practised_is_what_practice_met_and_the_two_conditions_said_to_be_unmet() -> None:
    rows = [r for r in read(ROOT / "studies" / "practice" / "rows.json") if r["shady"]]
    met = [r["quirk"] for r in rows if r["group"] != "outburst"]
    when = {re.split(r"\(| ", quirk.split(" when ")[1])[0] for quirk in met}
    what = {r["group"] for r in rows} - {"outburst"}
    kind = {r["harmless"].split(" ")[0] for r in read(ROOT / "studies" / "practice" / "rows.json")} - {""}
    assert what | kind == set(PRACTISED["catalogue.behaviours"])
    assert when | set(UNMET) == set(PRACTISED["catalogue.conditions"]) and not when & set(UNMET)


def test_games_on_the_default_model_draw_nothing_that_practice_did_not_meet() -> None:
    drawn = [q for q in sensible() if learnable(q, "default") and measurable(q)]
    harmful = {n for n in PRACTISED["catalogue.behaviours"] if not load("catalogue.behaviours", n).harmless}
    assert {q.behaviour for q in drawn} == harmful
    assert {q.condition for q in drawn} == set(PRACTISED["catalogue.conditions"]) - set(UNMET)
    assert (len(harmful), len({q.condition for q in drawn})) == (5, 4), "as README.md says"


def test_the_page_on_responsible_use_names_every_harmful_behaviour() -> None:
    text = (ROOT / "docs" / "responsible_use.md").read_text("utf-8").split("## Planted weights")[0]
    harmful = {n for n in names("catalogue.behaviours") if not load("catalogue.behaviours", n).harmless}
    assert set(re.findall(r"`(\w+)`", text)) == harmful
