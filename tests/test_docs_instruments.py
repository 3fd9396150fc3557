"""The instruments' page: what its committed numbers say, in words that follow from them alone."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent.parent / "studies" / "instruments"


def module(name: str, folder: Path = HERE) -> Any:
    """A file of a study, as when the study is run by name."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))


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
    made = module("page").page(json.loads((HERE / "results.json").read_text()))
    assert made == (HERE / "README.md").read_text()


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
