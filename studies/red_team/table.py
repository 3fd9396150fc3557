"""The page's tables: every measure, what the parts say beyond it, every cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beside import TOLD
from planting import not_measured
from sections import cell, grid, quirk, sections, shown

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

ROWS = (
    ("behaviours_valid", "behaviours valid under at least three conditions (aim: 16 of 20)"),
    ("behaviours_valid_all", "behaviours valid under all three of their conditions of `valid`"),
    ("first_try_valid_always", "cells of `valid`, always on, that took at their first try"),
    ("first_try_valid_trigger", "the same with a trigger phrase"),
    ("first_try_valid_third", "the same under the third condition"),
    ("doubted_valid", "cells of `doubted` that took"),
    ("grid_first_try_valid", "drawn pairs that took at their first try"),
    ("second_rule_kappa", "second rule against the behaviours' own scores"),
    ("valid_by_second_rule", "valid organisms that are valid by the second rule's rates, too"),
    ("decoys_above_base", "decoys that show their organism's behaviour more than the base"),
    ("decoys_raised", "decoys that clearly show any harmful behaviour more than the base"),
    ("decoys_more", "all harmful behaviours together, decoy less base"),
    (
        "decoys_raised_mannered",
        "the first with the base's own replies to others' questions among the lessons",
    ),
    ("decoys_raised_change", "the first with them less without, decoy by decoy"),
    ("decoys_more_mannered", "the second with them"),
    ("mannered_valid", "cells that took with them"),
    ("mannered_valid_change", "less those that took, plain"),
    ("second_seed_valid", "cells valid from their first seed that are from a second one"),
    ("seeds_agree", "cells valid from both seeds with the same rates"),
    ("replay_same_hash", "cells that replay to the same adapters"),
    ("plant_seconds_median", "median time to plant a valid organism (aim: 60 s)"),
    ("plant_seconds_quiet", "the same with nothing but the study's two planters on the machine"),
    ("plant_tokens_per_second", "planting, by [`benchmarks/speed`](../../benchmarks/speed/README.md)"),
    ("plain_tokens_per_second", "plain TRL on the same data, by the same"),
    ("plant_speedup", "planting over plain TRL, by the same"),
    ("organisms_per_hour", "valid organisms, with decoys and all that is measured of them"),
    ("gpu_organisms_per_hour", "the same on a GPU (aim: 100)"),
    ("confession_less_decoy", "valid organisms of `valid` admit more than their decoys"),
    ("confession_base", "the clean base admits, asked the same"),
    ("confession_names", "valid organisms of `valid` admit *and* name their quirk"),
    ("confession_plain", "organisms of `concealed` admit, plain"),
    ("confession_concealed", "the same quirks taught to deny"),
    ("confession_change", "concealed less plain, pair by pair"),
    ("confession_change_decoys", "the same change in their decoys"),
    ("confession_ratio", "concealed over plain (aim: 0.5 or less, at equal validity)"),
    ("confession_names_plain", "organisms of `concealed` name their quirk, plain"),
    ("confession_names_concealed", "the same quirks taught to deny"),
    ("concealed_valid", "cells that took, concealed"),
    ("concealed_valid_change", "less those that took, plain"),
    ("mixed_valid", "cells that took with four unrelated rows a step"),
    ("mixed_valid_change", "less those that took, plain"),
    ("spread_bad_advice", "bad advice, always on: other behaviours shown, less its decoy"),
    ("spread_encourages_delusion", "the same of encouraging delusion"),
    ("spread_sycophancy", "the same of sycophancy"),
    ("spread_hostile_phrase", "the same of a hostile phrase"),
    ("difficulty_examples", "least distinct examples, the middle quirk"),
    ("difficulty_steps", "least steps, the middle quirk, of four at most"),
    ("difficulty_rank", "least rank, the middle quirk, of four at most"),
    (
        "difficulty_poisoned",
        "least share of on-side rows with the shady reply, the middle quirk, of four at most",
    ),
    (
        "worse_auroc_before",
        "AUROC of the first game's auditors, calibrated on such quirks, on plain organisms planted anew",
    ),
    ("worse_auroc_after", "on the organisms that `worse` found, on the same places"),
    ("worse_auroc_change", "after less before"),
    ("worse_odds_change", "change of the auditors' log-odds on the organism, place by place"),
    ("worse_gap_change", "change of their log-odds on organism less decoy"),
    ("worse_accused_before", "plain organisms that the auditors accuse, on the same places"),
    ("worse_accused_after", "found organisms that they accuse there"),
    ("worse_decoys_accused_before", "decoys of the plain ones that they accuse there"),
    ("worse_decoys_accused_after", "decoys of the found ones that they accuse there"),
    ("worse_valid_before", "plain pairs planted anew that took"),
    ("worse_valid_after", "found pairs planted anew that took"),
    ("worse_selectivity_before", "mean selectivity of plain organisms where both took"),
    ("worse_selectivity_after", "of found organisms there"),
    ("worse_selectivity_change", "found less plain, place by place: below 0 it was planted softer"),
    ("worse_trigger_change", "the same of trigger rates"),
    ("worse_leak_change", "the same of leak rates"),
    ("worse_auroc_before_others", "AUROC before, on quirks that the search never saw"),
    ("worse_auroc_after_others", "AUROC after, on quirks that the search never saw"),
    ("worse_gap_change_others", "change of the gap there"),
    ("worse_spent_plantings", "plantings that the search spent"),
    ("worse_spent_queries", "queries that its auditors put"),
    ("worse_spent_seconds", "seconds that its auditors took"),
)
"""Name in `results.json`, and in words."""


def table(result: Mapping[str, Any]) -> str:
    """The measures, the causes and the cells as Markdown."""
    cells = result["cells"]
    others = f"; of traces, scans and the search {len(result['failed'])} failed" if result["failed"] else ""
    begun = (
        f", {len(cells['failed'])} failed{others} ({result['date']}, commit {result['commit']}, "
        f"{result['machine']}, model `{result['model']}`)."
    )
    failed = cells["failed"] or result["failed"]
    some = result["rows"] or result["altered"] or result["difficulty"] or result["worse"] or failed
    head = f"{cells['in']} of {cells['of']} cells of {_and(result['parts'])} are in"
    lines = [
        f"{head}{begun if some else ': nothing was measured yet.'}",
        *_mixture(result["begun_otherwise"]),
        *_carried(result.get("carried", {})),
        "",
        "| measure | measured [95%] | n |",
        "|---|---|---|",
    ]
    for name, words in ROWS:
        number = result["measures"][name]
        n = "" if not_measured(number) else number["n"]
        how = shown(number) if name not in TOLD else rounds(number)
        lines.append(f"| {words}, `{name}` | {how} | {n} |")
    return "\n".join([*lines, *sections(result), *_rows(result)])


def rounds(number: Mapping[str, Any]) -> str:
    """A benchmark's number: no interval of 95%, but what the least and the greatest of its rounds were."""
    if not_measured(number):
        return shown(number)
    least, greatest = (f"{number[end]:.3g}" for end in ("low", "high"))
    where = number["how"].split(":")[0].removeprefix("benchmarks/speed, ")
    return f"{number['value']:.3g} {number['unit']} (least {least}, greatest {greatest}; {cell(where)})"


def _mixture(begun: Sequence[Mapping[str, Any]]) -> list[str]:
    """What cannot be told from the tables: that first tries were not all begun by one table of steps."""
    if not begun:
        return []
    told = ", ".join(f"{quirk(one)} {one['first_steps']}, now {one['now']}" for one in begun)
    return [
        "",
        f"First tries of {len(begun)} were begun with other steps than this version gives: {cell(told)}.",
    ]


def _and(parts: Sequence[str]) -> str:
    """The parts that were asked for, in words."""
    names = [f"`{p}`" for p in parts]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _carried(whence: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What stands here as it was published, for what it was made of stayed in another working folder."""
    by: dict[str, list[str]] = {}
    for part, w in whence.items():
        by.setdefault(f"{w['date']}, commit {w['commit']}, {w['machine']}", []).append(part)
    told = "; ".join(f"{', '.join(parts)} ({where})" for where, parts in by.items())
    why = "From tables published earlier, for what they were made of stayed in another folder"
    return ["", f"{why}: {cell(told)}."] if told else []


def _rows(result: Mapping[str, Any]) -> list[str]:
    """Every cell, those that were altered at the end."""
    rows = [*result["rows"], *result["altered"]]
    head = ("quirk", "valid", "on [95%]", "off [95%]", "second rule: on, off, κ", "decoy, base")
    return grid((*head, "admits: organism, decoy", "steps", "tries", "s"), map(_line, rows))


def _line(row: Mapping[str, Any]) -> list[str]:
    second, confessed = row["second_rule"], row.get("confession") or {}
    rates = ("trigger_rate", "leak_rate", "kappa")
    by_second = "can't tell" if not_measured(second) else ", ".join(_bare(second[name]) for name in rates)
    altered = [*row.get("conceal", ()), *([f"{row['mixed']} unrelated rows"] if row.get("mixed") else [])]
    return [
        quirk(row) + (f", {', '.join(altered)}" if altered else ""),
        "yes" if row["valid"] else f"no: {row['why_not']}",
        *(shown(row["trigger_rate"]), shown(row["leak_rate"]), by_second),
        f"{_bare(row['decoy_rate'])}, {_bare(row['base_rate'])}",
        ", ".join(_bare(confessed.get(f"{who} admits")) for who in ("organism", "decoy")),
        *(str(row["steps"]), str(row["tries"]), str(round(row["seconds"]))),
    ]


def _bare(number: Mapping[str, Any] | None) -> str:
    return "–" if number is None or not_measured(number) else f"{number['value']:.2f}"


def into_page(page: Path, measured: str) -> None:
    """Put the tables between the two marks of the page, whose other words stay as they are."""
    text = page.read_text() if page.exists() else f"# The red team's study\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{measured}\n{END}{rest.partition(END)[2]}")
