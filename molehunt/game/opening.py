"""Opening the envelope: verdicts are on record, so the truths may be read and the score kept."""

from functools import cache
from pathlib import Path
from typing import Any

from molehunt.core.errors import UserError
from molehunt.core.extend import load, names
from molehunt.core.ledger import Ledger
from molehunt.core.records import Messages, Predicate
from molehunt.core.seal import keys_folder
from molehunt.referee.predicates import Part, with_catalogue
from molehunt.referee.vault import Vault


def ledger_of(run: Path, run_id: str) -> Ledger:
    """The run's log, anchored beside the key."""
    return Ledger(run / "log.jsonl", keys_folder() / f"{run_id}.anchor.json")


def vault_of(run: Path, run_id: str) -> Vault:
    """The run's envelope."""
    return Vault(run, ledger_of(run, run_id))


def catalogue_reads(predicate: Predicate, part: Part, prompt: Messages, reply: str) -> bool:
    """A catalogue name run as a predicate: a condition on the prompt, a behaviour on the reply.

    Raises:
        UserError: the catalogue holds no such name.
    """
    room = "catalogue.conditions" if part == "when" else "catalogue.behaviours"
    if predicate.text not in names(room):
        raise UserError(f"{predicate.text[:80]!r} stands in no catalogue of {room.rsplit('.', 1)[-1]}.")
    entry = _entry(room, predicate.text)
    options = dict(predicate.options)
    return entry.holds(prompt, options) if part == "when" else entry.shows(prompt, reply, options)


@cache
def _entry(room: str, name: str) -> Any:
    return load(room, name)


READS = with_catalogue(catalogue_reads)
"""Runs any guess: patterns and words by the referee's rules, names by the catalogue."""
