"""Files that this process, its threads and its children can no longer read, by the kernel's own word.

Landlock lets a process without privileges give rights up for good. It knows only what is allowed, with
all that lies beneath; so everything is allowed that lies beside the way to a closed folder. Then native
code cannot read there either; nor, for anybody but root, the memory of processes outside.

Source: https://docs.kernel.org/userspace-api/landlock.html (Linux 5.13; ABI 1 is enough).

What this cannot do: hide names and sizes, or keep from writing. A file that is made later in a folder
above a closed one cannot be read either: temporary files belong elsewhere. Threads that already ran
are not bound.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System calls, by the same numbers on every architecture."""
_READ_FILE = 1 << 2
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38


def keep_from_reading(closed: Sequence[Path], opened: Sequence[Path] = ()) -> bool:
    """Close folders to this thread and all that it starts; `opened` ones in them stay readable.

    False, and nothing is closed, where the kernel has no Landlock or a folder above cannot be listed.
    """
    shut = {os.path.realpath(p) for p in closed}
    if not sys.platform.startswith("linux") or not shut:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = struct.pack("=Q", _READ_FILE)
    rules = libc.syscall(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        above = {str(p) for c in shut for p in Path(c).parents}
        allowed = [*_beside("/", shut, above), *(os.path.realpath(p) for p in opened)]
        return all(_allow(libc, rules, path) for path in allowed) and _restrict(libc, rules)
    except OSError:
        return False
    finally:
        os.close(rules)


def _beside(folder: str, closed: set[str], above: set[str]) -> Iterator[str]:
    """The largest trees under `folder` that hold nothing closed; `above` are all folders over what is."""
    if folder in closed:
        return
    if folder not in above:
        yield folder
        return
    for entry in os.scandir(folder):
        # What a link leads to is allowed or closed where it lies.
        if not entry.is_symlink():
            yield from _beside(entry.path, closed, above)


def _allow(libc: ctypes.CDLL, rules: int, path: str) -> bool:
    try:
        number = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # gone since it was listed
    try:
        rule = struct.pack("=Qi", _READ_FILE, number)
        return libc.syscall(_ADD, rules, _PATH_BENEATH, rule, 0) == 0
    finally:
        os.close(number)


def _restrict(libc: ctypes.CDLL, rules: int) -> bool:
    return libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT, rules, 0) == 0
