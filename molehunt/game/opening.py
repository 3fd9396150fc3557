"""Opening the envelope: verdicts are on record, so the truths may be read and the score kept."""

from functools import cache
from pathlib import Path
from typing import Any

from molehunt.core.errors import SealBroken, UserError
from molehunt.core.extend import load, names
from molehunt.core.ledger import Ledger
from molehunt.core.records import Messages, Predicate
from molehunt.core.seal import key_path, keys_folder, load_key, save_key
from molehunt.game.shipped import copy_of, read_envelope
from molehunt.referee.predicates import Part, with_catalogue
from molehunt.referee.vault import Vault


def ledger_of(run: Path, run_id: str) -> Ledger:
    """The run's log, anchored beside the key; every copy of the starter lineup has its own."""
    copy = copy_of(run)
    name = run_id if copy is None else f"{run_id}-{copy}"
    return Ledger(run / "log.jsonl", keys_folder() / f"{name}.anchor.json")


def vault_of(run: Path, run_id: str) -> Vault:
    """The run's envelope."""
    return Vault(run, ledger_of(run, run_id))


def key_to_open(run: Path, run_id: str, source: Path | None = None) -> bytes:
    """The key of a run; a copy of the starter lineup takes the one that ships, once verdicts are on record.

    From then on that key lies with the others. `source` is the folder of the shipped envelope.

    Raises:
        SealBroken: no verdict is logged yet, or the copy's log does not begin as the lineup's did.
        BadFile: the key is not here. UserError: nor is the envelope.
    """
    if copy_of(run) is None or key_path(run_id).exists():
        return load_key(run_id)
    entries = ledger_of(run, run_id).verify()
    if not any(e.kind == "verdicts" for e in entries):
        raise SealBroken("No verdict is logged yet; the envelope opens after the verdicts, not before.")
    envelope = read_envelope(run_id, source)
    index, digest = envelope.anchor["index"], envelope.anchor["hash"]
    if [e.hash for e in entries if e.index == index] != [digest]:
        raise SealBroken("The log was written anew: it does not begin as the lineup's own did.")
    save_key(run_id, bytes.fromhex(envelope.key), run)
    return load_key(run_id)


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
