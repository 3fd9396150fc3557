"""Kills a piece of work at a chosen line, as `kill -9` would at a chosen moment."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from molehunt.core import atomic

ROOM = str(Path(atomic.__file__).parent)


def killed_at(line: int, work: Callable[[], object]) -> bool:
    """Run `work` in a fork that SIGKILLs itself before the n-th line in `core`; whether it was killed."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame, event, argument):
            nonlocal left
            name = frame.f_code.co_filename
            if not name.startswith(ROOM) or name.endswith("records.py"):  # that one touches no file
                return None
            if event == "line":
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
            return trace

        try:
            sys.settrace(trace)
            work()
            sys.settrace(None)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)
