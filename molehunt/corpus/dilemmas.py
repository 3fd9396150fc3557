"""Dilemmas: a situation, two actions, and what ethical frameworks recommend; ours, and MoralChoice's files.

Ours (`dilemmas.jsonl`) were written for this project. Each action has a score from −1 (speaks against it) to
1 (speaks for it) under each of `FRAMEWORKS`; the scores are the author's reading and not a survey. In
dilemmas of high ambiguity frameworks disagree; in those of low ambiguity all agree, and `right` says on what.

MoralChoice (Scherrer et al. 2023, arXiv 2307.14324) says which of ten common rules (Gert 2004) an action
breaks and names no framework. `READING`, ours and crude, hands each rule to one framework: a framework
scores an action −1 where one of its rules is broken, −0.5 where annotators disagreed, else 0. Scenarios
whose two actions are the same words (one as published, G_530) are left out.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from molehunt.core.atomic import read_jsonl
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json
from molehunt.core.splits import split_of

FRAMEWORKS = ("consequences", "duties", "virtues", "care", "contract", "rights")
"""Utilitarian, deontological, virtue, care, contractualist and rights-based ethics."""
RULES = (
    *("death", "pain", "disable", "freedom", "pleasure"),
    *("deceive", "cheat", "break_promise", "break_law", "duty"),
)
"""MoralChoice's columns, each once an action: do not cause death, do not cause pain, ..., do your duty."""
READING: Mapping[str, tuple[str, ...]] = {
    "consequences": ("death", "pain", "disable", "pleasure"),
    "duties": ("deceive", "break_promise", "duty"),
    "contract": ("cheat", "break_law"),
    "rights": ("freedom",),
}
MORALCHOICE = ("moralchoice_high_ambiguity.csv", "moralchoice_low_ambiguity.csv")
BROKEN = {"Yes": 1.0, "No Agreement": 0.5, "No": 0.0}
COLUMNS = (
    *("scenario_id", "ambiguity", "context", "action1", "action2"),
    *(f"a{action}_{rule}" for action in (1, 2) for rule in RULES),
)


@dataclass(frozen=True)
class Dilemma:
    """A situation and two actions."""

    id: str
    domain: str
    ambiguity: Literal["high", "low"]
    context: str
    actions: tuple[str, ...]
    """Two, each a sentence that begins with 'I'."""
    recommends: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Framework to the score of each action, −1 to 1."""
    right: int | None = None
    """0 or 1 where all agree on an action; None where they do not."""
    breaks: tuple[Mapping[str, float], ...] = ()
    """Rules that each action breaks: 1 broken, 0.5 disputed; empty where nobody said."""

    def lean(self, framework: str) -> float:
        """By how much a framework prefers the first action, −2 to 2; 0 where it says nothing."""
        first, second = self.recommends.get(framework, (0.0, 0.0))
        return first - second


@cache
def dilemmas() -> tuple[Dilemma, ...]:
    """Every dilemma that was written for this project, in file order."""
    return read_dilemmas(Path(str(files("molehunt.corpus") / "dilemmas.jsonl")))


def held_out(every: Sequence[Dilemma]) -> tuple[Dilemma, ...]:
    """Those that are never taught (`character/training/uncertain.py` teaches the others), by their ids."""
    return tuple(d for d in every if split_of(d.id) != "plant")


def read_dilemmas(path: Path) -> tuple[Dilemma, ...]:
    """Dilemmas of a file of JSON lines, ours or your own.

    Raises:
        BadFile: a line is not a dilemma, or two share an id; names the line.
    """
    found: dict[str, Dilemma] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            one = _checked(from_json(Dilemma, row))
        except BadFile as error:
            raise BadFile(f"{path} line {number}: {error}") from None
        if one.id in found:
            raise BadFile(f"{path} line {number}: the id {one.id!r} stands there twice; ids must differ.")
        found[one.id] = one
    if not found:
        raise BadFile(f"{path} holds no dilemmas; write one a line.")
    return tuple(found.values())


def read_moralchoice(folder: Path) -> tuple[Dilemma, ...]:
    """MoralChoice's scenarios from a folder that holds one or both of its CSV files, as published.

    Raises:
        BadFile: neither file is there, or one lacks a column or holds a value that it should not.
    """
    there = [folder / name for name in MORALCHOICE if (folder / name).is_file()]
    if not there:
        raise BadFile(f"{folder} holds neither {MORALCHOICE[0]} nor {MORALCHOICE[1]} of MoralChoice.")
    return tuple(d for path in there for d in _moralchoice(path))


def _moralchoice(path: Path) -> list[Dilemma]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise BadFile(
                    f"{path} lacks the column {missing[0]!r}; give MoralChoice's file as published."
                )
            return [one for row in reader if (one := _scenario(path, reader.line_num, row)) is not None]
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadFile(f"{path} cannot be read as a table ({str(error)[:80]}).") from None


def _scenario(path: Path, line: int, row: Mapping[str, Any]) -> Dilemma | None:
    """The scenario of a row; None where there is nothing to choose."""
    level = row["ambiguity"]
    odd = [c for c in COLUMNS[5:] if row[c] not in BROKEN]
    if level not in ("high", "low") or odd:
        column = odd[0] if odd else "ambiguity"
        raise BadFile(f"{path} line {line}: {column} is {str(row[column])[:40]!r}, which it should not be.")
    if row["action1"].strip() == row["action2"].strip():
        return None
    broken = tuple({r: BROKEN[row[f"a{a}_{r}"]] for r in RULES if row[f"a{a}_{r}"] != "No"} for a in (1, 2))
    scores = {
        name: tuple(0.0 - max(b.get(r, 0.0) for r in rules) for b in broken)
        for name, rules in READING.items()
    }
    try:
        return _checked(
            Dilemma(
                id=row["scenario_id"],
                domain=str(row.get("generation_rule") or ""),
                ambiguity=level,
                context=row["context"].strip(),
                actions=(row["action1"].strip(), row["action2"].strip()),
                recommends=scores,
                right=0 if level == "low" else None,
                breaks=broken,
            )
        )
    except BadFile as error:
        raise BadFile(f"{path} line {line}: {error}") from None


def _checked(one: Dilemma) -> Dilemma:
    if len(one.actions) != 2 or not all(a.strip() for a in one.actions) or one.actions[0] == one.actions[1]:
        raise BadFile(f"{one.id[:40]!r} needs two actions that differ.")
    if not one.context.strip():
        raise BadFile(f"{one.id[:40]!r} has no context.")
    if one.right not in (None, 0, 1) or (one.ambiguity == "low") != (one.right is not None):
        raise BadFile(f"{one.id[:40]!r} should say which action is right (0 or 1) if its ambiguity is low.")
    _scored(one.id, one.recommends)
    return one


def _scored(identity: str, recommends: Mapping[str, Sequence[float]]) -> None:
    for name, scores in recommends.items():
        if name not in FRAMEWORKS:
            raise BadFile(
                f"{identity[:40]!r} names the framework {name[:40]!r}; known: {', '.join(FRAMEWORKS)}."
            )
        if len(scores) != 2 or not all(-1 <= s <= 1 for s in scores):
            raise BadFile(f"{identity[:40]!r} should score both actions from −1 to 1 under {name}.")
