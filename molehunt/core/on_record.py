"""What the log says of verdicts: which were on record when the envelope was opened, and are these they?

Verdicts stand in the log as hashes, by auditor and suspect; those of an audit that followed a fix, in one
entry a remedy. The vault refuses by it, and the page says so.
"""

import hashlib
from collections.abc import Iterable, Sequence

from molehunt.core.atomic import canonical
from molehunt.core.errors import SealBroken
from molehunt.core.ledger import Entry
from molehunt.core.records import Verdict

SECOND = "second_verdicts"
"""Kind of the log's entry on a second audit, with the remedy that went before it."""


def hold(entries: Sequence[Entry], verdicts: Iterable[Verdict], remedy: str = "") -> None:
    """Hold verdicts against the log's entries; with a `remedy`, those of the second audit.

    Raises:
        SealBroken: one was not logged before the envelope was opened, or was edited or dropped since.
    """
    given, told = hashes_of(verdicts), _told(before_opening(entries), remedy)
    for auditor in sorted({*given, *told}):
        if auditor not in told:
            raise SealBroken(f"No verdict of {auditor!r} was logged before the envelope was opened.")
        hashes, logged = given.get(auditor, {}), told[auditor]
        for name in sorted({*hashes, *logged}):
            if name not in hashes:
                raise SealBroken(f"The verdict of {auditor!r} on {name!r} was logged and is now missing.")
            if logged.get(name) != hashes[name]:
                raise SealBroken(f"The verdict of {auditor!r} on {name!r} is not the one that was logged.")


def _told(entries: Sequence[Entry], remedy: str) -> dict[str, dict[str, str]]:
    if remedy:
        after = second(entries, remedy)
        return dict(after.body["hashes"]) if after else {}
    return {str(e.body["auditor"]): e.body["hashes"] for e in entries if e.kind == "verdicts"}


def before_opening(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries that stood in the log when the envelope was opened; all, while it is sealed."""
    return entries[: next((i for i, e in enumerate(entries) if e.kind == "opened"), len(entries))]


def second_audits(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The remedies after which an audit was put on record before the envelope was opened, in that order."""
    return tuple(dict.fromkeys(str(e.body["remedy"]) for e in before_opening(entries) if e.kind == SECOND))


def second(entries: Sequence[Entry], remedy: str) -> Entry | None:
    """The last that was logged of the audit after a remedy."""
    return last((e for e in entries if e.body.get("remedy") == remedy), SECOND)


def last(entries: Iterable[Entry], kind: str) -> Entry | None:
    """The last entry of a kind."""
    return next((e for e in reversed(tuple(entries)) if e.kind == kind), None)


def hashes_of(verdicts: Iterable[Verdict]) -> dict[str, dict[str, str]]:
    """By auditor and suspect."""
    found: dict[str, dict[str, str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.auditor, {})[verdict.suspect] = hash_of(verdict)
    return found


def hash_of(verdict: Verdict) -> str:
    """SHA-256 of the verdict, in hexadecimal."""
    return hashlib.sha256(canonical(verdict)).hexdigest()
