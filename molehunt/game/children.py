"""Processes that this game started: run several, hear their progress, end with them or end them.

A child speaks in JSON lines on its standard output. Its standard input is a pipe that it only
watches: when the game dies, however it dies, the pipe closes and the child ends itself.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from molehunt.core import errors, interrupt
from molehunt.core.errors import MolehuntError

Hear = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Child:
    """A module to run with its arguments and what its environment adds."""

    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def run_children(children: Sequence[Child], hear: Hear) -> None:
    """Run all of them side by side, until all are done or the first fails.

    Raises:
        MolehuntError: what the failed child said, as the error that it named.
    """
    said: list[Mapping[str, Any]] = []
    broken: list[Exception] = []
    lock = threading.Lock()
    running: list[subprocess.Popen[str]] = []

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a library printed; its words are no progress
            if not isinstance(message, dict):
                continue
            with lock:
                if "error" in message:
                    said.append(message)
                    continue
                try:
                    hear(message)
                except Exception as error:  # This thread must not die: the child would wait for it for ever.
                    broken.append(error)
                    process.terminate()

    try:
        for child in children:
            running.append(_start(child))
        listeners = [threading.Thread(target=listen, args=(p,), daemon=True) for p in running]
        for thread in listeners:
            thread.start()
        _wait(running)
        for thread in listeners:
            thread.join(timeout=5)
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
        for process in running:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if broken:
        raise broken[0]
    for process in running:
        if process.returncode:
            raise _as_error(said, process.returncode)


def _start(child: Child) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", child.module, *child.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false", **child.environment},
        text=True,
        # Ctrl-C in a terminal is for the game alone, which then ends its children without their tracebacks.
        process_group=0,
    )


def _wait(running: Sequence[subprocess.Popen[str]]) -> None:
    waiting = list(running)
    while waiting:
        interrupt.check()
        for process in list(waiting):
            try:
                if process.wait(timeout=0.2):
                    return  # one failed: the others are ended by the caller
                waiting.remove(process)
            except subprocess.TimeoutExpired:
                continue


def _as_error(said: Sequence[Mapping[str, Any]], code: int) -> MolehuntError:
    if not said:
        return MolehuntError(
            f"A process of this game ended with exit code {code}; its own words stand above."
        )
    kind = getattr(errors, str(said[0].get("kind")), MolehuntError)
    plain = isinstance(kind, type) and issubclass(kind, MolehuntError) and kind is not errors.UnknownName
    return cast("Callable[[str], MolehuntError]", kind if plain else errors.UserError)(str(said[0]["error"]))
