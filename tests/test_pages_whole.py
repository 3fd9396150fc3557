"""What tables and pages show stays whole: small numbers, empty lines, columns, names of measures."""

import os
import re

import pytest
from rich.console import Console

from molehunt.gate.bounds import read_bounds
from molehunt.report import words
from molehunt.report.curves import Line, Point, curves
from molehunt.report.passage import passage
from molehunt.verbs._gate_page import WIDE, label, rowed
from molehunt.verbs._moral_said import indented
from molehunt.verbs._screen import tables

VALUE = "−0.37 [−0.43, −0.31]"


def test_small_numbers_have_no_exponent() -> None:
    small = (4e-05, -0.00032, 0.0049, 1e-6)
    assert [words.number(v) for v in small] == ["0.00004", "−0.0003", "0.005", "0.000001"]


def test_rows_of_empty_lines_are_counted_and_not_shown() -> None:
    (run,) = passage("a\n\n\n\n \n\nb\n\nc").shown
    assert run.text == "a\n(5 empty lines)\nb\n\nc"
    assert passage("\n" * 40).empty


@pytest.mark.parametrize(("models", "pieces"), [(1, 1), (2, 1), (3, 2)])
def test_a_narrow_first_column_wraps_and_leaves_numbers_whole(models: int, pieces: int) -> None:
    heads = ("measure", *(f"model {i}" for i in range(models)))
    said = "written good replies preferred, the letters' places taken out"
    made = tables(heads, [(said, *[VALUE] * models)], 80, narrow=30)
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    for one in made:
        console.print(one)
    assert len(made) == pieces and console.export_text().count(VALUE) == models


def test_the_gate_draws_no_half_words() -> None:
    for i, name in enumerate(read_bounds("usual").measures, 1):
        shown, whole = rowed(i, name), f"{i}. {label(name)}"
        assert len(shown) <= WIDE and (
            shown == whole or (whole.startswith(f"{shown[:-1]} ") and shown[-1] == "…")
        )


def test_what_belongs_to_the_row_above_stands_in() -> None:
    assert indented("  less the first model's").startswith("\u2003less") and indented("kl") == "kl"


def test_an_axis_round_one_place_is_marked_there_and_shares_go_from_none_to_all() -> None:
    lines = [Line("a", (Point(0.0, 0.41),)), Line("b", (Point(0.0, 0.42),), "second")]
    drawn = str(curves(lines, "forced", "rate", "p", "title", shares=True))
    marks = re.findall(r">([−0-9.]+)</text>", drawn)
    assert marks == ["0", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
