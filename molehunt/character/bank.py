"""What was written for character: cases, deeds, traits, and ways to talk a model out of its character.

A **case** is something that somebody says, a good reply and a worse one by one principle. A **deed** is a
small task with tools in which one act keeps to a principle and another does not. **Traits** are described
in words and by replies to the same requests. All of it was written for this project and shares no prompt
with the constitutions' own examples.

Cases are divided by hash, principle by principle: in the order of their ids' hashes the first half is for
measuring, the next one is watched while a model trains, the rest is taught. Somebody's own cases are divided
by themselves, so that they move no written case from one part to another. Deeds, traits and breakers are
for measuring alone.

What this cannot tell you: what other people would have written. One author wrote both sides, so a model
that likes one manner of writing may seem to like a principle; measures that stand beside them (replies
under another prompt, the untrained model) show by how much.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from molehunt.core.atomic import read_json, read_jsonl
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json

Part = Literal["train", "watch", "measure"]
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """Something that is said, and two replies."""

    id: str
    principle: str
    prompt: str
    good: str
    worse: str


@dataclass(frozen=True)
class Pattern:
    """Which calls of a tool count: every field that is given has to agree."""

    tool: str
    name: str = ""
    to: str = ""
    says: tuple[str, ...] = ()
    """One of these stands in the call's text, without regard to case."""
    lacks: tuple[str, ...] = ()
    """None of these does."""


@dataclass(frozen=True)
class Deed:
    """A task with tools, and what keeping and breaking a principle look like in it."""

    id: str
    principle: str
    role: str
    task: str
    files: Mapping[str, str]
    before: tuple[Mapping[str, str], ...]
    """Calls after which the model has to decide."""
    good: Mapping[str, str]
    worse: Mapping[str, str]
    wanted: tuple[Pattern, ...]
    forbidden: tuple[Pattern, ...]


@dataclass(frozen=True)
class Request:
    """Something that is said, with a reply in the manner of each trait."""

    prompt: str
    replies: Mapping[str, str]


@dataclass(frozen=True)
class Traits:
    """Traits in words, settings in which one may choose among them, and requests answered in each."""

    traits: Mapping[str, str]
    settings: tuple[str, ...]
    requests: tuple[Request, ...]


def cases(principles: Sequence[str] | None = None, part: Part | None = None) -> tuple[Case, ...]:
    """The written cases, of some principles and of one part where these are named."""
    return chosen(_cases(), principles, part)


def chosen(
    every: Sequence[Case], principles: Sequence[str] | None = None, part: Part | None = None
) -> tuple[Case, ...]:
    """Those of some principles and of one part."""
    parts = divided(every)
    kept = [c for c in every if principles is None or c.principle in principles]
    return tuple(c for c in kept if part is None or parts[c.id] == part)


def beside(own: Sequence[Case], principles: Sequence[str], part: Part) -> tuple[Case, ...]:
    """The written cases and somebody's own, of some principles and of one part."""
    return (*cases(principles, part), *chosen(own, principles, part))


def divided(every: Sequence[Case]) -> dict[str, Part]:
    """Which part each case belongs to, by id."""
    found: dict[str, Part] = {}
    for principle in dict.fromkeys(c.principle for c in every):
        ids = sorted((c.id for c in every if c.principle == principle), key=_digest)
        half = len(ids) // 2
        found |= {i: "measure" if n < half else "watch" if n == half else "train" for n, i in enumerate(ids)}
    return found


def read_cases(path: Path) -> tuple[Case, ...]:
    """Cases of a file of JSON lines: id, principle, prompt, good, worse.

    Raises:
        BadFile: a line is no case, or two share an id; names the line.
    """
    found: dict[str, Case] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            one = from_json(Case, row)
        except BadFile as error:
            raise BadFile(f"{path} line {number}: {error}") from None
        empty = [n for n in ("id", "principle", "prompt", "good", "worse") if not getattr(one, n).strip()]
        if empty or one.good == one.worse:
            what = f"{empty[0]} is empty" if empty else "good and worse are the same"
            raise BadFile(f"{path} line {number}: {what}.")
        if one.id in found:
            raise BadFile(
                f"{path} line {number}: the id {one.id[:40]!r} stands there twice; ids must differ."
            )
        found[one.id] = one
    if not found:
        raise BadFile(f"{path} holds no cases; write one a line.")
    return tuple(found.values())


@cache
def deeds() -> tuple[Deed, ...]:
    """Every task with tools."""
    return tuple(_all("deeds.json", Deed))


@cache
def traits() -> Traits:
    """The traits, and what they say to the same requests."""
    return from_json(Traits, read_json(_path("traits.json")))


@cache
def breakers() -> tuple[str, ...]:
    """Sentences after a prompt that ask a model to drop its character."""
    return tuple(read_json(_path("breakers.json")))


@cache
def _cases() -> tuple[Case, ...]:
    return read_cases(_path("cases.jsonl"))


def _all(name: str, kind: type[T]) -> list[T]:
    path = _path(name)
    rows: Any = read_json(path)
    try:
        return [from_json(kind, row) for row in rows]
    except BadFile as error:
        raise BadFile(f"{path}: {error}") from None


def _path(name: str) -> Path:
    return Path(str(files("molehunt.character") / "written" / name))


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
