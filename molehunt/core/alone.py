"""One command at a time in a folder, for commands that keep what they found there and go on from it.

Two of them side by side would each append what the other appends too. The folder itself is locked, and
nothing is left in it; `Run.held` does the same for a run folder. The lock goes when its process does.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from molehunt.core.errors import UserError


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this process, made if need be and taken away again where nothing came into it.

    A file of that name is let through: whoever wants to write there says better what is wrong with it.

    Raises:
        UserError: another process holds it, or it cannot be made.
    """
    new = [p for p in (folder, *folder.parents) if not p.exists()]
    with contextlib.ExitStack() as after:
        try:
            if new:
                for path in reversed(new):  # the innermost is dropped first
                    after.callback(_drop_if_empty, path)
                folder.mkdir(parents=True, exist_ok=True)
            number = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}; choose another folder.") from None
        after.callback(os.close, number)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another command is at work in {folder}; wait for it, or choose another folder."
            ) from None
        except OSError:
            pass  # some network disks lock no folders: then it goes as it went before
        yield


def _drop_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
