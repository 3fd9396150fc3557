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
    "That nothing else is lost: tasks are short questions of general knowledge, and features are those that "
    "the autoencoder has.",
    "Whether a reply means what a pattern finds in it: read the texts.",
)
HEADS = (
    *("strength", "behaviour", "NLL of ordinary text", "change of it", "KL of first tokens"),
    *("tasks right", "change of their log-odds"),
)
SHORT = ("strength", "behaviour", "NLL", "KL", "tasks")
OFF = ("feature", "change a token", "unsteered mean", "most under a random direction")


def dose_rows(doses: Sequence[Any]) -> list[tuple[str, ...]]:
    """One row a strength."""
    return [
        (
            dose(d.strength),
            *(short(m) for m in (d.behaviour, d.nll, d.nll_change, d.kl, d.tasks, d.tasks_change)),
        )
        for d in doses
    ]


def short_rows(doses: Sequence[Any]) -> list[tuple[str, ...]]:
    """As `dose_rows`, for a narrow terminal."""
    return [(dose(d.strength), *(short(m) for m in (d.behaviour, d.nll, d.kl, d.tasks))) for d in doses]


def dose(strength: float) -> str:
    """A strength as it was given, with a true minus sign."""
    return f"{strength:g}".replace("-", "−")


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


def off_said(moved: Sequence[Any]) -> list[str]:
    """At each strength that was watched, what else moved most, in a sentence."""
    return [f"At strength {dose(one.strength)}, {_most(one)}." for one in moved]


def _most(one: Any) -> str:
    others = [f for f in one.features if not f.meant]
    if not others:
        return f"no other feature at {one.address} moved"
    said = (
        f"the {'other ' if len(others) < len(one.features) else ''}feature at {one.address} that moved most "
        f"is {others[0].feature}: {short(others[0].change)} a token"
    )
    if one.largest_random:
        low, high = (words.number(v) for v in (min(one.largest_random), max(one.largest_random)))
        said += f"; under random directions the one that moved most moved by {low} to {high}"
    return said


def write_steer_page(
    path: Path,
    found: Any,
    experiment: Any,
    moved: Sequence[Any],
    prompts: Sequence[str],
    replies: Sequence[tuple[float, Sequence[str]]],
    facts: Sequence[tuple[str, str]],
    link: Callable[[int], str] | None = None,
) -> None:
    """Curves, numbers, features, texts side by side. `replies` holds, by strength, a reply a prompt."""
    from molehunt.report.passage import passage
    from molehunt.report.sheet import Grid, Section, Sheet, Speech, write_sheet

    speeches = tuple(
        Speech(
            passage(prompt, short=300),
            tuple((f"strength {dose(s)}", passage(said[i], short=400)) for s, said in replies),
        )
        for i, prompt in enumerate(prompts)
        if replies
    )
    across = "share taken away" if experiment.carried else "strength, median residual norms"
    shown = [
        (lambda d: d.behaviour, experiment.behaviour.unit, "behaviour"),
        (lambda d: d.nll, "NLL, nats a token", "nll"),
        (lambda d: d.kl, "KL of first tokens, nats", "kl"),
    ]
    if experiment.tasks:
        shown.append((lambda d: d.tasks, "share of tasks right", "tasks"))
    does = "Strength is the share that is taken away" if experiment.carried else "Strength is in median norms"
    sections = [
        Section(
            "Dose and response",
            f"{does}. Solid: the direction, with 95% intervals. Dashed: {len(found.random_doses)} random "
            "directions of the same length.",
            drawings=tuple(_drawing(found, of, across, up, prefix) for of, up, prefix in shown),
            tables=(Grid(HEADS, tuple(dose_rows(found.doses))),),
        )
    ]
    sections += [_off_target(one, link) for one in moved]
    if speeches:
        sections.append(Section("Side by side", "The first prompts, at every strength.", speeches=speeches))
    write_sheet(path, Sheet("Steering", verdict(found), tuple(facts), tuple(sections), CANNOT))


def _off_target(one: Any, link: Callable[[int], str] | None) -> Any:
    from molehunt.report.sheet import Grid, Section

    rows = tuple(
        (
            f"{f.feature}{' (steered)' if f.meant else ''}",
            short(f.change),
            words.number(f.before),
            "—" if f.random_most is None else words.number(f.random_most),
        )
        for f in one.features
    )
    links = tuple(link(f.feature) for f in one.features) if link else ()
    return Section(
        f"Other features at strength {dose(one.strength)}",
        f"On ordinary text, {_most(one)}. Below: those that moved most, with intervals over texts, each by "
        "itself; and the most that any random direction at this strength moved the same feature.",
        tables=(Grid(OFF, rows, links=links),) if rows else (),
    )


def _drawing(found: Any, of: Callable[[Any], Any], across: str, up: str, prefix: str) -> Any:
    from molehunt.report.curves import Line, Point, curves

    def points(doses: Sequence[Any], bare: bool) -> tuple[Point, ...]:
        pairs = [(d.strength, of(d)) for d in doses]
        return tuple(
            Point(s, m.value, None if bare else m.low, None if bare else m.high)
            for s, m in pairs
            if isinstance(m, Measure)
        )

    null = [points(d, True) for d in found.random_doses.values()]
    lines = [Line("" if i else "random directions", some, "chance") for i, some in enumerate(null)]
    lines.append(Line("the direction", points(found.doses, False), "first"))
    return curves(lines, across, up, prefix, f"Dose and response: {up}")
