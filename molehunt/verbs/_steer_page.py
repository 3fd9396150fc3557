"""What `molehunt steer` found, as rows for a terminal and as a page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.verbs._probe_page import short

CANNOT = (
    "What the model does by itself: steering shows what a direction can cause, however rarely.",
    "What lies between or beyond these strengths. Where the curve is no line, its slope says little.",
    "That random directions are a fair rival in all: activations fill few dimensions, and these lie outside.",
    "Whether a reply means what a pattern finds in it: read the texts.",
)
HEADS = ("strength", "behaviour", "NLL of ordinary text", "change of it", "KL of first tokens")

SHORT = ("strength", "behaviour", "NLL", "KL")


def dose_rows(doses: Sequence[Any]) -> list[tuple[str, ...]]:
    """One row a strength."""
    return [(f"{d.strength:g}", *(short(m) for m in (d.behaviour, d.nll, d.nll_change, d.kl))) for d in doses]


def short_rows(doses: Sequence[Any]) -> list[tuple[str, ...]]:
    """As `dose_rows`, for a narrow terminal."""
    return [(f"{d.strength:g}", *(short(m) for m in (d.behaviour, d.nll, d.kl))) for d in doses]


def verdict(found: Any) -> str:
    """The slope beside the random ones, in a sentence."""
    if not found.random_slopes or isinstance(found.clear, NotMeasured):
        return f"Slope: {words.said(found.slope)}; no random directions stand beside it."
    low, high = (words.number(v) for v in (min(found.random_slopes), max(found.random_slopes)))
    touches = "is clear of" if found.clear else "overlaps"
    return (
        f"Slope: {words.said(found.slope)}; its interval {touches} the slopes of {len(found.random_slopes)} "
        f"random directions ({low} to {high}; p = {words.number(found.p)})."
    )


def write_steer_page(
    path: Path,
    found: Any,
    unit: str,
    prompts: Sequence[str],
    replies: Sequence[tuple[float, Sequence[str]]],
    facts: Sequence[tuple[str, str]],
) -> None:
    """Curves, numbers, and texts side by side. `replies` holds, by strength, a reply a prompt."""
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Grid, Section, Sheet, Speech, write_sheet

    speeches = tuple(
        Speech(
            passage(prompt, short=300),
            tuple((f"strength {s:g}", passage(said[i], short=400)) for s, said in replies),
        )
        for i, prompt in enumerate(prompts)
        if replies
    )
    drawn = (
        _drawing(found, lambda d: d.behaviour, unit, "behaviour"),
        _drawing(found, lambda d: d.nll, "NLL, nats a token", "nll"),
        _drawing(found, lambda d: d.kl, "KL of first tokens, nats", "kl"),
    )
    sections = [
        Section(
            "Dose and response",
            "Strength is in median residual norms. Solid: the direction, with 95% intervals. Dashed: random "
            f"directions of the same length. {verdict(found)}",
            drawings=drawn,
            tables=(Grid(HEADS, tuple(dose_rows(found.doses))),),
        )
    ]
    if speeches:
        sections.append(Section("Side by side", "The first prompts, at every strength.", speeches=speeches))
    write_sheet(path, Sheet("Steering", verdict(found), tuple(facts), tuple(sections), CANNOT))


def _drawing(found: Any, of: Callable[[Any], Any], up: str, prefix: str) -> Any:
    from molehunt.report.curves import Line, Point, curves

    def points(doses: Sequence[Any], bare: bool) -> tuple[Point, ...]:
        pairs = [(d.strength, of(d)) for d in doses]
        return tuple(
            Point(s, m.value, None if bare else m.low, None if bare else m.high)
            for s, m in pairs
            if isinstance(m, Measure)
        )

    lines = [Line("", points(d, True), "chance") for d in found.random_doses.values()]
    lines.append(Line("the direction", points(found.doses, False), "first"))
    return curves(lines, "strength, median residual norms", up, prefix, f"Dose and response: {up}")
