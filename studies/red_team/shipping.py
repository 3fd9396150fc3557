"""What of the table ships with the package: rates of every planted quirk, and the least that made it valid.

`molehunt catalogue --page` shows them wherever the package is installed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.report.planted import MEASURED

HEAD = ("date", "commit", "machine", "model")
ROW = (
    "behaviour", "condition", "options", "trigger_rate", "leak_rate", "valid", "first_try", "steps",
    "why_not",
)  # fmt: skip
LINE = ("behaviour", "condition", "options", "unit", "least")
NUMBER = ("is", "value", "n", "low", "high", "reason")


def shipped(result: Mapping[str, Any]) -> dict[str, Any]:
    """The table without what the page does not show."""
    return {
        **{key: result[key] for key in HEAD},
        "rows": [_some(row, ROW) for row in result["rows"]],
        "difficulty": [_some(line, LINE) for line in result["difficulty"]],
    }


def ships(out: Path) -> bool:
    """Whether a table that is written there is the one that the package of this checkout goes with."""
    return out.resolve() == MEASURED.parents[2] / "studies" / "red_team"


def _some(whole: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    some = {key: whole[key] for key in keys if key in whole}
    return {k: _some(v, NUMBER) if isinstance(v, Mapping) and "is" in v else v for k, v in some.items()}
