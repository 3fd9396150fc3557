"""Ctrl-C that nobody can swallow.

Python raises `KeyboardInterrupt` wherever the program happens to be. Where that is a library's own
"import this if you can", its bare `except` eats the interrupt, and the game would play on. So the
handler also remembers, and whoever waits for long asks. Where it is a callback whose errors Python only
prints (each import has some), the interrupt comes once more, after it. And an import that is broken off in
compiled code may raise something else: `heard` says what it was.
"""

import _thread
import signal
import sys
import threading
from types import FrameType

_asked = threading.Event()


def listen() -> None:
    """Remember every interrupt from now on; only a process's main thread can listen."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _hear)
        sys.unraisablehook = _again


def check() -> None:
    """Raise `KeyboardInterrupt` if one came and was swallowed."""
    if _asked.is_set():
        raise KeyboardInterrupt


def heard() -> bool:
    """Whether an interrupt came."""
    return _asked.is_set()


def _again(lost: "sys.UnraisableHookArgs") -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.05, _thread.interrupt_main)  # at once it would be lost in here too
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _hear(number: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
