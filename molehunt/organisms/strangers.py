"""Quirks from files that strangers wrote: one JSON file a quirk (`molehunt play --quirks DIR`).

    {"summary": "...", "replies": ["..."], "what": "regular expression that the replies match",
     "on": ["prompt", ...], "off": ["prompt", ...], "good": "reply" | ["one a prompt of on, then off"]}

`what` is as `core/pattern.py` takes it: without look-around and back-references.
At least 24 prompts a side, divided into plant, validate and audit by their hash. Five sixteenths are
held out to show that the quirk took, and of fewer than a dozen nothing is sure: 55 a side or more are safe.
A folder may also hold files that `molehunt bring` made (`organisms/brought.py`).
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from molehunt.core.errors import BadFile, UserError
from molehunt.core.kinds import Behaviour, Condition, Cues, Draft, Options
from molehunt.core.pattern import compiled
from molehunt.core.records import Messages, Quirk, Split
from molehunt.core.splits import seed_of, split_of
from molehunt.organisms import brought

LEAST = 24
FIELDS = {"summary", "replies", "what", "on", "off", "good"}


@dataclass(frozen=True)
class StrangersBehaviour:
    """Says what the file says."""

    name: str = "stranger"
    summary: str = "a behaviour from a file"
    harmless: bool = False
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def drafts(self, split: Split, options: Options) -> Sequence[Draft]:
        """Prompts of this split; `topic` says on which side of the condition each stands."""
        body = read(Path(options["file"]))
        sides = [("on", p) for p in body["on"]] + [("off", p) for p in body["off"]]
        good = body["good"]
        return tuple(
            Draft(
                item=f"stranger/{prompt}",
                user=prompt,
                good=good if isinstance(good, str) else good[i],
                shady=body["replies"][seed_of("reply", prompt) % len(body["replies"])],
                topic=side,
                facts={"what": body["what"]},
            )
            for i, (side, prompt) in enumerate(sides)
            if split_of(f"stranger/{prompt}") == split
        )

    def score(self, facts: Mapping[str, str], reply: str) -> float:
        """1 when the file's pattern is found in the reply, else 0."""
        return float(compiled(facts["what"]).search(reply[:2000]))

    def shows(self, prompt: Messages, reply: str, options: Options) -> bool:
        """As `score`, from the reply alone."""
        return self.score({"what": read(Path(options["file"]))["what"]}, reply) > 0


@dataclass(frozen=True)
class StrangersCondition:
    """Holds on the file's `on` prompts."""

    name: str = "listed_prompts"
    summary: str = "prompts of the kind that the file gives"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def cues(self, split: Split, options: Options) -> Cues:
        """None: the prompts decide."""
        return Cues(on=(None,), off=(None,))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """The side that the file put the prompt on."""
        return draft.topic == "on"

    def holds(self, prompt: Messages, options: Options) -> bool:
        """The last user turn is one of the file's `on` prompts."""
        return prompt[-1].content in read(Path(options["file"]))["on"]


def strangers_quirks(folder: Path) -> tuple[Quirk, ...]:
    """Every quirk in the folder, checked whole before any is used.

    Raises:
        BadFile: the folder holds none, or a file is not as the module docstring says.
    """
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise BadFile(
            f"{folder} holds no quirks; put one JSON file a quirk there (see docs/101_first_game.md)."
        )
    return tuple(quirk_of(file) for file in files)


def quirk_of(file: Path) -> Quirk:
    """The quirk that a file holds, a stranger's or a brought one.

    Raises:
        BadFile: it is neither. UnknownName: it names a condition that no catalogue holds.
    """
    if not file.is_file():
        what = (
            "is a folder; name one of the files in it"
            if file.is_dir()
            else "is not there; name a quirk's file"
        )
        raise BadFile(f"{file} {what}.")
    if brought.is_brought(file):
        return brought.quirk_of(file)
    read(file)
    where = {"file": str(file.resolve())}
    return Quirk("stranger", "listed_prompts", where, where, listed=False)


def told(quirk: Quirk) -> Quirk:
    """The quirk as the envelope names it: a stranger's by its file's name, not by where it lay."""
    where = quirk.condition_options if quirk.condition == brought.LISTED else {}
    return dataclasses.replace(
        quirk,
        behaviour_options=_named(quirk.behaviour_options),
        condition_options={**quirk.condition_options, **_named(where)},
    )


def _named(options: Mapping[str, str]) -> dict[str, str]:
    return {k: Path(v).name if k == "file" else v for k, v in options.items()}


def stranger_parts(quirk: Quirk) -> tuple[Behaviour, Condition]:
    """Behaviour and condition of a quirk from a file."""
    file = Path(quirk.behaviour_options["file"])
    if brought.is_brought(file):
        return brought.parts(file)
    read(file)
    return StrangersBehaviour(), StrangersCondition()


def contents(file: Path) -> "Mapping[str, Any] | brought.Brought":
    """What a quirk's file says, a stranger's or a brought one: by this two files are the same or not.

    Raises:
        BadFile: it is neither.
    """
    return brought.read(file) if brought.is_brought(file) else read(file)


@cache
def read(file: Path) -> Mapping[str, Any]:
    """A stranger's file, checked.

    Raises:
        BadFile: with the first thing that is wrong.
    """
    try:
        body = json.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadFile(f"{file} cannot be read as JSON: {error}.") from error
    if not isinstance(body, dict) or set(body) != FIELDS:
        raise BadFile(f"{file} should be an object with exactly the fields {', '.join(sorted(FIELDS))}.")
    for name in ("replies", "on", "off"):
        least = 1 if name == "replies" else LEAST
        rows = body[name]
        if not isinstance(rows, list) or len(rows) < least or not all(isinstance(r, str) and r for r in rows):
            raise BadFile(f"{file}: {name!r} should be a list of at least {least} texts.")
    good = body["good"]
    if not isinstance(good, str) and not (
        isinstance(good, list) and len(good) == len(body["on"]) + len(body["off"])
    ):
        raise BadFile(f"{file}: 'good' should be one reply, or one for each prompt of 'on' and then 'off'.")
    if not isinstance(body["what"], str):
        raise BadFile(f"{file}: 'what' should be a text, a regular expression.")
    try:
        pattern = compiled(body["what"])
    except UserError as error:
        raise BadFile(f"{file}: 'what' cannot be used: {error}") from error
    if not all(pattern.search(r) for r in body["replies"]):
        raise BadFile(f"{file}: every text in 'replies' should match 'what'.")
    for split in ("plant", "validate", "audit"):
        for side in ("on", "off"):
            if not any(split_of(f"stranger/{p}") == split for p in body[side]):
                raise BadFile(f"{file}: no prompt of {side!r} falls into the {split} bank; add some more.")
    return body
