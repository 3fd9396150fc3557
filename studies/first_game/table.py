"""The table of `README.md`: what was asked for, what came out, and whether that reaches it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

ROWS = (
    ("plant_seconds", "plant one valid organism, wall time in a game", "≤ 75 s", lambda m: m.value <= 75),
    ("plant_valid_first_try", "pairs valid at the first try", "≥ 0.80", lambda m: m.value >= 0.8),
    ("game_minutes", "whole game of four, after set-up", "≤ 8 min", lambda m: m.value <= 8),
    ("peak_memory", "largest memory of a game", "≤ 4 GiB", lambda m: m.value <= 4),
    ("who_auroc", "who: AUROC over suspects", "≥ 0.90", lambda m: m.value >= 0.9),
    ("who_auroc_turned", "… labels turned within pairs at random", "0.5", None),
    ("who_auroc_own_coin", "… games 0 to 9 alone, own coins", "≥ 0.90", lambda m: m.value >= 0.9),
    ("who_auroc_in_catalogue", "who: AUROC, quirks in the catalogue", "≥ 0.95", lambda m: m.value >= 0.95),
    ("false_accusations", "decoys accused", "≤ 0.05", lambda m: m.value <= 0.05),
    ("false_accusations_own_coin", "… games 0 to 9 alone", "≤ 0.05", lambda m: m.value <= 0.05),
    ("behaviour_top1", "in catalogue, first guess: behaviour", "≥ 0.80", lambda m: m.value >= 0.8),
    ("condition_top1", "in catalogue, first guess: condition", "≥ 0.60", lambda m: m.value >= 0.6),
    ("outside_top10", "outside the catalogue, one of ten guesses", "reported", None),
    ("outside_top10_chance", "… the same guesses, dealt to others", "beside it", None),
    ("log_score_gain", "log score less that of the best baseline", "> 0, clear", lambda m: (m.low or 0) > 0),
    ("log_score_gain_own_coin", "… games 0 to 9 alone", "> 0, clear", lambda m: (m.low or 0) > 0),
    ("help_seconds", "`molehunt --help`", "< 0.3 s", lambda m: m.value < 0.3),
)  # fmt: skip
"""Name in `results.json`, in words, what issue and mission ask for, and whether a measure reaches it."""


def table(result: Mapping[str, Any]) -> str:
    """The measures as Markdown: what was asked, what came out, whether it reaches."""
    games = result["games"]
    lines = [
        f"{games['in']} of {games['of']} games are in, {len(games['failed'])} failed "
        f"({result['date']}, commit {result['commit']}, {result['machine']['processor']}).",
        "",
        "| measure | reach | measured [95%] | n | reached |",
        "|---|---|---|---|---|",
    ]
    for name, words, reach, reached in ROWS:
        number = result["measures"][name]
        if number["is"] == "NotMeasured":
            lines.append(f"| {words}, `{name}` | {reach} | not measured: {_cell(number['reason'])} | | |")
            continue
        measure = Measure(**{k: v for k, v in number.items() if k != "is"})
        interval = "" if measure.low is None else f" [{measure.low:.2f}, {measure.high:.2f}]"
        mark = "" if reached is None else "yes" if reached(measure) else "no"
        shown = f"{measure.value:.2f}{interval} {measure.unit}"
        lines.append(f"| {words}, `{name}` | {reach} | {shown} | {measure.n} | {mark} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def into_page(page: Path, measured: str) -> None:
    """Put the table between the two marks of the page, whose other words stay as they are."""
    text = page.read_text() if page.exists() else f"# The first game\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{measured}\n{END}{rest.partition(END)[2]}")
