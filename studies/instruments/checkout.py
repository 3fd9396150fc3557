"""Which code made a number."""

import subprocess
from pathlib import Path

CODE = ("molehunt", "studies/instruments/*.py")


def commit(tree: Path) -> str:
    """The commit that is checked out, with a mark where package or study were changed since."""
    here = {"capture_output": True, "text": True, "check": False, "cwd": tree}
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **here).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", *CODE], **here).stdout.strip()
    return (head or "unknown") + ("+changes" if changed else "")
