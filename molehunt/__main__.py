"""`python -m molehunt` is `molehunt`."""

import sys

from molehunt.cli import main

if __name__ == "__main__":
    sys.exit(main())
