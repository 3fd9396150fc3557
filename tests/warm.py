"""The real command, in a process of its own, without paying for the same imports every time.

Reading torch and transformers takes a process six seconds; a test's own work often takes one. So the first
command of a test process starts a server that has read them, and every later one is a fork of it, with
arguments, environment, folder and files of its own. It ends with whoever asked for it; at its own end threads
are waited for, exit handlers run and streams are flushed, and what the server had read is left as it is: to
take it apart took longer than most commands. What a process reads when it begins (its encoding, threads,
hubs) is the server's: asked for anything else, the fork starts the command cold. Of the processes that a
command itself starts tells `nursery.py`.

    python tests/warm.py DOOR PYTHON           serve, until standard input closes; PYTHON starts children
    python tests/warm.py --ask DOOR ARGS ...   be `molehunt ARGS ...` through that door
"""

import array
import atexit
import contextlib
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

Files = tuple[IO[bytes], IO[bytes], IO[bytes]]
"""Standard input, output and errors, open."""
BEGUN_IN = dict(os.environ)
"""This process's environment as it was given; libraries put their own into it when they are read."""
OWN: dict[str, str] = {}
"""What every command puts into its environment, itself or by its libraries, where nothing stands there."""
MAY_DIFFER = (
    *("MOLEHUNT_KEYS", "MOLEHUNT_CACHE", "MOLEHUNT_LINE", "TMPDIR", "COLUMNS", "NO_COLOR"),
    *("PYTEST_CURRENT_TEST", "PWD", "OLDPWD", "SHLVL", "_"),
)
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

    def __init__(self, environment: Mapping[str, str], script: str = __file__) -> None:
        self.address = str(Path(tempfile.mkdtemp(prefix="warm-")) / "door")
        self.process = subprocess.Popen(
            [sys.executable, script, self.address, sys.executable],
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
    return ask(_servers[0].address, ["molehunt", *args], environment, folder, files)


def ask(
    door: str, args: Sequence[str], environment: Mapping[str, str], folder: Path | None, files: Files
) -> Command:
    """Start a module, with its arguments after it, through a server's door."""
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


def kill(args: Sequence[str], environment: Mapping[str, str], when: Callable[[], bool]) -> None:
    """`molehunt ARGS` until something is so, and SIGKILL then.

    Raises:
        AssertionError: the command ended by itself, with its errors, or two minutes went by.
    """
    with open(os.devnull, "r+b") as nothing, tempfile.TemporaryFile() as errors:
        command, until = begin(args, environment, None, (nothing, nothing, errors)), time.monotonic() + 120
        while not when():
            ended = bool(select.select([command.link], [], [], 0.002)[0])
            if ended or time.monotonic() > until:
                errors.seek(0)
                said = errors.read().decode(errors="replace")[-2000:]
                if not ended:
                    os.kill(command.pid, signal.SIGKILL)
                raise AssertionError(f"{'ended by itself' if ended else 'not so in two minutes'}: {said}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(command.pid, signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL, "it ended just before it was killed"


def _line(link: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        some = link.recv(1)
        if not some:
            break
        found += some
    return found


class Become(BaseException):
    """Unwinds a fork to the top of its stack, where it becomes the command."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked


def serve(address: str) -> None:
    """Fork for everyone who asks, until standard input closes.

    Raises:
        Become: in the fork.
    """
    gc.collect()
    gc.freeze()  # what all share is never collected, or every fork would come to copy it
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
            raise Become(asked)
        os.chdir(asked["folder"])
        os.execve(sys.executable, [sys.executable, "-m", *asked["args"]], asked["environment"])
    for number in numbers:
        os.close(number)
    link.sendall(f"{pid}\n".encode())
    threading.Thread(target=_end_with, args=(link, pid), daemon=True).start()
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # whoever asked is gone
        link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _end_with(link: socket.socket, pid: int) -> None:
    """Kill the command when whoever asked for it is gone."""
    with contextlib.suppress(OSError):
        link.recv(1)  # nobody writes
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _fits(environment: Mapping[str, str]) -> bool:
    """Whether a process begun in that environment would be like a fork of this one."""
    one, other = ({**OWN, **given} for given in (environment, BEGUN_IN))
    return all(one.get(k) == other.get(k) for k in {*one, *other} - {*MAY_DIFFER})


def put_on(asked: Mapping[str, Any]) -> list[str]:
    """Take on folder, environment and streams of what was asked for; its module and arguments."""
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
    sys.path[0] = asked["folder"]
    tempfile.tempdir = None
    time.tzset()
    return list(asked["args"])


def end(work: Callable[[], int | None]) -> None:
    """Do the work and end this process with its exit code; whatever is unusual ends as Python has it."""
    try:
        code = work()
    except SystemExit as asked:
        if not isinstance(asked.code, int | None):
            raise
        code = asked.code
    vars(threading)["_shutdown"]()
    vars(atexit)["_run_exitfuncs"]()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code or 0)


def _read_ahead() -> None:
    """Import what commands need, in what they make of their environment."""
    import importlib
    import pkgutil

    from molehunt.cli import _quieten

    _quieten()
    import pandas  # noqa: F401
    import peft  # noqa: F401
    from matplotlib.backends import backend_svg  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

    import molehunt

    for found in pkgutil.walk_packages(molehunt.__path__, "molehunt."):
        if "__main__" not in found.name and not found.ispkg:
            importlib.import_module(found.name)
    OWN.update({k: v for k, v in os.environ.items() if k not in BEGUN_IN})


if __name__ == "__main__" and sys.argv[1] == "--ask":
    standard = (sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
    status = ask(sys.argv[2], ["molehunt", *sys.argv[3:]], os.environ, None, standard).wait()
    sys.exit(status if status >= 0 else 128 - status)
elif __name__ == "__main__":
    try:
        _read_ahead()
        serve(sys.argv[1])
        sys.exit(0)
    except Become as command:
        asked = command.asked
    sys.argv, sys.executable = put_on(asked), sys.argv[2]
    from molehunt.cli import main

    end(main)
