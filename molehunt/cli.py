"""The command line: `molehunt VERB ...`, where every file of `molehunt/verbs` is a verb.

What a verb is called and its one line are read off the files' names and docstrings, without importing
them: `molehunt --help` loads neither torch nor pyarrow. A mistake in what was asked is one sentence on
the error stream and exit code 2, Ctrl-C is 130, a verb that ran and has bad news is 1; a mistake of
ours keeps its traceback.
"""

import ast
import contextlib
import dataclasses
import errno
import importlib
import io
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from molehunt import __version__
from molehunt.core import interrupt, memory
from molehunt.core.atomic import OUTPUT, to_output
from molehunt.core.errors import MolehuntError, UnknownName, UserError
from molehunt.core.plain_text import plain

VERBS = Path(__file__).parent / "verbs"
BUILT_IN = ("tiny", "default")
"""How models are called that come with the package."""
UNUSABLE = {
    errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EROFS,
}  # fmt: skip
"""What is wrong with a file or folder that was named, and not with this program."""
STOPPED = "Stopped; nothing half-written was left behind."
"""What Ctrl-C says, unless the verb's own `STOPPED` knows how to go on."""
SIGPIPE = 141
"""Exit code where whoever read our output went away: 128 and the signal's number, as in a shell."""

LARGEST = 1e15
"""No option's number but a seed is this large; what is computed from them then stays finite."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default); returns the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    verb: Any = None
    if argv is None:
        interrupt.listen()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 — it stays open until the end
    try:
        if sys.stdout is None:
            # Nor would what we open next be safe: it would get the number of standard output.
            raise UserError("Standard output is closed; to see nothing, send it to /dev/null.")
        if not args or args[0] in ("-h", "--help", "help"):
            print(overview())
            code = 0 if args else 2
        elif args[0] in ("-V", "--version"):
            print(f"molehunt {__version__}")
            code = 0
        else:
            _quieten()
            verb = _verb(args[0])
            interrupt.check()
            code = _run(verb, args[0], args[1:])
        with to_output():
            sys.stdout.flush()
        return code
    except MolehuntError as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        _complain(getattr(verb, "STOPPED", STOPPED))
        return 130
    except BrokenPipeError:
        _drop_output()
        return SIGPIPE
    except Exception as error:
        if interrupt.heard():
            _complain(getattr(verb, "STOPPED", STOPPED))
            return 130
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            if error.filename == OUTPUT:
                _drop_output()
            where = error.filename or "what this writes"
            _complain(f"No space is left for {where}; free some and run the same command again.")
            return 2
        if isinstance(error, OSError) and error.filename and error.errno in UNUSABLE:
            _complain(f"{str(error.filename)[:200]} cannot be used: {error.strerror}.")
            return 2
        if not memory.ran_out(error):
            raise
        _complain(memory.less(getattr(getattr(verb, "Options", None), "__dataclass_fields__", ())))
        return 2


@cache
def verbs() -> Mapping[str, str]:
    """Every verb with the first line of its docstring, sorted by name; nothing is imported."""
    files = sorted(p for p in VERBS.glob("*.py") if not p.name.startswith("_"))
    lines = {p.stem: ast.get_docstring(ast.parse(p.read_text("utf-8"))) or "" for p in files}
    return {name: text.split("\n", 1)[0] for name, text in lines.items()}


def overview() -> str:
    """What `molehunt --help` prints."""
    width = max(map(len, verbs()))
    rows = [f"  {name:<{width}}  {line}" for name, line in verbs().items()]
    return "\n".join(
        [
            "usage: molehunt [--help | --version] VERB ...",
            "",
            "Plant a mole in a language model, audit it blind, open the envelope.",
            "",
            *rows,
            "",
            "`molehunt VERB --help` lists a verb's options. A first game: `molehunt play runs/first`.",
        ]
    )


def read_options(verb: Any, name: str, args: Sequence[str]) -> Any:
    """The `Options` of a verb from its arguments, by tyro; `--help` prints them and ends the program.

    Raises:
        UserError: an argument that cannot be read, in one sentence.
    """
    import tyro

    said, how = io.StringIO(), (tyro.conf.FlagCreatePairsOff,)
    try:
        with contextlib.redirect_stderr(said):
            read = tyro.cli(
                verb.Options, prog=f"molehunt {name}", args=list(args), description=verb.__doc__, config=how
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise UserError(_one_sentence(said.getvalue(), name)) from None
    _measurable(read)
    model = str(getattr(read, "model", ""))
    if getattr(read, "revision", None) is not None and model.split(":")[0] in BUILT_IN:
        raise UserError(f"{model!r} has no revisions; leave --revision out.")
    return read


def _measurable(value: Any, option: str = "") -> None:
    """Refuse numbers that nothing can be computed with: NaN, infinities, and those beyond all measure."""
    seed = isinstance(value, int) and option.endswith("seed")
    if isinstance(value, float | int) and not seed and not abs(value) < LARGEST:  # NaN is below nothing
        raise UserError(f"{option} is {str(value)[:24]}; give a finite number below {LARGEST:.0e}.")
    if dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            _measurable(getattr(value, part.name), f"--{part.name.replace('_', '-')}")
    elif isinstance(value, Mapping | tuple | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            _measurable(one, option)


def _verb(name: str) -> Any:
    if name not in verbs():
        raise UnknownName("verb", name, verbs())
    return importlib.import_module(f"molehunt.verbs.{name}")


def _run(verb: Any, name: str, args: Sequence[str]) -> int:
    options = read_options(verb, name, args)
    if hasattr(verb, "again"):  # a folder that was begun says what is not said here
        options = verb.again(options, _said(args))
    if not getattr(options, "json", False):
        return int(verb.run(options))
    # Whatever a library prints goes elsewhere: `_screen.show` alone writes to the real output.
    with contextlib.redirect_stdout(sys.stderr):
        return int(verb.run(options))


def _said(args: Sequence[str]) -> frozenset[str]:
    """Names of the options that were given, as the verb's record has them."""
    flags = (a.partition("=")[0].removeprefix("--") for a in args if a.startswith("--"))
    return frozenset(f.removeprefix("no-").replace("-", "_") for f in flags)


def _one_sentence(box: str, name: str) -> str:
    """What tyro says in a frame of several lines, as one sentence: its first part, and a hint if any."""
    lines = [line.strip(" │╭╮╰╯") for line in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()]
    body = [line for line in lines if line and not re.fullmatch(r"─ .* ─*", line)]
    if len(body) > 1 and set(body[1]) == {"-"}:  # a terminal without lines to draw with: a title, and a rule
        body = body[2:]
    rules = [i for i, line in enumerate(body) if set(line) in ({"─"}, {"-"})]
    first = " ".join(body[: rules[0] if rules else None]).rstrip(".")
    union = re.search(r"parsing (--\S+): no type matching \{None\}\|(\w+) .*? from \[(.*?)\]", first)
    if union:
        first = f"{union[1]} should be of type {union[2]}, not {union[3]}"
    near = re.search(r"Perhaps you meant:.*?\s(--[\w-]+)", " ".join(body))
    hint = f"; did you mean {near[1]}?" if near else "."
    return f"{first}{hint} See `molehunt {name} --help`."


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(f"molehunt: {plain(sentence, one_line=True)}", file=sys.stderr, flush=True)


def _drop_output() -> None:
    """What is still to be written goes nowhere: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _quieten() -> None:
    """Other libraries' advice to their own developers is no news to users, here or in child processes."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
