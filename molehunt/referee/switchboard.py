"""How callers reach the referee's desk: a local socket, a token, one JSON line each way.

A Unix-domain socket in a folder of mode 700, or a loopback port where there are none. A
caller shows the token first and gets the list of who is there; what it sends is capped.
"""

import contextlib
import hmac
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.errors import AccessDenied
from molehunt.core.line import LONGEST, Address
from molehunt.referee.desk import Desk, ok, refusal


@dataclass
class Switchboard:
    """Connects callers with one desk; one thread a caller."""

    desk: Desk
    linger: float = 5.0
    """Seconds after the last caller hung up until `serve` ends."""

    def __post_init__(self) -> None:
        self._books = threading.Lock()
        self._callers: set[socket.socket] = set()
        self._talks: list[threading.Thread] = []
        self._had_caller = False
        self._left_at = 0.0
        self._closed = threading.Event()
        self._token = secrets.token_hex(16)

    @contextlib.contextmanager
    def answering(self) -> Iterator[Address]:
        """Answer in a thread of this process for as long as the block runs."""
        with _bound() as (server, where):
            thread = threading.Thread(target=self._accept, args=(server, None), daemon=True)
            thread.start()
            try:
                yield Address(where, self._token)
            finally:
                self._hang_up()
                thread.join()

    def serve(self, announce: Callable[[Address], None]) -> None:
        """Answer until the last caller has left, or the process that started this one is gone."""
        parent = os.getppid()
        with _bound() as (server, where):
            announce(Address(where, self._token))
            self._accept(server, parent)
            self._hang_up()

    def _accept(self, server: socket.socket, parent: int | None) -> None:
        server.settimeout(0.2)
        while not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                caller, _ = server.accept()
                with self._books:
                    self._callers.add(caller)
                thread = threading.Thread(target=self._talk, args=(caller,), daemon=True)
                self._talks.append(thread)
                thread.start()
            # A desk that answers in a thread ends with its block, whoever comes and goes.
            if parent is not None and (os.getppid() != parent or self._left()):
                self._closed.set()

    def _left(self) -> bool:
        with self._books:
            alone = self._had_caller and not self._callers
            return alone and time.monotonic() - self._left_at > self.linger

    def _talk(self, caller: socket.socket) -> None:
        known = False
        try:
            with caller, caller.makefile("rb") as lines:
                caller.settimeout(10)
                known = self._greet(caller, lines.readline(4096))
                caller.settimeout(None)
                while known and (line := lines.readline(LONGEST + 1)):
                    if not line.endswith(b"\n"):
                        too_long = AccessDenied("The request is too long; send fewer prompts at once.")
                        caller.sendall(refusal(too_long))
                        break
                    caller.sendall(self.desk.reply(line))
        except OSError:
            pass  # The caller hung up, as callers do.
        finally:
            with self._books:
                self._callers.discard(caller)
                self._had_caller |= known
                self._left_at = time.monotonic()

    def _greet(self, caller: socket.socket, line: bytes) -> bool:
        try:
            token = str(json.loads(line)["token"])
        except (ValueError, KeyError, TypeError, RecursionError):
            token = ""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            caller.sendall(refusal(AccessDenied("The desk does not know this caller.")))
            return False
        caller.sendall(ok(json.dumps(self.desk.cards()).encode()))
        return True

    def _hang_up(self) -> None:
        self._closed.set()
        with self._books:
            callers = list(self._callers)
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
        for talk in self._talks:
            # A thread that is still inside the model when the interpreter ends would abort the process.
            talk.join(timeout=10)


@contextlib.contextmanager
def _bound() -> Iterator[tuple[socket.socket, str]]:
    folder = Path(tempfile.mkdtemp(prefix="mole-"))  # mode 700; short, as socket paths must be
    try:
        server, where = _listening(folder / "desk")
        with server:
            yield server, where
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listening(path: Path) -> tuple[socket.socket, str]:
    if hasattr(socket, "AF_UNIX"):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind(str(path))
            path.chmod(0o600)
            server.listen(16)
            return server, f"unix:{path}"
        except OSError:
            server.close()  # a path too long, or a file system without sockets
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    server.listen(16)
    return server, f"tcp:127.0.0.1:{server.getsockname()[1]}"
