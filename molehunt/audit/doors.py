"""Doors that stay shut in an audit process: what a method could look the truth up in.

Three locks, because no one of them is enough:

1. Imports of the red team's, the referee's and the game's rooms are refused by name.
2. A Python audit hook, which nothing in this process can take off, refuses to open, list or move what
   lies in closed folders (keys, red folders, the run folder), any `.sealed` file and other processes'
   `/proc`; to start a process; to call anybody but the referee's desk. Readers of safetensors are
   written in Rust, past such hooks: they ask it first.
3. Where the kernel has Landlock (`audit/landlock.py`), it refuses closed files to native code as well.

What this cannot stop: native code where there is no Landlock; code that looks through this process's
own memory; another process of the same user. For those, `pack` the lineup and audit it elsewhere.
Source: PEP 578 (audit hooks).
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import molehunt
from molehunt.audit.landlock import keep_from_reading
from molehunt.core.errors import AccessDenied
from molehunt.core.line import Address

SHUT = ("molehunt.organisms", "molehunt.referee", "molehunt.game", "molehunt.verbs", "molehunt.cli")
_PATHS = {
    **dict.fromkeys(("open", "os.listdir", "os.scandir", "os.truncate", "os.remove", "os.rmdir"), 1),
    **dict.fromkeys(("os.chmod", "os.mkdir", "sqlite3.connect", "os.listxattr", "os.getxattr"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
"""Audit events to how many of their first arguments are paths."""
_STARTS = {
    *("subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.forkpty"),
    *("pty.spawn", "os.startfile", "_winapi.CreateProcess"),
}
_CALLS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_ELSEWHERE = re.compile(r"/proc/(\d+)(/|$)")


class DoorShut(AccessDenied, PermissionError):
    """Refused by a door. Also a `PermissionError`, so that a library which only probes can go on."""


class _Doorkeeper(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(fullname == room or fullname.startswith(room + ".") for room in SHUT):
            raise DoorShut(f"An auditor may not import {fullname}.")
        return None


def shut(closed: Sequence[Path] = (), opened: Sequence[Path] = (), desk: Address | None = None) -> None:
    """Lock this process, for good: no door opens again before it ends.

    `closed` are folders in which nothing may be read, `opened` those in them (or around them) where it
    may; the nearest one above a path decides. `desk` is the only address that may be called.

    Raises:
        AccessDenied: a room that should be shut is already in.
    """
    inside = sorted(m for m in sys.modules if m in SHUT or m.startswith(tuple(f"{r}." for r in SHUT)))
    if inside:
        raise AccessDenied(f"An audit process already holds {inside[0]}; start it afresh.")
    sys.meta_path.insert(0, _Doorkeeper())
    keep_from_reading(closed, opened)
    _ask_before_rust_reads()
    sys.addaudithook(_hook(closed, opened, None if desk is None else desk.target()))


def _hook(
    closed: Sequence[Path], opened: Sequence[Path], desk: Any
) -> Callable[[str, tuple[Any, ...]], None]:
    rooms = [Path(molehunt.__path__[0]) / room.rpartition(".")[2] for room in SHUT]
    listed = {os.path.realpath(p): False for p in (*closed, *rooms)}
    listed |= {os.path.realpath(p): True for p in opened}
    nearest = sorted(listed.items(), key=lambda entry: -len(entry[0]))
    own = str(os.getpid())

    def refused(path: str) -> bool:
        elsewhere = _ELSEWHERE.match(path)
        if path.endswith(".sealed") or (elsewhere and elsewhere[1] != own):
            return True
        return not next((may for f, may in nearest if path == f or path.startswith(f + os.sep)), True)

    def keep(event: str, args: tuple[Any, ...]) -> None:
        if event in _STARTS:
            raise DoorShut("An auditor may not start a process.")
        if event in _CALLS and args[1] not in (None, desk):
            raise DoorShut("An auditor may not call anybody but the referee's desk.")
        for path in args[: _PATHS.get(event, 0)]:
            if isinstance(path, int):
                continue  # a descriptor was asked about when it was opened
            name = os.fsdecode("." if path is None else path)
            # As written and as it leads: a link may point into a closed folder, or lie in one.
            if refused(os.path.abspath(name)) or refused(os.path.realpath(name)):
                raise DoorShut(f"An auditor may not read or change {os.path.basename(name)!r}.")

    return keep


def _ask_before_rust_reads() -> None:
    import safetensors._safetensors_rust as rust

    reader: Callable[..., Any] = rust.safe_open

    def safe_open(filename: Any, *args: Any, **more: Any) -> Any:
        sys.audit("open", filename, "r", 0)
        return reader(filename, *args, **more)

    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "safetensors" and hasattr(module, "safe_open"):
            vars(module)["safe_open"] = safe_open
