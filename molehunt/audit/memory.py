"""A speaker that is asked only once for one and the same thing.

Every suspect of a game is compared with the same reference on mostly the same prompts; greedy
replies and scores do not change, so the second suspect need not wait for them again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from molehunt.core.access import Scored
from molehunt.core.records import Messages

T = TypeVar("T")


@dataclass
class Remembered:
    """A `Scored` speaker with a memory; what is sampled above temperature 0 is never remembered.

    `known` may be shared between speakers of the same weights (one a method, say).
    """

    speaker: Scored
    known: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """See `access.Chat.name`."""
        return self.speaker.name

    @property
    def fingerprint(self) -> str:
        """See `access.Chat.fingerprint`."""
        return self.speaker.fingerprint

    def sample(
        self, prompts: Sequence[Messages], *, max_tokens: int = 16, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """See `access.Chat.sample`."""

        def ask(which: Sequence[int]) -> list[str]:
            chosen = [prompts[i] for i in which]
            return self.speaker.sample(chosen, max_tokens=max_tokens, temperature=temperature, seed=seed)

        if temperature > 0:
            return ask(range(len(prompts)))
        return self._recall([("sample", m, max_tokens) for m in prompts], ask)

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

        def ask(which: Sequence[int]) -> list[str]:
            chosen, first = [prompts[i] for i in which], [begins[i] for i in which]
            return self.speaker.prefill(
                chosen, first, max_tokens=max_tokens, temperature=temperature, seed=seed
            )

        if temperature > 0:
            return ask(range(len(prompts)))
        pairs = zip(prompts, begins, strict=True)
        return self._recall([("prefill", m, begin, max_tokens) for m, begin in pairs], ask)

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        """See `access.Scored.logprobs`."""

        def ask(which: Sequence[int]) -> list[float]:
            return self.speaker.logprobs([prompts[i] for i in which], [replies[i] for i in which])

        pairs = zip(prompts, replies, strict=True)
        return self._recall([("logprobs", m, reply) for m, reply in pairs], ask)

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        """See `access.Scored.first_tokens`."""

        def ask(which: Sequence[int]) -> list[Mapping[str, float]]:
            return self.speaker.first_tokens([prompts[i] for i in which], top)

        return self._recall([("first_tokens", m, top) for m in prompts], ask)

    def _recall(self, keys: Sequence[Any], ask: Callable[[Sequence[int]], Sequence[T]]) -> list[T]:
        new = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self.known}
        if new:
            which = sorted(new.values())
            self.known.update(zip([keys[i] for i in which], ask(which), strict=True))
        return [self.known[key] for key in keys]
