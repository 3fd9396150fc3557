"""Ctrl-C that nobody can swallow.

Python raises `KeyboardInterrupt` wherever the program happens to be. Where that is a library's own
"import this if you can", its bare `except` eats the interrupt, and the game would play on. So the
handler also remembers, and whoever waits for long asks.
"""

import signal
import threading
from types import FrameType

_asked = threading.Event()


def listen() -> None:
    """Remember every interrupt from now on; only a process's main thread can listen."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _hear)


def check() -> None:
    """Raise `KeyboardInterrupt` if one came and was swallowed."""
    if _asked.is_set():
        raise KeyboardInterrupt


def _hear(number: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
