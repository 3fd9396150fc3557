"""One verb a file: `Options` is what it takes, `run(options)` does it, the docstring is its help.

Whatever costs time to import (torch, pyarrow, the rooms that need them) is imported in `run`, so that
`molehunt VERB --help` answers at once.
"""
