"""Goes on with what a folder was begun with: options that were not said are taken from its note.

What must stay the same is taken from the start, and refused where it is said and differs. What may grow (how
many, how much) is taken from the last command. What chooses (how far, which of several) is taken from a
command that was broken off, and has its default again once that was done.
"""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from molehunt.core.asked import Asked
from molehunt.core.errors import RunMismatch

T = TypeVar("T")
NEVER = {"folder", "names", "out", "json", "dry_run"}
"""The folder itself, and what is no part of what is asked."""
POSITIONAL = {
    "behaviour": "BEHAVIOUR",
    "condition": "CONDITION",
    "what": "BEHAVIOUR CONDITION",
    "old": "OLD",
    "new": "NEW",
}


def noted(options: Any, drop: Collection[str] = ()) -> dict[str, Any]:
    """Options by name as plain JSON values, those of a record within among them; paths are made whole."""
    found = {n: _plain(v) for n, v in _flat(options).items() if n not in NEVER and n not in drop}
    given = found.get("constitution")
    if isinstance(given, str) and given.endswith(".md"):  # a preset has a bare name
        found["constitution"] = str(Path(given).expanduser().absolute())
    return found


def gone_on(
    options: T,
    said: Collection[str],
    begun: Asked | None,
    where: Path,
    free: Collection[str] = (),
    grows: Collection[str] = (),
    secret: Collection[str] = (),
) -> T:
    """The options with the note's in place of what was not said.

    Args:
        said: names of the options that were given.
        where: the folder, for the sentence that refuses.
        free: what chooses, anew in each command.
        grows: what may be more, or less, than it was.
        secret: what is not repeated on the screen.

    Raises:
        RunMismatch: one is said that must not change, and differs.
    """
    if begun is None:
        return options
    now = noted(options)
    taken: dict[str, Any] = {}
    for name in begun.options.keys() & now.keys():
        was = begun.options[name]
        if name not in said:
            if name not in free or not begun.done:
                taken[name] = _back(was)
        elif name not in (*free, *grows) and not _same(was, now[name]):
            how = _differs(name, was, now[name], name in secret)
            raise RunMismatch(
                f"{where} was begun {how}; leave that out to go on there, or choose another folder."
            )
    return _replaced(options, taken)


def _flat(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in dataclasses.fields(options):
        value = getattr(options, part.name)
        found |= _flat(value) if dataclasses.is_dataclass(value) else {part.name: value}
    return found


def _replaced(options: Any, values: Mapping[str, Any]) -> Any:
    own: dict[str, Any] = {}
    for part in dataclasses.fields(options):
        value = getattr(options, part.name)
        if dataclasses.is_dataclass(value):
            own[part.name] = _replaced(value, values)
        elif part.name in values:
            own[part.name] = values[part.name]
    return dataclasses.replace(options, **own)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return {"path": str(value.expanduser().absolute())}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _back(value: Any) -> Any:
    if isinstance(value, dict):
        return Path(str(value.get("path")))
    return tuple(_back(v) for v in value) if isinstance(value, list) else value


def _same(was: Any, now: Any) -> bool:
    """Whether two values are one; of two files what is in them counts."""
    if was == now or not (isinstance(was, dict) and isinstance(now, dict)):
        return was == now
    files = Path(was["path"]), Path(now["path"])
    return all(f.is_file() for f in files) and files[0].read_bytes() == files[1].read_bytes()


def _differs(name: str, was: Any, now: Any, secret: bool) -> str:
    option = POSITIONAL.get(name) or f"--{'no-' * (now is False)}{name.replace('_', '-')}"
    if secret:
        return f"with another {option}, or with none"
    if isinstance(now, bool) or was in (None, "", []):
        return f"without {option}"
    return f"with {option} {_text(was)}, not {_text(now)}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("path")
    return " ".join(map(_text, value)) if isinstance(value, list) else str(value)[:120]
