"""The processes that a game itself starts, without paying for the same libraries every time.

A planter, an auditor's or a remedy's room reads torch, transformers and peft before it does anything. So
while tests run, `sys.executable` is a small script: asked for one of those modules, it asks for a fork of a
server that has read other people's libraries and nothing of Molehunt. The fork has the arguments,
environment, folder and files that the game gave it, reads Molehunt itself, and dies with the process that
the game knows. Anything else is Python as ever. So is a module whose environment nobody had before (one
alone is not worth a server), and one with strangers on its path: those that try the doors start cold.

    python tests/nursery.py DOOR      serve, until standard input closes
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence

import warm

MODULES = ("molehunt.game.planter", "molehunt.audit.room", "molehunt.remedies.room")
"""What a game starts; `molehunt/game/children.py` runs them."""
AHEAD = ("peft", "pandas", "pyarrow.parquet", "safetensors.torch", "scipy.optimize", "scipy.stats")
"""Libraries that all of them read, beside transformers."""
MOST = 4
"""Servers that one test process may have."""
SCRIPT = """#!{python} -SE
import os, sys

if sys.argv[1:2] == ["-m"] and sys.argv[2] in {modules}:
    sys.path.insert(0, {tests!r})
    import nursery

    nursery.be({door!r}, sys.argv[2:])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def interpreter() -> str:
    """The script that stands for Python while this process runs tests; servers end when it does."""
    import tempfile
    import threading
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="nursery-"))
    at = str(folder / "door")
    door = socket.socket(socket.AF_UNIX)
    door.bind(at)
    door.listen(16)
    threading.Thread(target=_receive, args=(door,), daemon=True).start()
    script = folder / "python"
    tests = str(Path(__file__).parent)
    script.write_text(SCRIPT.format(python=sys.executable, modules=MODULES, tests=tests, door=at))
    script.chmod(0o755)
    return str(script)


def be(door: str, command: Sequence[str]) -> None:
    """Become `python -m MODULE ARGS` by whoever serves it; come back where nobody does."""
    import signal

    with socket.socket(socket.AF_UNIX) as link:
        link.connect(door)
        link.sendall(json.dumps(dict(os.environ)).encode() + b"\n")
        server = link.makefile().readline().strip()
    if not server:
        return
    standard = (sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
    status = warm.ask(server, command, os.environ, None, standard).wait()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _receive(door: socket.socket) -> None:
    """Tell each who asks the address of a server that was begun in its environment, or nothing."""
    met: dict[str, warm.Server | None] = {}
    while True:
        link, _ = door.accept()
        with link, contextlib.suppress(OSError, ValueError):  # whoever asked was killed meanwhile
            server = _server(met, json.loads(link.makefile().readline()))
            link.sendall(f"{server.address if server else ''}\n".encode())


def _server(met: dict[str, warm.Server | None], environment: Mapping[str, str]) -> warm.Server | None:
    if environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH"):
        return None
    lasting = {k: v for k, v in environment.items() if k not in warm.MAY_DIFFER}
    key = json.dumps(lasting, sort_keys=True)
    if key in met and met[key] is None and sum(map(bool, met.values())) < MOST:
        met[key] = warm.Server(lasting, __file__)
    return met.setdefault(key, None)


def _read_ahead() -> None:
    """Import what all of them need of other people's."""
    import importlib

    for name in AHEAD:
        importlib.import_module(name)
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401


def _serve() -> None:
    import runpy

    try:
        _read_ahead()
        warm.serve(sys.argv[1])
        return
    except warm.Become as command:
        asked = command.asked
    module, *arguments = warm.put_on(asked)
    sys.argv[1:] = arguments

    def work() -> None:
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    warm.end(work)


if __name__ == "__main__":
    _serve()
