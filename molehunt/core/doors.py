"""Doors that stay shut in a blind process: what an audit's method or a remedy could look the truth up in.

Three locks, because no one of them is enough:

1. Imports of the red team's, the referee's and the game's rooms are refused by name.
2. A Python audit hook, which nothing in this process can take off, refuses to open, list, date or move what
   lies in closed folders (keys, red folders, the run folder), any `.sealed` file and other processes'
   `/proc`; to make links; to start a process; to call anybody but the referee's desk. It is not told to which
   folder's descriptor a path is relative, so no folder above a closed one can be opened as such, and no
   descriptor by a path that climbs. Readers of safetensors are written in Rust, past such hooks, and
   `subprocess` starts in C: they ask it first.
3. Where the kernel has Landlock (`core/landlock.py`), it refuses closed files to native code as well.

What this cannot stop: native code where there is no Landlock, and anywhere from reading how other processes
were called (a `--red-seed` that was typed); code that looks through this process's own memory, where the
names of closed folders stand (a remedy's room takes away the file that listed them); notes left in open
folders for a later process; another process of the same user. Nor is it hidden that a closed file exists, and
how large it is. For those, `pack` the lineup and audit it elsewhere.
Source: PEP 578 (audit hooks).
"""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import molehunt
from molehunt.core.errors import AccessDenied
from molehunt.core.landlock import keep_from_reading
from molehunt.core.line import Address

SHUT = (
    *("molehunt.organisms", "molehunt.depth", "molehunt.referee", "molehunt.game"),
    *("molehunt.verbs", "molehunt.cli"),
)
"""Rooms that nobody behind doors may enter."""
_PATHS = {
    **dict.fromkeys(("open", "os.listdir", "os.scandir", "os.truncate", "os.remove", "os.rmdir"), 1),
    **dict.fromkeys(("os.chmod", "os.chown", "os.utime", "os.mkdir", "sqlite3.connect"), 1),
    **dict.fromkeys(("os.listxattr", "os.getxattr", "os.setxattr", "os.removexattr"), 1),
    "os.rename": 2,
}
"""Audit events to how many of their first arguments are paths."""
_STARTS = {
    *("subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.forkpty"),
    *("pty.spawn", "os.startfile", "_winapi.CreateProcess"),
}
_LINKS = {"os.link", "os.symlink"}
_CALLS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_ELSEWHERE = re.compile(r"/proc/(\d+)(/|$)")


class DoorShut(AccessDenied, PermissionError):
    """Refused by a door. Also a `PermissionError`, so that a library which only probes can go on."""


@dataclass(frozen=True)
class _Doorkeeper(MetaPathFinder):
    rooms: tuple[str, ...]
    who: str

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(fullname == room or fullname.startswith(room + ".") for room in self.rooms):
            raise DoorShut(f"{self.who} may not import {fullname}.")
        return None


def shut(
    closed: Sequence[Path] = (),
    opened: Sequence[Path] = (),
    desk: Address | None = None,
    *,
    rooms: Sequence[str] = SHUT,
    who: str = "An auditor",
) -> None:
    """Lock this process, for good: no door opens again before it ends.

    `closed` are folders (or files) in which nothing may be read, `opened` those in them (or around them)
    where it may; the nearest one above a path decides. `desk` is the only address that may be called.
    `rooms` may not be imported; `who` names the one who is refused.

    Raises:
        AccessDenied: a room that should be shut is already in.
    """
    inside = sorted(m for m in sys.modules if m in rooms or m.startswith(tuple(f"{r}." for r in rooms)))
    if inside:
        raise AccessDenied(f"A process with shut doors already holds {inside[0]}; start it afresh.")
    sys.meta_path.insert(0, _Doorkeeper(tuple(rooms), who))
    keep_from_reading(closed, opened)
    _ask_before_rust_reads()
    _ask_before_c_starts()
    sys.addaudithook(_hook(closed, opened, None if desk is None else desk.target(), rooms, who))


def _hook(
    closed: Sequence[Path], opened: Sequence[Path], desk: Any, rooms: Sequence[str], who: str
) -> Callable[[str, tuple[Any, ...]], None]:
    sources = [Path(molehunt.__path__[0]) / room.rpartition(".")[2] for room in rooms]
    listed = {os.path.realpath(p): False for p in (*closed, *sources)}
    listed |= {os.path.realpath(p): True for p in opened}
    nearest = sorted(listed.items(), key=lambda entry: -len(entry[0]))
    above = {"/proc", *(str(p) for f, may in nearest if not may for p in Path(f).parents)}
    own = str(os.getpid())

    def refused(path: str) -> bool:
        elsewhere = _ELSEWHERE.match(path)
        if path.endswith(".sealed") or (elsewhere and elsewhere[1] != own):
            return True
        return not next((may for f, may in nearest if path == f or path.startswith(f + os.sep)), True)

    def keep(event: str, args: tuple[Any, ...]) -> None:
        if event in _STARTS:
            raise DoorShut(f"{who} may not start a process.")
        if event in _LINKS:  # what a relative one leads to depends on where it is made
            raise DoorShut(f"{who} may not make links.")
        if event in _CALLS and args[1] not in (None, desk):
            raise DoorShut(f"{who} may not call {'anybody' if desk is None else 'anybody but the desk'}.")
        for path in args[: _PATHS.get(event, 0)]:
            if isinstance(path, int):
                continue  # a descriptor was asked about when it was opened
            name = os.fsdecode("." if path is None else path)
            if event == "open" and args[1] is None:  # by `os.open`, from whichever folder's descriptor
                climbs = not os.path.isabs(name) and ".." in Path(name).parts
                if climbs or os.path.realpath(name) in above:
                    raise DoorShut(f"{who} may not open {os.path.basename(name)!r} as a descriptor.")
            # As written and as it leads: a link may point into a closed folder, or lie in one.
            if refused(os.path.abspath(name)) or refused(os.path.realpath(name)):
                raise DoorShut(f"{who} may not read or change {os.path.basename(name)!r}.")

    return keep


def _ask_before_rust_reads() -> None:
    with contextlib.suppress(ImportError):  # core does without safetensors where there is none
        _wrap(importlib.import_module("safetensors._safetensors_rust").safe_open)


def _ask_before_c_starts() -> None:
    with contextlib.suppress(ImportError):  # Windows starts processes otherwise, and says so
        own = importlib.import_module("_posixsubprocess")
        start = own.fork_exec

        def fork_exec(*args: Any) -> int:
            sys.audit("os.fork")
            return start(*args)

        for module in (own, sys.modules.get("subprocess"), sys.modules.get("multiprocessing.util")):
            for name in ("fork_exec", "_fork_exec"):
                if module is not None and getattr(module, name, None) is start:
                    vars(module)[name] = fork_exec


def _wrap(reader: Callable[..., Any]) -> None:
    def safe_open(filename: Any, *args: Any, **more: Any) -> Any:
        sys.audit("open", filename, "r", 0)
        return reader(filename, *args, **more)

    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "safetensors" and hasattr(module, "safe_open"):
            vars(module)["safe_open"] = safe_open
