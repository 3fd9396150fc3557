"""`python -m molehunt` is `molehunt`: the command line, from its first moment on.

Ctrl-C ends it with one line and exit code 130, wherever it comes: here before anything is imported, in
`molehunt/cli.py` from then on. Before this file nothing of ours runs: what Python says in its own first
hundredth of a second is Python's.
"""

import os
import signal
import sys


def main() -> int:
    """Run the command line; until that listens for Ctrl-C itself nothing is begun, and it just ends."""
    signal.signal(signal.SIGINT, _end)
    from molehunt.cli import main as run

    code = run()
    if code == 130:  # Python's own end would let torch and others be interrupted once more
        _flush()
        os._exit(code)
    return code


def _end(number: int, frame: object) -> None:
    try:
        os.write(2, b"molehunt: Stopped; nothing was begun.\n")
    finally:
        os._exit(130)


def _flush() -> None:
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # closed, or nobody reads
            stream.flush()


if __name__ == "__main__":
    sys.exit(main())
