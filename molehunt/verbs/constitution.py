"""Lists, shows and checks constitutions: principles with reasons, examples, and which yields to which.

`list` names those that come with the package; `show NAME` prints one, as a start for your own; `check FILE`
finds gaps, contradictions and duplicates, a line each, and exits with 2 where one is an error. NAME and FILE
may each be a preset's name or a file.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.character.constitution import Constitution


@dataclass(frozen=True)
class Options:
    """What to do, and with which constitution."""

    what: Positional[Literal["list", "show", "check"]]
    """List presets, show one, or check one."""
    name: Positional[str] = ""
    """A preset's name, or a file."""
    json: bool = False
    """Print it as JSON."""


def run(options: Options) -> int:
    """List, show or check."""
    from molehunt.character.constitution import load_constitution, presets, to_text

    if (options.what == "list") == bool(options.name):
        raise UserError(
            "`molehunt constitution list` takes no name; `show` and `check` need a preset's name or a file."
        )
    if options.what == "list":
        each = [load_constitution(name) for name in presets()]
        rows = [(c.name, str(len(c.principles)), c.summary) for c in each]
        value = [{"name": c.name, "principles": len(c.principles), "summary": c.summary} for c in each]
        show(value, options.json, table(("name", "principles", "summary"), rows))
        return 0
    one = load_constitution(options.name)
    if options.what == "show":
        show(one, options.json, *to_text(one).splitlines())
        return 0
    return _check(options, one)


def _check(options: Options, one: "Constitution") -> int:
    from molehunt.character.constitution_check import check

    found = check(one)
    errors = sum(f.level == "error" for f in found)
    lines = [f"{one.name}: {f.said()}" for f in found]
    counts = (len(one.principles), "principle"), (errors, "error"), (len(found) - errors, "warning")
    end = f"{one.name}: " + ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts) + "."
    show({"name": one.name, "errors": errors, "findings": list(found)}, options.json, *lines, end)
    return 2 if errors else 0
