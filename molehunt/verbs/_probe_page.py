"""What `molehunt probe` found, as rows for a terminal and as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words

LOOKS = ("first", "second", "third")
CANNOT = (
    "That the model uses what a probe reads: a direction that separates labels may be a by-product.",
    "Which layer is really best: neighbours differ by luck, and the winner's validation figure flatters.",
    "How the probe does on a shift that no test set here holds.",
    "That texts without tell-tale words hold no give-away: pairs of words, order and length can tell too.",
)
HEADS = ("set", "probe", "n", "AUROC", "words alone", "recall at 1% FP", "calibration error", "dropped")
SHORT = ("probe", "set", "AUROC", "words alone", "calibration error")


def result_rows(results: Sequence[Any]) -> list[tuple[str, ...]]:
    """One row a probe and set."""
    return [
        (
            f"{r.where}, no tell-tale words" if r.filtered else r.where,
            r.kind.replace("_", " "),
            f"{r.auroc.n:,}" if isinstance(r.auroc, Measure) else "—",
            *(short(m) for m in (r.auroc, r.bag_of_words, r.recall, r.calibration)),
            str(r.dropped) if r.filtered else "—",
        )
        for r in results
    ]


def short_rows(results: Sequence[Any]) -> list[tuple[str, ...]]:
    """As `result_rows` for a narrow terminal; a dash is what `unmeasured` gives the reason of."""
    return [
        (
            r.kind,
            f"{r.where}, −{r.dropped} told" if r.filtered else r.where,
            *(
                "—" if isinstance(m, NotMeasured) else short(m)
                for m in (r.auroc, r.bag_of_words, r.calibration)
            ),
        )
        for r in results
    ]


def unmeasured(results: Sequence[Any]) -> str:
    """Why what is missing is missing, each reason once; nothing where all was measured."""
    every = [m for r in results for m in (r.auroc, r.bag_of_words, r.recall, r.calibration)]
    reasons = dict.fromkeys(words.brief(m.reason) for m in every if isinstance(m, NotMeasured))
    return f" Not measured: {'; '.join(reasons)}." if reasons else ""


def short(value: Measure | NotMeasured) -> str:
    """A measure in few characters."""
    if isinstance(value, NotMeasured):
        return "not measured"
    if value.low is None or value.high is None:
        return words.number(value.value)
    return f"{words.number(value.value)} [{words.number(value.low)}, {words.number(value.high)}]"


def write_probe_page(path: Path, found: Any, facts: Sequence[tuple[str, str]]) -> None:
    """The layer sweep and the results of a training."""
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet

    kinds = list(found.kept)
    places = list(dict.fromkeys(s.address for s in found.swept))
    lines = [
        Line(
            kind,
            tuple(Point(float(places.index(s.address)), s.validation) for s in found.swept if s.kind == kind),
            LOOKS[i % 3],  # pyright: ignore[reportArgumentType]
        )
        for i, kind in enumerate(kinds)
    ]
    across = f"place, from {places[0]} (0) to {places[-1]} ({len(places) - 1})"
    drawing = curves(lines, across, "AUROC on validation", "sweep", "Layer sweep")
    swept = tuple((s.address, s.kind, words.number(s.validation), f"{s.penalty:g}") for s in found.swept)
    null = tuple((kind, words.said(m)) for kind, m in found.null.items())
    tales = next(iter(found.kept.values())).made.tell_tales
    told = ", ".join(t.word for t in tales[:40]) or "none found"
    chosen = "; ".join(f"{k} at {p.made.address}" for k, p in found.kept.items())
    sheet = Sheet(
        "Probes",
        f"Linear probes, their place chosen on validation alone: {chosen}.",
        tuple(facts),
        (
            Section(
                "What they are worth",
                "On examples that neither training nor the choice of a layer saw, beside a bag of words, "
                f"with 95% intervals. Tell-tale words ({len(tales)}): {told}.{unmeasured(found.results)}",
                tables=(Grid(HEADS, tuple(result_rows(found.results))),),
            ),
            Section(
                "Chance",
                "The same probes on shuffled training labels, on the real test labels.",
                tables=(Grid(("probe", "AUROC"), null),),
            ),
            Section(
                "Layer sweep",
                "On validation rows. The highest of each kind was kept; these figures flatter it.",
                drawings=(drawing,),
                tables=(Grid(("place", "probe", "AUROC", "penalty"), swept),),
            ),
        ),
        CANNOT,
    )
    write_sheet(path, sheet)
