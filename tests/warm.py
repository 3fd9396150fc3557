"""The real command, in a process of its own, without paying for the same imports every time.

Reading torch and transformers takes a process six seconds; a test's own work often takes one. So the first
command of a test process starts a server that has read them, and every later one is a fork of it, with
arguments, environment, folder and files of its own; it ends as any interpreter does. What a process reads
when it begins (its encoding, threads, hubs) is the server's: asked for anything else, the fork starts
the command cold. So are the processes that a command itself starts.

    python tests/warm.py DOOR                  serve, until standard input closes
    python tests/warm.py --ask DOOR ARGS ...   be `molehunt ARGS ...` through that door
"""

import array
import contextlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

Files = tuple[IO[bytes], IO[bytes], IO[bytes]]
"""Standard input, output and errors, open."""
BEGUN_IN = dict(os.environ)
"""This process's environment as it was given; libraries put their own into it when they are read."""
MAY_DIFFER = ("MOLEHUNT_KEYS", "COLUMNS", "NO_COLOR", "PYTEST_CURRENT_TEST", "PWD", "OLDPWD", "SHLVL", "_")
"""Parts of the environment that are looked at when they are needed."""


@dataclass
class Command:
    """A command that runs, as far as a test needs to know it."""

    pid: int
    link: socket.socket
    returncode: int | None = field(default=None, init=False)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self.returncode is None:
            if not select.select([self.link], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("molehunt", timeout or 0.0)
            status = _line(self.link)
            assert status, "the server of commands has died"
            self.returncode = int(status)
            self.link.close()
        return self.returncode


class Server:
    """A process that has read what commands need, and its address."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.address = str(Path(tempfile.mkdtemp(prefix="warm-")) / "door")
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.address],
            stdin=subprocess.PIPE,  # closes when the tests end, however they end; so does the server
            stdout=subprocess.PIPE,
            env=dict(environment),
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End the server; commands that run go on."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


_servers: list[Server] = []


def begin(args: Sequence[str], environment: Mapping[str, str], folder: Path | None, files: Files) -> Command:
    """`molehunt ARGS` on three open files, by this process's server."""
    if not _servers:
        _servers.append(Server(environment))
    return ask(_servers[0].address, args, environment, folder, files)


def ask(
    door: str, args: Sequence[str], environment: Mapping[str, str], folder: Path | None, files: Files
) -> Command:
    """Start a command through a server's door."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(door)
    asked = {"args": list(args), "environment": dict(environment), "folder": str(folder or Path.cwd())}
    text = json.dumps(asked).encode() + b"\n"
    numbers = array.array("i", [f.fileno() for f in files])
    sent = link.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())])
    link.sendall(text[sent:])
    return Command(int(_line(link)), link)


def run(
    args: Sequence[str], environment: Mapping[str, str], folder: Path | None, given: bytes
) -> subprocess.CompletedProcess[bytes]:
    """`molehunt ARGS` to its end: exit code, output, errors."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        code = begin(args, environment, folder, (stdin, out, err)).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(args, code, out.read(), err.read())


def _line(link: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        some = link.recv(1)
        if not some:
            break
        found += some
    return found


class _Become(BaseException):
    """Unwinds a fork to the top of its stack, where it becomes the command."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked


def _serve(address: str) -> None:
    door = socket.socket(socket.AF_UNIX)
    door.bind(address)
    door.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are nobody's business
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([door, 0], [], [])
        if 0 in ready:
            return  # the tests have ended
        link, _ = door.accept()
        if os.fork() == 0:
            door.close()
            _keep(link)
        link.close()


def _keep(link: socket.socket) -> None:
    """Start the command asked for, say its number, and at its end how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    numbers = array.array("i")
    text, extra, _, _ = link.recvmsg(1 << 16, socket.CMSG_LEN(3 * numbers.itemsize))
    for _, _, data in extra:
        numbers.frombytes(data)
    while not text.endswith(b"\n"):
        text += link.recv(1 << 16)
    asked = json.loads(text)
    pid = os.fork()
    if pid == 0:
        link.close()
        for target, number in enumerate(numbers):
            os.dup2(number, target)
            os.close(number)
        if _fits(asked["environment"]):
            raise _Become(asked)
        os.chdir(asked["folder"])
        os.execve(sys.executable, [sys.executable, "-m", "molehunt", *asked["args"]], asked["environment"])
    for number in numbers:
        os.close(number)
    link.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # whoever asked is gone
        link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _fits(environment: Mapping[str, str]) -> bool:
    """Whether a process begun in that environment would be like a fork of this one."""
    both = {*environment, *BEGUN_IN} - {*MAY_DIFFER}
    return all(environment.get(k) == BEGUN_IN.get(k) for k in both)


def _command(asked: Mapping[str, Any]) -> int:
    """Become `python -m molehunt ARGS`."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        before = getattr(sys, f"__{name}__")
        raw = io.FileIO(number, mode, closefd=False)
        buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
        stream = io.TextIOWrapper(
            buffer, before.encoding, before.errors, line_buffering=name == "stderr" or os.isatty(number)
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["molehunt", *asked["args"]]
    sys.path[0] = asked["folder"]
    time.tzset()
    from molehunt.cli import main

    return main()


def _read_ahead() -> None:
    """Import what commands need."""
    import importlib
    import pkgutil

    import peft  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

    import molehunt

    for found in pkgutil.walk_packages(molehunt.__path__, "molehunt."):
        if "__main__" not in found.name and not found.ispkg:
            importlib.import_module(found.name)


if __name__ == "__main__" and sys.argv[1] == "--ask":
    standard = (sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
    status = ask(sys.argv[2], sys.argv[3:], os.environ, None, standard).wait()
    sys.exit(status if status >= 0 else 128 - status)
elif __name__ == "__main__":
    code = 0
    try:
        _read_ahead()
        _serve(sys.argv[1])
    except _Become as command:
        code = _command(command.asked)
    sys.exit(code)
