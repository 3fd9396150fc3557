"""The auditor's end of the line: a suspect that is spoken to over a local socket.

One JSON line a request, one a reply. `ChatLine`, `ScoredLine` and `OpenLine` are what
`core.access` calls Chat, Scored and OpenWeights; what goes wrong at the referee's desk is
raised here by the same name. Only the standard library: nothing here knows a model.
"""

import json
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core import errors
from molehunt.core.record_json import to_json
from molehunt.core.records import Messages

LONGEST = 16 << 20
"""Bytes that one request or reply may have, its line end included."""

VARIABLE = "MOLEHUNT_LINE"
"""Environment variable by which an audit process is told where to call; arguments would show in `ps`."""


@dataclass(frozen=True)
class Address:
    """Where the referee's desk answers: a Unix socket's path, or a loopback port; and its token."""

    where: str
    token: str

    def text(self) -> str:
        """One line, for an environment variable."""
        return f"{self.where}#{self.token}"

    @staticmethod
    def parse(text: str) -> "Address":
        """The inverse of `text`.

        Raises:
            UserError: it is no address.
        """
        where, _, token = text.rpartition("#")
        if not token or not where.startswith(("unix:", "tcp:127.0.0.1:")):
            raise errors.UserError(
                f"{VARIABLE} does not hold a desk's address; start the game's audit again."
            )
        return Address(where, token)

    def target(self) -> Any:
        """What a socket's `connect` takes: a path, or host and port."""
        scheme, _, rest = self.where.partition(":")
        host, _, port = rest.rpartition(":")
        return rest if scheme == "unix" else (host, int(port))

    def socket(self) -> socket.socket:
        """A connected socket."""
        family = socket.AF_UNIX if self.where.startswith("unix:") else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.connect(self.target())
        except OSError as error:
            made.close()
            raise errors.LineLost(f"Nobody answers at the referee's desk: {error.strerror}.") from None
        return made


class Line:
    """One connection to the desk, shared by all suspects of an audit; one request at a time.

    The desk closes when its last connection has: keep this open for the whole audit.
    """

    def __init__(self, address: Address) -> None:
        self._lock = threading.Lock()
        self._socket = address.socket()
        self._file = self._socket.makefile("rb")
        self.granted: Mapping[str, Mapping[str, Any]] = self._ask({"op": "hello", "token": address.token})
        """Name to {access, fingerprint, folder or None} of everyone at the desk."""

    @staticmethod
    def from_environment() -> "Line":
        """Call the desk that this process was told of."""
        return Line(Address.parse(os.environ.get(VARIABLE, "")))

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chat(self, suspect: str, method: str) -> "ChatLine":
        """That suspect, for sampling alone."""
        return ChatLine(suspect, method, self.fingerprint(suspect), self)

    def scored(self, suspect: str, method: str) -> "ScoredLine":
        """That suspect, with log-probabilities and prefill."""
        return ScoredLine(suspect, method, self.fingerprint(suspect), self)

    def open_weights(self, suspect: str, method: str) -> "OpenLine":
        """That suspect, with its adapter's folder.

        Raises:
            AccessDenied: the game does not grant it.
        """
        fingerprint = self.fingerprint(suspect)
        folder = self.granted[suspect].get("folder")
        if folder is None:
            raise errors.AccessDenied(f"The game does not grant {suspect}'s weights.")
        return OpenLine(suspect, method, fingerprint, self, Path(folder))

    def fingerprint(self, suspect: str) -> str:
        """The salted hash that stands for that suspect's weights.

        Raises:
            AccessDenied: nobody of that name is at the desk.
        """
        if suspect not in self.granted:
            raise errors.AccessDenied(f"Nobody called {suspect[:80]!r} is at the desk.")
        return self.granted[suspect]["fingerprint"]

    def ask(self, suspect: str, method: str, op: str, **what: Any) -> Any:
        """One request and its answer; raises what the desk names."""
        return self._ask({"op": op, "suspect": suspect, "method": method, **to_json(what)})

    def _ask(self, request: Mapping[str, Any]) -> Any:
        data = json.dumps(request).encode() + b"\n"
        if len(data) > LONGEST:
            raise errors.AccessDenied(
                f"A request of {len(data):,} bytes is too long; send fewer prompts at once."
            )
        with self._lock:
            try:
                self._socket.sendall(data)
                answer = self._file.readline(LONGEST + 1)
            except OSError as error:
                raise errors.LineLost(f"The referee's desk hung up: {error.strerror}.") from None
        if not answer.endswith(b"\n"):
            raise errors.LineLost("The referee's desk hung up before it answered.")
        value = json.loads(answer)
        if "error" in value:
            raise _KNOWN.get(value["error"], errors.MolehuntError)(value["text"])
        return value["ok"]


_KNOWN: Mapping[str, type[errors.MolehuntError]] = {
    e.__name__: e for e in (errors.AccessDenied, errors.BudgetSpent, errors.UserError, errors.BadFile)
}


def _sample(
    self: Any, prompts: Sequence[Messages], max_tokens: int, temperature: float, seed: int
) -> list[str]:
    what = {"prompts": prompts, "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    return self.line.ask(self.name, self.method, "sample", **what)


def _prefill(
    self: Any,
    prompts: Sequence[Messages],
    begins: Sequence[str],
    max_tokens: int,
    temperature: float,
    seed: int,
) -> list[str]:
    what = {"prompts": prompts, "begins": begins, "max_tokens": max_tokens, "temperature": temperature}
    return self.line.ask(self.name, self.method, "prefill", seed=seed, **what)


@dataclass(frozen=True)
class ChatLine:
    """A suspect that can be sampled; see `access.Chat`."""

    name: str
    method: str
    fingerprint: str
    line: Line

    def sample(
        self,
        prompts: Sequence[Messages],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """See `access.Chat.sample`."""
        return _sample(self, prompts, max_tokens, temperature, seed)


@dataclass(frozen=True)
class ScoredLine:
    """A suspect with log-probabilities and prefill; see `access.Scored`."""

    name: str
    method: str
    fingerprint: str
    line: Line

    def sample(
        self,
        prompts: Sequence[Messages],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """See `access.Chat.sample`."""
        return _sample(self, prompts, max_tokens, temperature, seed)

    def prefill(
        self,
        prompts: Sequence[Messages],
        begins: Sequence[str],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """See `access.Scored.prefill`."""
        return _prefill(self, prompts, begins, max_tokens, temperature, seed)

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        """See `access.Scored.logprobs`."""
        return self.line.ask(self.name, self.method, "logprobs", prompts=prompts, replies=replies)

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        """See `access.Scored.first_tokens`."""
        return self.line.ask(self.name, self.method, "first_tokens", prompts=prompts, top=top)


@dataclass(frozen=True)
class OpenLine:
    """A suspect with its adapter's folder; see `access.OpenWeights`. What is spent there is self-reported."""

    name: str
    method: str
    fingerprint: str
    line: Line
    folder: Path

    def sample(
        self,
        prompts: Sequence[Messages],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """See `access.Chat.sample`."""
        return _sample(self, prompts, max_tokens, temperature, seed)

    def prefill(
        self,
        prompts: Sequence[Messages],
        begins: Sequence[str],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """See `access.Scored.prefill`."""
        return _prefill(self, prompts, begins, max_tokens, temperature, seed)

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        """See `access.Scored.logprobs`."""
        return self.line.ask(self.name, self.method, "logprobs", prompts=prompts, replies=replies)

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        """See `access.Scored.first_tokens`."""
        return self.line.ask(self.name, self.method, "first_tokens", prompts=prompts, top=top)
