"""The drawing of remedies side by side."""

import re

import pytest

from molehunt.core.records import Measure, NotMeasured
from molehunt.report.fates import Mark, fates


def share(value: float) -> Measure:
    return Measure(value, "share", 8, "counted", max(0.0, value - 0.1), min(1.0, value + 0.1))


@pytest.mark.parametrize(
    ("remedy", "lines"),
    [
        ("noise", ["noise"]),
        ("noise,most=0.2", ["noise", "most=0.2"]),
        ("steering,asked=12,steps=4", ["steering", "asked=12,step…"]),
        ("<b>sly\nremedy</b>", ["&lt;b&gt;sly remedy…"]),
    ],
)
def test_a_dose_stands_below_its_remedys_name(remedy: str, lines: list[str]) -> None:
    marks = [Mark(remedy, "Ash", "hidden", share(0.6), share(0.1), NotMeasured("nobody asked"))]
    told = str(fates(marks, 0.5, "a"))
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", told)
    for line in lines:
        assert drawn.count(line) == 3, "beside the bars, the marks and what was lost"
    assert "not measured" in drawn and "hidden 1" in drawn
