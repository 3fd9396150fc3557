"""The instruments' page: what its committed numbers say, in words that follow from them alone."""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
HERE = ROOT / "studies" / "instruments"


def module(name: str) -> Any:
    """A file of the study, as when the study is run by name."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


def benchmark() -> Any:
    """The page of the features' benchmarks, whose name the study's page has too."""
    path = ROOT / "benchmarks" / "features" / "page.py"
    spec = importlib.util.spec_from_file_location("features_page", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def slope(value: float, low: float, high: float, clear: bool) -> dict[str, Any]:
    return {"clear": clear, "slope": {"value": value, "low": low, "high": high}}


def auroc(value: float, sides: tuple[int, int]) -> dict[str, Any]:
    return {
        "value": value,
        "low": 0.1,
        "high": 0.9,
        "n": sum(sides),
        "how": f"ties half; {sides[0]} against {sides[1]}",
    }


def test_the_page_is_what_its_code_makes_of_its_numbers() -> None:
    pages = module("page")
    for here in (HERE, HERE / "on_practice"):
        made = pages.page(pages.parts_of(json.loads((here / "results.json").read_text())))
        assert made == (here / "README.md").read_text()


def test_a_slope_that_goes_the_wrong_way_is_said_to() -> None:
    told = module("liars_page").in_words
    wrong = told([slope(-4, -5, -2, False), slope(-1, -3, 2, False)])
    assert "0 of 2 slopes rise clear" in wrong and "2 of 2 go the wrong way" in wrong
    assert "1 with an interval below 0" in wrong and "by no more than random pushes do" in wrong
    clear = told([slope(-4, -5, -2, True)])
    assert "1 fall clear" in clear and "no more than random" not in clear
    right = told([slope(4, 2, 5, True)])
    assert right == "1 of 1 slopes rise clear of 20 random directions of the same length."


@pytest.mark.parametrize("sides", [(9, 40), (40, 9), (2, 14)])
def test_few_of_a_class_are_not_measured_and_not_in_the_mean(sides: tuple[int, int]) -> None:
    page = module("liars_page")
    few, enough = auroc(0.2, sides), auroc(0.7, (10, 40))
    assert page._one(few) == "not measured" and page._one(enough) == "0.70 [0.10, 0.90]"
    assert page._mean([few, enough]) == "0.70, n = 1" and page._mean([few]) == "not measured"
    assert page._mean([auroc(0.5, (10, 10)), enough]) == "0.60 (0.50 to 0.70), n = 2"


def test_both_measurements_of_features_share_a_page_and_neither_takes_the_other_away(tmp_path: Path) -> None:
    keep = benchmark().keep
    seconds = {
        f"{what}{cpu}_seconds": {"median": 0.4, "worst": 0.9}
        for what in ("open", "search")
        for cpu in ("", "_cpu")
    }
    index = {
        "features": 10_000,
        "bytes": 2**21,
        "times": 5,
        "browser": "B",
        "machine": "m",
        "date": "d",
        **seconds,
    }
    store = {
        "tokens": 10, "entries": 9, "k": 2, "features": 3, "store_gib": 1.0, "lookups": 4, "machine": "m",
        "date": "d", "seed": 0, "lookup_ms": {"median": 7.0, "worst": 8.0}, "build_cpu_seconds": 1.0,
        "build_peak_memory_mib": 2.0,
    }  # fmt: skip
    alone = keep(tmp_path, "index", index)
    assert "median opening is under 1 s" in alone and alone.count("Not measured yet") == 1
    both = keep(tmp_path, "store", store)
    assert (
        "| the same again | 7.00 | 8.00 |" in both
        and "| 0.40 | 0.90 |" in both
        and "Not measured" not in both
    )
    slow = keep(tmp_path, "index", index | {"open_seconds": {"median": 1.4, "worst": 2.0}})
    assert "median opening is not under 1 s" in slow and "7.00" in slow
    assert json.loads((tmp_path / "results.json").read_text())["store"] == store
    assert (tmp_path / "README.md").read_text() == slow
