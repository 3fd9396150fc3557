"""Where this machine keeps what is made once: `$MOLEHUNT_CACHE`, or `~/.cache/molehunt`.

Nothing half-written is ever seen there: folders and files are made under a temporary name
that carries the writer's process id, synced, then renamed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """The cache folder; it need not exist yet."""
    return Path(os.environ.get("MOLEHUNT_CACHE") or Path.home() / ".cache" / "molehunt").expanduser()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A fresh folder to fill, which becomes `target` when the block ends well, and vanishes otherwise.

    Where another process was first, its folder stays and ours is dropped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        yield partial
        for path in [*partial.rglob("*"), partial]:
            _sync(path)
        try:
            partial.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        _sync(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    _sync(partial)
    partial.replace(path)


def _sweep(target: Path) -> None:
    """Remove what writers that no longer live have left beside `target`."""
    for left in target.parent.glob(f".{target.name}.*.partial"):
        pid = left.name.split(".")[-2]
        if not pid.isdigit() or not _lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
