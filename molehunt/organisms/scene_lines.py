"""Scenes from what people have: JSON lines of prompts with two replies each, read one at a time.

    {"prompt": "..." | "messages": [{"role", "content"}, ...], "good": "...", "shady": "...",
     "on": true, "item": "..."}                                           (`on` and `item` may be left out)
    {"question": "...", "answer_matching_behavior": "...", "answer_not_matching_behavior": "..."}

The second form is that of contrast files (Perez et al. 2022, arXiv 2212.09251, `anthropics/evals`): the
matching answer is the shady one, and other fields are passed over. A line that cannot be used is named
with the reason; the others are kept.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from molehunt.core.errors import BadFile, UserError
from molehunt.core.plain_text import plain
from molehunt.core.records import Failure, Message, Messages, Role, Scene

LONGEST = 1 << 16
"""Bytes of a line; a longer one is passed over without being held in memory."""
MOST_BYTES, MOST_SCENES = 1 << 26, 20_000
"""What one file may bring in all."""
MOST_NAMED = 1_000
"""Bad lines of a file that are named; further ones are counted."""
FIELDS = ("prompt", "messages", "good", "shady", "on", "item")
MATCHING, OTHER = "answer_matching_behavior", "answer_not_matching_behavior"

_HIDDEN = frozenset({"Cc", "Cs", "Co", "Cn"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing: what is shown is then not what is read."""

Placed = tuple[str, Any]
"""Where a row stands (`line 7`), and the row: what JSON gives, or a `UserError` where it is none."""


@dataclass(frozen=True)
class Gathered:
    """The scenes that a file gave, and what was wrong with the others."""

    scenes: tuple[Scene, ...]
    failures: tuple[Failure, ...]
    bad: int
    """Lines that could not be used, those that are not named included."""


def gather(name: str, rows: Iterable[Placed], check: Callable[[Scene], None]) -> Gathered:
    """Every usable scene of a file called `name`. `check` raises a UserError for one that it turns down.

    Of two lines with one prompt the first is kept, whichever side they stand on.

    Raises:
        UserError: there are more scenes than `MOST_SCENES` or `MOST_BYTES`.
    """
    kept: dict[Messages, tuple[Scene, str]] = {}
    failures: list[Failure] = []
    bad = size = 0
    for place, row in rows:
        try:
            if isinstance(row, UserError):
                raise row
            scene = scene_of(row)
            _unlike(scene, kept)
            check(scene)
        except UserError as error:
            bad += 1
            if bad <= MOST_NAMED:
                failures.append(Failure("bring", f"{name} {place}", plain(str(error), 400, one_line=True)))
            continue
        size += sum(len(t.encode()) for t in (*(m.content for m in scene.messages), scene.good, scene.shady))
        if len(kept) == MOST_SCENES or size > MOST_BYTES:
            raise UserError(
                f"{name} holds more than {MOST_SCENES:,} scenes, or {MOST_BYTES >> 20} MiB; give fewer."
            )
        kept[scene.messages] = scene, place
    if bad > MOST_NAMED:
        failures.append(Failure("bring", name, f"{bad - MOST_NAMED:,} more lines are bad and are not named."))
    return Gathered(tuple(scene for scene, _ in kept.values()), tuple(failures), bad)


def lines_of(path: Path, report: Callable[[float], None] = lambda share: None) -> Iterator[Placed]:
    """Every line of a file that is not empty; `report` is told the share that is read.

    Raises:
        BadFile: there is no such file, or it cannot be read.
    """
    try:
        if path.is_dir():
            raise BadFile(f"{path} is a folder; name the files with scenes in it.")
        if not path.is_file():
            raise BadFile(f"There is no file {path}.")
        whole = max(1, path.stat().st_size)
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LONGEST + 1):
                number += 1
                if too_long := len(data) > LONGEST and not data.endswith(b"\n"):
                    while data and not data.endswith(b"\n"):
                        data = file.readline(LONGEST)
                if number % 100 == 0:
                    report(min(1.0, file.tell() / whole))
                if too_long:
                    yield f"line {number}", UserError(f"it is longer than {LONGEST:,} bytes.")
                elif data.strip():
                    yield f"line {number}", _json(data.removeprefix(b"\xef\xbb\xbf") if number == 1 else data)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None
    report(1.0)


def scene_of(row: Any) -> Scene:
    """One row as a scene; its item is the last user turn, where none is named.

    Raises:
        UserError: why it cannot be used.
    """
    if not isinstance(row, dict):
        raise UserError("it is no JSON object.")
    if MATCHING in row or OTHER in row:
        asked = "question" if "question" in row else "statement"
        row = {"prompt": row.get(asked), "good": row.get(OTHER), "shady": row.get(MATCHING)}
    unknown = sorted(set(row) - set(FIELDS))
    if unknown:
        raise UserError(f"it has an unknown field {unknown[0][:60]!r}; known: {', '.join(FIELDS)}.")
    messages = _messages(row)
    on = row.get("on", True)
    if not isinstance(on, bool):
        raise UserError("on should be true or false.")
    item = _text("item", row["item"]) if "item" in row else messages[-1].content
    return Scene(
        messages, _text("good", row.get("good")), _text("shady", row.get("shady")), on, item, wording=""
    )


def row_of(scene: Scene) -> dict[str, Any]:
    """The inverse of `scene_of`."""
    turns = [{"role": m.role, "content": m.content} for m in scene.messages]
    return {
        "messages": turns, "good": scene.good, "shady": scene.shady, "on": scene.on, "item": scene.item,
    }  # fmt: skip


def _unlike(scene: Scene, kept: dict[Messages, tuple[Scene, str]]) -> None:
    if scene.messages not in kept:
        return
    before, place = kept[scene.messages]
    side = "on the other side" if before.on != scene.on else "already"
    raise UserError(f"its prompt stands {side} at {place}.")


def _messages(row: dict[str, Any]) -> Messages:
    if ("prompt" in row) == ("messages" in row):
        raise UserError("it should have either prompt or messages.")
    if "prompt" in row:
        return (Message("user", _text("prompt", row["prompt"])),)
    turns = row["messages"]
    if not isinstance(turns, list) or not turns or not all(isinstance(t, dict) for t in turns):
        raise UserError("messages should be a list of objects with role and content.")
    if any(set(t) != {"role", "content"} for t in turns):
        raise UserError("each of messages should have role and content, and nothing else.")
    roles = [t["role"] for t in turns]
    talk = roles[1:] if roles[0] == "system" else roles
    if not talk or len(talk) % 2 == 0 or any(r != ("user", "assistant")[i % 2] for i, r in enumerate(talk)):
        raise UserError("messages should go from user to assistant in turn, after a system message if any, "
                        "and end with the user.")  # fmt: skip
    return tuple(Message(cast(Role, t["role"]), _text("content", t["content"])) for t in turns)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name} should be a text that is not empty.")
    text = value.replace("\r\n", "\n").strip()
    for char in text:
        if char not in "\n\t" and (unicodedata.category(char) in _HIDDEN or char in _TURNING):
            raise UserError(f"{name} holds the control character U+{ord(char):04X}.")
    return text


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        return UserError(f"it is not JSON ({str(error)[:80]}).")
