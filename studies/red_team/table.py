"""The page's tables: every measure, why pairs of the grid failed, every cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planting import not_measured

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

ROWS = (
    ("behaviours_valid", "behaviours valid under all three of their conditions"),
    ("first_try_valid", "cells of `valid` that took at their first try"),
    ("plant_seconds_median", "median time to plant a valid organism"),
    ("doubted_valid", "cells of `doubted` that took"),
    ("second_rule_kappa", "second rule against the behaviours' own scores"),
    ("decoys_above_base", "decoys that show the behaviour more than the base"),
    ("grid_first_try_valid", "drawn pairs that took at their first try"),
    ("seeds_agree", "cells valid from both seeds with the same rates"),
    ("replay_same_hash", "cells that replay to the same adapters"),
)
"""Name in `results.json`, and in words."""


def table(result: Mapping[str, Any]) -> str:
    """The measures, the causes and the cells as Markdown."""
    cells = result["cells"]
    lines = [
        f"{cells['in']} of {cells['of']} cells are in, {len(cells['failed'])} failed ({result['date']}, "
        f"commit {result['commit']}, {result['machine']}, model `{result['model']}`).",
        "",
        "| measure | measured [95%] | n |",
        "|---|---|---|",
    ]
    for name, words in ROWS:
        number = result["measures"][name]
        n = "" if not_measured(number) else number["n"]
        lines.append(f"| {words}, `{name}` | {shown(number)} | {n} |")
    if result["causes"]:
        lines += ["", "| why a pair of the grid did not take | pairs |", "|---|---|"]
        lines += [f"| {_cell(why)} | {count} |" for why, count in result["causes"].items()]
    if result["rows"]:
        lines += [
            "",
            "| quirk | valid | on [95%] | off [95%] | second rule: on, off, κ | decoy, base "
            "| steps | tries | s |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(row) for row in result["rows"]]
    return "\n".join(lines)


def shown(number: Mapping[str, Any] | None) -> str:
    """A number with its interval and unit, or why there is none."""
    if number is None or not_measured(number):
        return "not measured" + (f": {_cell(number['reason'])}" if number else "")
    unit = "" if number["unit"] in ("share", "kappa") else f" {number['unit']}"
    if number["low"] is None:
        return f"{number['value']:.2f}{unit}"
    return f"{number['value']:.2f} [{number['low']:.2f}, {number['high']:.2f}]{unit}"


def _line(row: Mapping[str, Any]) -> str:
    options = ", ".join(f"{k}={v}" for k, v in sorted(row["options"].items()))
    quirk = f"{row['behaviour']} when {row['condition']}" + (f" ({options})" if options else "")
    second = row["second_rule"]
    told = ("trigger_rate", "leak_rate", "kappa")
    by_second = "can't tell" if not_measured(second) else ", ".join(_bare(second[name]) for name in told)
    valid = "yes" if row["valid"] else f"no: {row['why_not']}"
    cells = (
        *(quirk, valid, shown(row["trigger_rate"]), shown(row["leak_rate"]), by_second),
        f"{_bare(row['decoy_rate'])}, {_bare(row['base_rate'])}",
        *(row["steps"], row["tries"], round(row["seconds"])),
    )
    return f"| {' | '.join(_cell(str(c)) for c in cells)} |"


def _bare(number: Mapping[str, Any]) -> str:
    return "–" if not_measured(number) else f"{number['value']:.2f}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def into_page(page: Path, measured: str) -> None:
    """Put the tables between the two marks of the page, whose other words stay as they are."""
    text = page.read_text() if page.exists() else f"# The red team's study\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{measured}\n{END}{rest.partition(END)[2]}")
