"""Running out of memory, whichever library says so; none of them is imported for it."""

import errno
import sys
from collections.abc import Iterable

SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "Storage size calculation overflowed")
"""What torch's allocators write into a plain RuntimeError."""
SMALLER = ("latents", "batch_tokens", "batch", "context", "shard_rows", "max_tokens", "texts", "workers")
"""Options whose smaller values take less memory."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the machine or on its GPU."""
    own = getattr(sys.modules.get("torch"), "OutOfMemoryError", None)
    if isinstance(error, MemoryError) or (own is not None and isinstance(error, own)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def less(options: Iterable[str]) -> str:
    """One sentence for the user, with those of a verb's options that take less memory."""
    known = set(options)
    lower = [f"--{name.replace('_', '-')}" for name in SMALLER if name in known]
    other = "choose a smaller --model" if "model" in known else "use a machine with more"
    what = f"lower {' or '.join(lower)}, or {other}" if lower else other
    return f"Memory ran out; {what}. What was written whole is kept."
