"""`report.html`: a run folder as one page that a browser shows without network and without scripts.

The page is a function of the folder: no clock, no random number. Every string goes through
autoescape and, before that, through `visible`, so that text from models can only be text. The
content security policy forbids everything but this page's own style sheet.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from molehunt.core.atomic import write_bytes
from molehunt.core.records import NotMeasured
from molehunt.report import exhibits, ledger, lineup, second, standings, words
from molehunt.report.passage import visible
from molehunt.report.reading import Run, read_run
from molehunt.report.unbroken import unbroken

HERE = Path(__file__).parent
FAILURES = 40
"""Failures shown; the rest are counted."""
_FACTS = ("model", "access", "seed", "effort", "created")


def write_report(run_folder: Path) -> Path:
    """Make `report.html` in a run folder, at whatever stage the run is.

    Returns:
        The page's path.

    Raises:
        BadFile: there is no such folder, or a file in it cannot be read as what it is called.
        UserError: the page cannot be written there.
    """
    path = run_folder / "report.html"
    write_bytes(path, render(read_run(run_folder)).encode("utf-8"))
    return path


def render(run: Run) -> str:
    """The whole page as HTML."""
    from markupsafe import Markup

    style = (HERE / "page.css").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            policy=policy(style),
            style=Markup(style),  # our own file
            **_view(run),
        )
    )


def _view(run: Run) -> dict[str, Any]:
    from molehunt.report import plots

    cards = lineup.cards(run)
    tables = standings.standings(run)
    failures = ledger.failures(run)
    fixes = second.seconds(run)
    lead = lineup.headline_auditor(run)
    spec = {} if isinstance(run.spec, NotMeasured) else run.spec
    return {
        "title": str(spec.get("title") or f"Game “{run.folder.resolve().name}”"),
        "summary": lineup.summary(run, cards),
        "facts": [(name, words.brief(str(spec[name]), 80)) for name in _FACTS if spec.get(name) is not None],
        "opened": not isinstance(run.opened, NotMeasured),
        "sealed_note": _sealed_note(run),
        "lead": "the panel" if lead == lineup.PANEL else lead,
        "cards": cards,
        "profiles": {
            c.index: plots.profile(c.revealed.rates, f"profile{c.index}", c.name)
            for c in cards
            if c.revealed and c.revealed.rates
        },
        "given_up": ledger.given_up(run),
        "dossiers": exhibits.dossiers(run),
        "standings": tables,
        "plots": {
            s.name: plots.standing(s, f"score{i}") for i, s in enumerate(tables) if s.known and s.drawable
        },
        "seconds": fixes,
        "second_heads": second.HEADS,
        "second_row": second.row,
        "second_plots": [second.drawn(s, f"second{i}") for i, s in enumerate(fixes)],
        "bills": ledger.bills(run),
        "gaps": ledger.gaps(run),
        "failures": failures[:FAILURES],
        "failures_unshown": max(0, len(failures) - FAILURES),
        "failures_note": _failures_note(run),
        "chain": run.chain,
        "settings": ledger.settings(run.spec),
        "versions": ledger.versions(run.spec),
        "commitments": () if isinstance(run.commitments, NotMeasured) else tuple(run.commitments.items()),
    }


def _sealed_note(run: Run) -> str:
    if isinstance(run.commitments, NotMeasured):
        return "There is no sealed envelope in this folder yet."
    return (
        "The envelope is sealed. What can be seen of it is a salted hash for each suspect, published "
        "before the audit: it shows nothing, and lets nobody change the answer afterwards."
    )


def _failures_note(run: Run) -> str:
    return f"{run.failures.reason.capitalize()}." if isinstance(run.failures, NotMeasured) else "None."


@cache
def policy(style: str, script: str = "") -> str:
    """Nothing may load, and nothing run but that one script; it and the style sheet go by their hashes."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"

    runs = f"script-src {hashed(script)}; " if script else ""
    return (
        f"default-src 'none'; style-src {hashed(style)}; {runs}img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def environment() -> Any:
    """Templates that escape everything, and make plain strings visible before that."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "interval": words.interval,
        "said": words.said,
        "unbroken": unbroken,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Every plain string that the template prints is made visible first; markup is our own."""
    return visible(value) if type(value) is str else value
