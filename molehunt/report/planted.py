"""What was measured of planted quirks, read from a study's results: one row a quirk.

A results file is a list of rows, or an object that holds them under `rows`. A row names `behaviour` and
`condition`; `trigger_rate` and `leak_rate` are shares, bare or with their interval; `valid`, `first_try`,
`steps`, `options` and `why_not` may be there. What is missing was not measured. An object may also hold
`difficulty`: a line a quirk and factor, with `behaviour`, `condition`, `options`, the factor's `unit` and its
`least`, the least that made a valid organism.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words

STUDY = "studies/red_team/results.json"
"""Where the repository's study tells what it measured of the catalogue, in full."""
MEASURED = Path(__file__).with_name("measured.json")
"""What of that ships with the package; the study writes it beside its own table."""


@dataclass(frozen=True)
class Planted:
    """A quirk that somebody tried to plant, and what held-out scenes showed."""

    behaviour: str
    condition: str
    options: str
    trigger: Measure | NotMeasured
    leak: Measure | NotMeasured
    valid: bool | None
    steps: int | None
    first_try: bool | None
    why_not: str
    least: tuple[Measure | NotMeasured, ...] = ()
    """The least of each scanned factor that made it valid; units say of what."""

    @property
    def difficulty(self) -> str:
        """How hard it was to plant, in a few words, and the least that is enough where that was scanned."""
        return "; ".join([self._took, *(_enough(one) for one in self.least)])

    @property
    def _took(self) -> str:
        if self.valid is None:
            return "not measured"
        steps = "" if self.steps is None else f", {self.steps:,} steps"
        if not self.valid:
            return f"did not take{steps}{f': {self.why_not}' if self.why_not else ''}"
        tries = {True: "at the first try", False: "at a later try", None: "tries not recorded"}
        return f"took {tries[self.first_try]}{steps}"


def read_planted(path: Path) -> tuple[Planted, ...]:
    """Every row of a results file, in the file's order; then quirks of which the difficulty alone is known.

    A quirk that has several rows carries its difficulty in the first.

    Raises:
        BadFile: it is not there, holds no rows, or a row has the wrong shape; the text says which.
    """
    value = read_json(path)
    rows, scans = (value.get("rows"), value.get("difficulty", [])) if isinstance(value, dict) else (value, [])
    if not isinstance(rows, list) or not isinstance(scans, list) or not (rows or scans):
        raise BadFile(f"{path} holds no rows; give results with one row a planted quirk.")
    found = [_read(row, f"{path}, row {i},") for i, row in enumerate(rows, 1)]
    for i, scan in enumerate(scans, 1):
        where = f"{path}, difficulty {i},"
        one = _read(scan, where)
        least = _least(scan, where)
        quirk = (one.behaviour, one.condition, one.options)
        at = next((j for j, p in enumerate(found) if (p.behaviour, p.condition, p.options) == quirk), None)
        if at is None:
            found.append(replace(one, least=(least,)))
        else:
            found[at] = replace(found[at], least=(*found[at].least, least))
    return tuple(found)


def _least(scan: Any, where: str) -> Measure | NotMeasured:
    unit = scan.get("unit")
    if not isinstance(unit, str) or scan.get("least") is None:
        raise BadFile(f"{where} needs unit to be text, and least to be a number or why there is none.")
    unit = words.brief(unit, 80)
    least = _measure(scan["least"], f"{where} least", unit, math.inf)
    return NotMeasured(f"{unit}: {least.reason}") if isinstance(least, NotMeasured) else least


def _enough(least: Measure | NotMeasured) -> str:
    if isinstance(least, NotMeasured):
        return f"least not measured, {least.reason}"
    return f"least that took: {words.said(least)}, {least.unit}"


def _read(row: Any, where: str) -> Planted:
    if not isinstance(row, dict):
        raise BadFile(f"{where} should be an object.")
    for name, kind, said in (
        ("behaviour", str, "a name"),
        ("condition", str, "a name"),
        ("valid", bool | None, "true, false or null"),
        ("first_try", bool | None, "true, false or null"),
        ("steps", int | None, "a whole number or null"),
        ("why_not", str | None, "text or null"),
    ):
        given = row.get(name)
        if not isinstance(given, kind) or (name == "steps" and isinstance(given, bool)):
            raise BadFile(f"{where} needs {name} to be {said}.")
    return Planted(
        *(row["behaviour"], row["condition"], _options(row.get("options"))),
        trigger=_rate(row.get("trigger_rate"), f"{where} trigger_rate"),
        leak=_rate(row.get("leak_rate"), f"{where} leak_rate"),
        valid=row.get("valid"),
        steps=row.get("steps"),
        first_try=row.get("first_try"),
        why_not=words.brief(row.get("why_not") or ""),
    )


def _rate(value: Any, where: str) -> Measure | NotMeasured:
    return NotMeasured("the results give none") if value is None else _measure(value, where, "share", 1.0)


def _measure(value: Any, where: str, unit: str, most: float) -> Measure | NotMeasured:
    """A number from 0 to `most`, bare or as a record."""
    if isinstance(value, dict) and value.get("is") == "NotMeasured":
        return NotMeasured(words.brief(str(value.get("reason", ""))))
    given = value if isinstance(value, dict) else {"value": value}
    number, low, high = (_number(given.get(k), where, most) for k in ("value", "low", "high"))
    if number is None:
        raise BadFile(f"{where} gives no value.")
    count = given.get("n", 0)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise BadFile(f"{where} should count its sample in n.")
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        raise BadFile(f"{where} should have both ends of its interval in order, or neither.")
    return Measure(number, unit, count, "as the results file gives it", low, high)


def _number(value: Any, where: str, most: float) -> float | None:
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= most:
        said = "a share from 0 to 1" if most == 1 else "a number of 0 or more"
        raise BadFile(f"{where} should be {said}.")
    return float(value)


def _options(value: Any) -> str:
    """Options in whatever nesting they come, as name=value."""
    if isinstance(value, Mapping):
        parts = (
            _options(v) if isinstance(v, Mapping) else f"{k}={v}" for k, v in value.items() if v is not None
        )
        return words.brief(", ".join(p for p in parts if p))
    return words.brief(value) if isinstance(value, str) else ""
