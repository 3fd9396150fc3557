"""The envelope: truths sealed before the audit, opened only after the verdicts are logged.

`seal` writes `vault.sealed` and `commitments.json` (suspect to salted SHA-256) and logs the
commitments. `log_verdicts` hashes an auditor's verdicts into the log, `log_second` those of an audit
that followed a fix. `open` verifies the
whole log, refuses while no verdict stands in it, checks every truth against its commitment,
and logs that the envelope is open; a verdict logged later than that never counts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import canonical, read_json, write_bytes, write_json
from molehunt.core.errors import BadFile, SealBroken, UserError
from molehunt.core.ledger import Ledger
from molehunt.core.on_record import SECOND, hash_of, hashes_of, hold, last, second
from molehunt.core.record_json import from_json
from molehunt.core.records import Truth, Verdict
from molehunt.core.seal import commit, derive, seal, unseal

_LABEL = "truths"


@dataclass(frozen=True)
class Vault:
    """The envelope of one run folder, and the log beside it."""

    folder: Path
    ledger: Ledger

    def seal(self, truths: Sequence[Truth], key: bytes) -> None:
        """Seal the truths and publish their commitments. Sealing the same again changes nothing.

        Raises:
            SealBroken: a verdict was already logged against earlier commitments.
            UserError: two truths for one suspect.
        """
        names = [t.suspect for t in truths]
        if len(set(names)) != len(names):
            raise UserError("Two truths name the same suspect; every suspect needs a name of its own.")
        sealed = {}
        for truth in sorted(truths, key=lambda t: t.suspect):
            text, salt = canonical(truth).decode(), derive(key, "salt", truth.suspect)
            sealed[truth.suspect] = {"truth": text, "salt": salt.hex(), "commitment": commit(text, salt)}
        public = {name: one["commitment"] for name, one in sealed.items()}
        entries = self.ledger.verify()
        again = last(entries, "sealed")
        if again is not None and again.body["commitments"] != public and last(entries, "verdicts"):
            raise SealBroken(
                "Verdicts were logged against other truths; these cannot be sealed in their place."
            )
        content = canonical({name: {k: one[k] for k in ("truth", "salt")} for name, one in sealed.items()})
        write_bytes(self.folder / "vault.sealed", seal(content, key, _LABEL))
        write_json(self.folder / "commitments.json", public)
        if again is None or again.body["commitments"] != public:
            self.ledger.append("sealed", {"commitments": public})

    def log_verdicts(self, auditor: str, verdicts: Sequence[Verdict]) -> None:
        """Put an auditor's verdicts on record, as hashes. Logging the same again changes nothing.

        Raises:
            SealBroken: the envelope is open already, or the log does not verify.
        """
        if any(v.auditor != auditor for v in verdicts):
            raise ValueError("verdicts of another auditor")
        entries = self.ledger.verify()
        if last(entries, "opened"):
            raise SealBroken(f"The envelope is open: a verdict of {auditor!r} can no longer be handed in.")
        hashes = {v.suspect: hash_of(v) for v in verdicts}
        before = last((e for e in entries if e.body.get("auditor") == auditor), "verdicts")
        if before is None or before.body["hashes"] != hashes:
            self.ledger.append("verdicts", {"auditor": auditor, "hashes": hashes})

    def log_second(self, remedy: str, verdicts: Sequence[Verdict]) -> None:
        """Put all verdicts of a second audit, on what a remedy made of the suspects, on record in one entry.

        Logging the same again changes nothing.

        Raises:
            SealBroken: the envelope is open already, or the log does not verify.
        """
        entries = self.ledger.verify()
        if last(entries, "opened"):
            raise SealBroken(f"The envelope is open: what was audited after {remedy!r} comes too late.")
        body = {"remedy": remedy, "hashes": hashes_of(verdicts)}
        before = second(entries, remedy)
        if before is None or before.body != body:
            self.ledger.append(SECOND, body)

    def check_verdicts(self, verdicts: Iterable[Verdict], remedy: str = "") -> None:
        """Hold verdicts against the log; with a `remedy`, those of the second audit.

        Raises:
            SealBroken: one was not logged before the envelope was opened, or was edited or dropped since.
        """
        hold(self.ledger.verify(), verdicts, remedy)

    def open(self, key: bytes) -> tuple[Truth, ...]:
        """The truths, by suspect's name.

        Raises:
            SealBroken: no verdict is logged, the log or a commitment does not verify, or the key is wrong.
        """
        entries = self.ledger.verify()
        logged = last(entries, "sealed")
        if logged is None:
            raise SealBroken("The log does not say what was sealed; the vault cannot be trusted.")
        if last(entries, "verdicts") is None:
            raise SealBroken("No verdict is logged yet; the envelope opens after the verdicts, not before.")
        public = logged.body["commitments"]
        if read_json(self.folder / "commitments.json") != public:
            raise SealBroken("commitments.json is not what was logged when the vault was sealed.")
        truths = self._unsealed(key, public)
        if last(entries, "opened") is None:
            self.ledger.append("opened", {})
        return truths

    def _unsealed(self, key: bytes, public: dict[str, str]) -> tuple[Truth, ...]:
        try:
            box = (self.folder / "vault.sealed").read_bytes()
        except OSError as error:
            raise BadFile(f"{self.folder / 'vault.sealed'} cannot be read: {error.strerror}.") from None
        content = json.loads(unseal(box, key, _LABEL))
        if set(content) != set(public):
            raise SealBroken("The vault does not hold a truth for each commitment.")
        truths = []
        for name, one in sorted(content.items()):
            if commit(one["truth"], bytes.fromhex(one["salt"])) != public[name]:
                raise SealBroken(f"The truth about {name!r} is not the one that was committed to.")
            truths.append(from_json(Truth, json.loads(one["truth"])))
        return tuple(truths)
