"""`python -m molehunt` is `molehunt`: the command line, from its first moment on."""

import os
import signal
import sys


def main() -> int:
    """Run the command line; until that listens for Ctrl-C itself nothing is begun, and it just ends."""
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    from molehunt.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
