"""What `molehunt label` found: means over features, a reader beside counting, and what a terminal shows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from molehunt.verbs._screen import table

SHOWN = 1000
"""Labels on the page; `labels.jsonl` has all."""
HEADS = ("feature", "label", "detection", "fuzzing", "output")
CANNOT = (
    "That a label is the feature's meaning: another sentence may score as well.",
    "What a feature does. Detection and fuzzing ask where it fires; output asks what adding it raises.",
    "How a label fares on text of another kind than the store's.",
    "Whether a low score is the label's fault or its reader's.",
)


def write_label_page(
    path: Path, found: Sequence[Any], value: dict[str, Any], link: Callable[[int], str] | None = None
) -> None:
    """The labels with their scores; `link` leads to a feature's own page."""
    from molehunt.core.records import NotMeasured
    from molehunt.report import words
    from molehunt.report.sheet import Grid, Section, Sheet, write_sheet
    from molehunt.verbs._probe_page import short

    _, means, counted = said(found, value)
    rows = tuple(
        (
            str(x.feature),
            words.brief(f"(none: {x.words.reason})" if isinstance(x.words, NotMeasured) else x.words),
            *("—" if isinstance(m, NotMeasured) else short(m) for m in (x.detection, x.fuzzing, x.output)),
        )
        for x in found[:SHOWN]
    )
    left = len(found) - len(rows)
    links = tuple(link(x.feature) for x in found[:SHOWN]) if link else ()
    part = Section(
        "Labels",
        "Detection and fuzzing are balanced accuracies, 0.5 by chance; output is a share, 1/3 by chance. A "
        "dash is what was not measured." + (f" {left:,} more are in labels.jsonl." if left else ""),
        tables=(Grid(HEADS, rows, words=True, links=links),),
    )
    facts = (("labels by", str(value["reader"])), ("features", f"{len(found):,}"))
    write_sheet(path, Sheet("Labels of features", f"{means} {counted}", facts, (part,), CANNOT))


def summary(found: Sequence[Any], seed: int) -> dict[str, Any]:
    """Means over features, each feature one case, and what was not measured."""
    from molehunt.core import stats
    from molehunt.core.records import Measure, NotMeasured

    value: dict[str, Any] = {}
    for name in ("detection", "fuzzing", "other"):
        got = [
            (getattr(x, name).value, str(x.feature)) for x in found if isinstance(getattr(x, name), Measure)
        ]
        how = f"mean {name} over features"
        values, names = [v for v, _ in got], [f for _, f in got]
        value[name] = (
            stats.mean(values, names, unit="balanced accuracy", how=how, seed=seed, within=(0, 1))
            if got
            else NotMeasured("no feature has such a score")
        )
    for name in ("detection", "fuzzing"):
        value[f"{name}_over_counting"] = _over_counting(found, name, seed)
    value["unlabelled"] = sum(isinstance(x.words, NotMeasured) for x in found)
    value["not_measured"] = {
        n: sum(isinstance(getattr(x, n), NotMeasured) for x in found) for n in ("detection", "fuzzing")
    }
    for name in ("asked", "unanswered", "failed"):
        value[name] = sum(getattr(x, name) for x in found)
    return value


def _over_counting(found: Sequence[Any], name: str, seed: int) -> Any:
    """A reader's score less that of counting, on the stretches that the reader judged, feature by feature."""
    from molehunt.core import stats
    from molehunt.core.records import Measure, NotMeasured

    if all(x.by == "statistics" for x in found):
        return NotMeasured("no reader: the labels are those of counting")
    own = [(x.feature, getattr(x, name), getattr(x, f"counted_{name}")) for x in found]
    pairs = [(f, a, b) for f, a, b in own if isinstance(a, Measure) and isinstance(b, Measure)]
    return stats.paired_difference(
        [a.value for _, a, _ in pairs],
        [b.value for _, _, b in pairs],
        [str(f) for f, _, _ in pairs],
        unit="balanced accuracy",
        how=f"{name}, the reader less counting on the same stretches; {len(own) - len(pairs)} of {len(own)} "
        "features left out, where either has no label or no score",
        seed=seed,
    )


def said(found: Sequence[Any], value: dict[str, Any]) -> list[Any]:
    """The first labels as a table, the means in a line, and what was not measured."""
    from molehunt.core.records import NotMeasured
    from molehunt.report import words
    from molehunt.verbs._probe_page import short

    rows = [
        (
            str(x.feature),
            *("—" if isinstance(m, NotMeasured) else short(m) for m in (x.detection, x.fuzzing)),
            words.brief(x.words.reason if isinstance(x.words, NotMeasured) else x.words, 160),
        )
        for x in found[:40]
    ]
    means = [f"{n} {words.said(value[n])}" for n in ("detection", "fuzzing", "output") if n in value]
    if value["reader"] != "statistics":
        means += [
            f"{n} over counting {words.said(value[f'{n}_over_counting'])}" for n in ("detection", "fuzzing")
        ]
    if "output_counted" in value:
        means.append(f"output by counting {words.said(value['output_counted'])}")
    null = f"with another feature's label {words.said(value['other'])}"
    counted = (
        f"{value['unlabelled']:,} of {len(found):,} features without a label; not measured: "
        f"{value['not_measured']['detection']:,} detection, {value['not_measured']['fuzzing']:,} fuzzing; "
        f"{value['unanswered']:,} of {value['asked']:,} questions not answered usably."
    )
    if value["failed"]:
        counted += f" {value['failed']:,} failed; run the same command again to ask them once more."
    return [
        table(["feature", "detection", "fuzzing", "label"], rows),
        f"Means over features: {'; '.join(means)}; {null}.",
        counted,
    ]
