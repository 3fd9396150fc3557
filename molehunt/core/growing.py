"""A file of JSON lines that grows, and whose last line a killed writer may have left unfinished."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from molehunt.core.atomic import canonical, said_plainly
from molehunt.core.errors import BadFile


def whole_lines(path: Path, cut: bool = False) -> Iterator[tuple[int, Any]]:
    """Number and value of each line, from 1 on; none where there is no file.

    A last line without an end is passed over; with `cut` it is taken off the file, so that lines can be
    appended.

    Raises:
        BadFile: the file cannot be read, or a line is not JSON.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None
    whole = data[: data.rfind(b"\n") + 1]
    if cut and len(whole) < len(data):
        os.truncate(path, len(whole))
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise BadFile(f"{path} line {number} is not whole JSON; delete the line, or the file.") from None
        yield number, value


def append_lines(path: Path, values: Iterable[Any]) -> None:
    """One line a value, all of them synced before this returns. Errors as `atomic.write_bytes`."""
    lines = b"".join(canonical(v) + b"\n" for v in values)
    with said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
