"""Numbers that stay on one line with their interval and unit."""

import pytest

from molehunt.report.unbroken import unbroken
from molehunt.report.words import number


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0.97 [0.90, 0.99]", ["0.97 [0.90, 0.99]"]),
        ("0.01 (95% −0.003 to 0.02), n = 72", ["0.01 (95% −0.003 to 0.02)", "n = 72"]),
        ("−0.00 [−1e−17, ∞] and 3 to 4", ["−0.00 [−1e−17, ∞]", "3 to 4"]),
        ("it took 12.3 s and 1,234 tokens", ["12.3 s", "1,234 tokens"]),
        ("p < 0.05, < 1%", ["p &lt; 0.05", "&lt; 1%"]),
        ("word2 to 3rd, 7 strange things, v1.2 [a, b]", []),
    ],
)
def test_a_number_keeps_its_interval_and_unit(text: str, kept: list[str]) -> None:
    parts = str(unbroken(text)).split('<span class="num">')[1:]
    assert [p.partition("</span>")[0] for p in parts] == kept


def test_nothing_but_marks_is_added_and_all_is_escaped() -> None:
    hostile = 'says <b>0.5 [0.1, 0.9]</b> "&\x1b[31m and ' + "x" * 400 + " " + "9" * 90 + " s"
    made = unbroken(hostile)
    assert "<b>" not in made and "\x1b" not in made and "&lt;b&gt;" in made
    assert made.count('<span class="long">') == 2, "a number that is no number may break"
    assert made.striptags().count("0.5 [0.1, 0.9]") == 1


def test_what_is_left_of_arithmetic_is_nothing() -> None:
    assert [number(v) for v in (-0.0, 1e-17, -3e-16, 0.001, -0.5)] == [
        "0.00",
        "0.00",
        "0.00",
        "0.001",
        "−0.50",
    ]
