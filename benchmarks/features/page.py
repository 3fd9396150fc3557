"""One file of results and one page for both measurements: the store's lookups, and the index's opening."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_bytes, write_json

LOOKUPS = {
    "lookup_first_ms": "1,000 examples with contexts, first time",
    "lookup_ms": "the same again",
    "shaded_ms": "the same with the feature's value at every token of the contexts",
    "histogram_ms": "exact histogram",
}
OPENING = {
    "open_seconds": "opening, seconds that passed",
    "open_cpu_seconds": "opening, processor seconds of the page's process",
    "search_seconds": "a search of three letters, seconds that passed",
    "search_cpu_seconds": "a search of three letters, processor seconds",
}
REACH = 1.0
"""Seconds in which an index of ten thousand features should open."""


def keep(folder: Path, part: str, report: Mapping[str, Any]) -> str:
    """Put one measurement, `store` or `index`, into `results.json` beside the other; gives the page back."""
    path = folder / "results.json"
    results = {**(read_json(path) if path.is_file() else {}), part: dict(report)}
    write_json(path, results)
    write_bytes(folder / "README.md", page(results).encode())
    return page(results)


def page(results: Mapping[str, Any]) -> str:
    """Both tables as Markdown; what was not run is said."""
    return "\n".join(["# The speed of features", "", *_store(results), *_index(results)])


def _store(results: Mapping[str, Any]) -> list[str]:
    head, run = ["## Looking features up in a store", ""], "    python benchmarks/features/run.py"
    if "store" not in results:
        return [*head, "Not measured yet:", "", run, ""]
    r = results["store"]
    return [
        *head,
        f"{r['tokens']:,} synthetic tokens, {r['entries']:,} entries (k = {r['k']} draws a token, "
        f"{r['features']:,} features), {r['store_gib']:.1f} GiB; {r['lookups']} features looked up. "
        f"{r['machine']}, {r['date']}, seed {r['seed']}.",
        "",
        "| milliseconds | median | worst |",
        "|---|---|---|",
        *(
            f"| {words} | {r[n]['median']:.2f} | {r[n]['worst']:.2f} |"
            for n, words in LOOKUPS.items()
            if n in r
        ),
        "",
        f"Built in {r['build_cpu_seconds']:,.0f} s of CPU time (drawing the random numbers included), with "
        f"at most {r['build_peak_memory_mib']:,.0f} MiB of memory in the process.",
        "",
        "What this cannot tell you: how it is on a cold disk or a network drive. The system's page cache "
        "held what had just been written, as far as memory went.",
        "",
        run,
        "",
    ]


def _index(results: Mapping[str, Any]) -> list[str]:
    head, run = ["## Opening the index of features", ""], "    python benchmarks/features/index.py"
    if "index" not in results:
        return [*head, "Not measured yet:", "", run, ""]
    r = results["index"]
    within = r["open_seconds"]["median"] < REACH
    return [
        *head,
        f"{r['features']:,} made-up features, {r['bytes'] / 2**20:.1f} MiB, {r['times']} times in a fresh "
        f"page of {r['browser']}. {r['machine']}, {r['date']}. The median opening is "
        f"{'' if within else 'not '}under {REACH:g} s.",
        "",
        "| seconds | median | worst |",
        "|---|---|---|",
        *(f"| {words} | {r[n]['median']:.2f} | {r[n]['worst']:.2f} |" for n, words in OPENING.items()),
        "",
        "What this cannot tell you: how it is in another browser, or over a network. Opening ends with the "
        "page's load event; seconds that passed hold whatever else the machine did.",
        "",
        run,
        "",
    ]
