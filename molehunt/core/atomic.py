"""Files and folders that are whole or not there: written beside, synced, then renamed.

`kill -9` between any two instructions leaves either the old content or the new. What a
killed writer leaves lying is named `.half-…`; `sweep` takes it away. Files are given fixed
times on request, because the time at which a suspect was written could tell what it is.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import to_json

HALF = ".half-"
"""How the name of anything half-written begins."""

OUTPUT = "standard output"
"""Stands for a file's name where what could not be written was meant for the screen."""

_STILL = 946_684_800
"""2000-01-01 UTC: the time that files carry whose own time could tell something."""


def canonical(value: Any) -> bytes:
    """One byte string for one value: sorted keys, no spaces, ASCII; records go through `to_json`.

    Raises:
        TypeError, ValueError: the value is not JSON (NaN and infinities are not).
    """
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path`, wholly or not at all.

    Raises:
        UserError: no space is left, or the folder may not be written to.
    """
    half = path.with_name(f"{HALF}{secrets.token_hex(6)}")
    with said_plainly(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
            sync_folder(path.parent)
        except BaseException:
            half.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """A record or plain value as indented JSON. Errors as `write_bytes`."""
    write_bytes(path, (json.dumps(to_json(value), indent=1, allow_nan=False) + "\n").encode())


def write_jsonl(path: Path, values: Iterable[Any]) -> None:
    """One value a line. Errors as `write_bytes`."""
    write_bytes(path, b"".join(json.dumps(to_json(v), allow_nan=False).encode() + b"\n" for v in values))


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        BadFile: it is not there, cannot be read, or is not JSON.
    """
    return _parse(path, _bytes(path), "")


def read_jsonl(path: Path) -> list[Any]:
    """Every value of a file with one JSON value a line. Errors as `read_json`, with the line's number."""
    return [_parse(path, line, f" line {i}") for i, line in enumerate(_bytes(path).splitlines(), 1)]


@contextlib.contextmanager
def whole_folder(path: Path, *, still: bool = False, within: Path | None = None) -> Iterator[Path]:
    """A new folder to fill; it stands at `path`, in place of any older one, once the block ends well.

    `still` gives every file the same time. `within` is a folder of the same disk in which it is filled, so
    that a kill leaves nothing beside `path`. A kill while an older folder is replaced may leave
    neither, never a mixture: the stage is then made again. Errors as `write_bytes`.
    """
    half = (within or path.parent) / f"{HALF}{secrets.token_hex(6)}"
    old = (within or path.parent) / f"{HALF}{secrets.token_hex(6)}"
    with said_plainly(path):
        try:
            half.mkdir(parents=True)
            yield half
            for file in sorted(half.rglob("*")):
                if file.is_file():
                    _sync_file(file)
                if still:
                    os.utime(file, (_STILL, _STILL))
            for folder in [*(d for d in half.rglob("*") if d.is_dir()), half]:
                sync_folder(folder)
            if still:
                os.utime(half, (_STILL, _STILL))
            if path.exists():
                path.rename(old)
            half.rename(path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(half, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def refuse_taken(folder: Path, own: Collection[str] = ()) -> None:
    """Refuse a folder in whose place something would get lost: it is new, empty, or holds `own` alone.

    Raises:
        UserError: it is a file, or other things lie in it.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a new folder.")
    if folder.is_dir() and any(p.name not in own and not p.name.startswith(HALF) for p in folder.iterdir()):
        raise UserError(f"{folder} is not empty, and what lies there would be lost; give a new folder.")


def refuse_foreign(folder: Path, marks: Sequence[str], written: Iterable[str]) -> None:
    """Refuse a folder with a file that would be written over, unless all `marks` of our own lie there too.

    Raises:
        UserError: it is a file, or holds somebody else's.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a new folder.")
    if all((folder / mark).exists() for mark in marks):
        return
    for name in written:
        if (folder / name).exists():
            raise UserError(f"{folder / name} is of something else and would be lost; give a new folder.")


def sweep(folder: Path) -> None:
    """Take away what killed writers left half-written. Only while nobody else writes there."""
    for path in list(folder.rglob(f"{HALF}*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def to_output() -> Iterator[None]:
    """Names standard output in what a failed write to it raises, which names no file by itself."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        error.filename = OUTPUT
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    _sync_file(folder)


def _sync_file(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadFile(f"There is no file {path}.") from None
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _parse(path: Path, data: bytes, where: str) -> Any:
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadFile(
            f"{path}{where} is not whole JSON ({str(error)[:80]}); mend it, or restore it from a copy."
        ) from None


@contextlib.contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """What the disk refuses while `path` is written, as one sentence. Errors as `write_bytes`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        # Writers in other languages (safetensors, Arrow) raise kinds of their own for a full disk.
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left on device" in str(error):
            raise UserError(
                f"No space is left on the disk that holds {_lasting(path)}; "
                "free some and run the same command again."
            ) from error
        refused = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)
        if isinstance(error, OSError) and (number in refused or _cannot_be_made(error, path)):
            raise UserError(f"{path} cannot be written: {error.strerror}; choose another folder.") from error
        raise


def _lasting(path: Path) -> Path:
    """The path, or, inside a folder that is still half-written, where that folder lies."""
    return next((p.parent for p in (path, *path.parents)[::-1] if p.name.startswith(HALF)), path)


def _cannot_be_made(error: OSError, path: Path) -> bool:
    """Whether what is missing is the place of `path` itself, not a file that its writer wanted to read."""
    if error.errno != errno.ENOENT or not isinstance(error.filename, str | bytes | os.PathLike):
        return False
    named = Path(os.fsdecode(error.filename))
    return named == path or named in path.parents or named.parent == path.parent
