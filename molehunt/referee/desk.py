"""The referee's desk: speaks for the suspects and keeps the books.

Each request is checked, held against what the game grants, charged to its suspect's and
method's meter at its worst price, answered, settled. The models are handed in as values:
the desk never loads anything, least of all something that a caller names. The reference
model is a speaker too: open to all at the level `scored`, counted, not limited, and asked
only once for one and the same thing. How callers reach the desk is `switchboard.py`.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.core.access import Scored
from molehunt.core.errors import AccessDenied, BadFile, BudgetSpent, MolehuntError, UserError
from molehunt.core.line import LONGEST
from molehunt.core.records import AccessLevel, Failure, Spent
from molehunt.referee.meter import Budget, Meter
from molehunt.referee.request import NEEDS, RANK, Count, Request

REFERENCE = "reference"
"""By this name the clean base model is spoken to."""

_KEPT = 64 << 20
"""Bytes of reference answers that are kept."""

_UNLIMITED = Budget(1 << 62, 1 << 62, float("inf"))


@dataclass(frozen=True)
class Grant:
    """One suspect at the desk: who speaks, how much may be asked, and its folder if weights are open."""

    speaker: Scored
    access: AccessLevel
    folder: Path | None = None


def rough_count(text: str) -> int:
    """Tokens of a text where no tokenizer was handed in: one for three bytes, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


@dataclass
class Desk:
    """A desk for one audit. `methods` are the names under which budgets exist; others get nothing."""

    suspects: Mapping[str, Grant]
    methods: frozenset[str]
    budget: Budget
    reference: Scored | None = None
    count: Count = rough_count
    salt: bytes = b""
    """Under it fingerprints are hashed, so that a replanted guess can't be recognised by its hash."""
    already: Mapping[tuple[str, str], Spent] = field(default_factory=dict)
    """What (suspect, method) spent in earlier sittings."""
    on_progress: Callable[[str, str, Spent], None] | None = None
    on_failure: Callable[[Failure], None] | None = None
    at_once: int = 1
    """Requests that the models work on at the same time."""

    def __post_init__(self) -> None:
        if REFERENCE in self.suspects:
            raise UserError(f"A suspect may not be called {REFERENCE!r}; choose another code name.")
        self._meters: dict[tuple[str, str], Meter] = {}
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._books = threading.Lock()
        self._models = threading.Semaphore(self.at_once)

    def cards(self) -> Mapping[str, Mapping[str, Any]]:
        """What a caller is told of everyone: access, salted fingerprint, folder where weights are open."""
        everyone = {name: self._card(grant) for name, grant in self.suspects.items()}
        if self.reference is not None:
            card = {"access": "scored", "fingerprint": self.reference.fingerprint, "folder": None}
            everyone[REFERENCE] = card
        return everyone

    def spent(self) -> Mapping[tuple[str, str], Spent]:
        """What each (suspect, method) has spent; the reference stands under its own name."""
        with self._books:
            return {**self.already, **{who: meter.spent for who, meter in self._meters.items()}}

    def answer(self, request: Request) -> bytes:
        """The JSON of the answer to a checked request.

        Raises:
            AccessDenied, BudgetSpent: the game does not grant it. UserError: the speaker refused it.
        """
        grant = self._granted(request)
        meter = self._meter(request.suspect, request.method)
        worst = request.worst(self.count)
        meter.charge(len(request.prompts), worst)
        unused, seconds, kept = (len(request.prompts), worst), 0.0, None
        try:
            key = request.key() if request.suspect == REFERENCE else None
            with self._models:
                kept = self._answers.get(key) if key else None
                start = time.perf_counter()
                value = json.loads(kept) if kept else request.put(grant.speaker)
                seconds = time.perf_counter() - start
            answer = kept or json.dumps(value).encode()
            unused = (0, max(0, worst - request.actual(self.count, value)))
            if key and not kept:
                self._keep(key, answer)
        finally:
            meter.settle(*unused, seconds if kept is None else 0.0)
        if self.on_progress:
            self.on_progress(request.suspect, request.method, meter.spent)
        return answer

    def _granted(self, request: Request) -> Grant:
        if request.method not in self.methods:
            raise AccessDenied(f"No method called {request.method[:80]!r} has a budget in this game.")
        if request.suspect == REFERENCE:
            if self.reference is None:
                raise AccessDenied("This game withholds the reference model.")
            return Grant(self.reference, "scored")
        grant = self.suspects.get(request.suspect)
        if grant is None:
            raise AccessDenied(f"Nobody called {request.suspect[:80]!r} is at the desk.")
        if RANK[grant.access] < RANK[NEEDS[request.op]]:
            raise AccessDenied(
                f"{request.op} needs the access level {NEEDS[request.op]!r}; "
                f"the game grants {grant.access!r} to {request.suspect}."
            )
        return grant

    def _meter(self, suspect: str, method: str) -> Meter:
        with self._books:
            if (suspect, method) not in self._meters:
                budget = _UNLIMITED if suspect == REFERENCE else self.budget
                before = self.already.get((suspect, method), Spent())
                who = f"suspect {suspect}, method {method}"
                self._meters[suspect, method] = Meter(budget, who, before)
            return self._meters[suspect, method]

    def _keep(self, key: str, answer: bytes) -> None:
        with self._books:
            self._answers[key] = answer
            while sum(map(len, self._answers.values())) > _KEPT:
                self._answers.popitem(last=False)

    def reply(self, line: bytes) -> bytes:
        """The JSON line that answers one, whatever is in it; errors are answers too."""
        who, start = "?", time.perf_counter()
        try:
            request = Request.parse(line)
            who = f"{request.suspect}/{request.method}"
            answer = ok(self.answer(request))
            return (
                answer
                if len(answer) <= LONGEST
                else refusal(UserError("The answer is too long; ask for less."))
            )
        except MolehuntError as error:
            return refusal(error)
        except Exception as error:
            # The caller learns the kind alone: a message may hold a path or a seed.
            if self.on_failure:
                cost = Spent(seconds=time.perf_counter() - start)
                self.on_failure(Failure("desk", who, f"{type(error).__name__}: {error}"[:500], cost))
            return refusal(MolehuntError(f"The suspect could not answer ({type(error).__name__})."))

    def _card(self, grant: Grant) -> Mapping[str, Any]:
        opened = grant.access == "open_weights" and grant.folder is not None
        digest = hashlib.sha256(self.salt + grant.speaker.fingerprint.encode()).hexdigest()[:16]
        return {
            "access": grant.access,
            "fingerprint": digest,
            "folder": str(grant.folder) if opened else None,
        }


def ok(value: bytes) -> bytes:
    """The line of an answer that went well."""
    return b'{"ok": ' + value + b"}\n"


def refusal(error: MolehuntError) -> bytes:
    """The line of an answer that names what went wrong."""
    kinds = (BudgetSpent, AccessDenied, BadFile, UserError, MolehuntError)
    name = next(k.__name__ for k in kinds if isinstance(error, k))
    return json.dumps({"error": name, "text": str(error)}).encode() + b"\n"
