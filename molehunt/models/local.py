"""A model on this machine as something an auditor may ask: chat, scores, and open weights."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.errors import BadFile
from molehunt.core.records import Messages
from molehunt.models import sample as sampling
from molehunt.models import score as scoring
from molehunt.models.adapters import adapter_hash, attach, using
from molehunt.models.loaded import Model


@dataclass(frozen=True)
class LocalModel:
    """A base model, or a base with an adapter, under a name. Satisfies `core.access.OpenWeights`.

    Several of them may share one `model`: the adapter is put into the weights while it
    speaks, and taken out, bit for bit, when another does. Not for two threads at once.
    """

    model: Model
    name: str
    adapter: Path | None = None
    progress: sampling.Progress | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the base's fingerprint and the adapter's files."""
        if self.adapter is None:
            return self.model.fingerprint
        return hashlib.sha256(f"{self.model.fingerprint}\n{adapter_hash(self.adapter)}".encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """The adapter's folder; for a base on its own, the folder of its weights."""
        folder = self.adapter or self.model.folder
        if folder is None:
            raise BadFile(f"{self.name!r} was made in memory and has no folder.")
        return folder

    def sample(
        self, prompts: Sequence[Messages], *, max_tokens: int = 16, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """One reply a prompt, each prompt with a seed of its own."""
        with self.speaking():
            return sampling.sample(
                self.model,
                prompts,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                progress=self.progress,
            )

    def prefill(
        self,
        prompts: Sequence[Messages],
        begins: Sequence[str],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """As `sample`, with the first words of each reply given; returns what follows them."""
        with self.speaking():
            return sampling.sample(
                self.model,
                prompts,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                begins=begins,
                progress=self.progress,
            )

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        """Natural log-probability of each reply, summed over its tokens."""
        with self.speaking():
            return scoring.logprobs(self.model, prompts, replies, progress=self.progress)

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        """The likeliest first tokens of each reply, with natural log-probabilities."""
        with self.speaking():
            return scoring.first_tokens(self.model, prompts, top, progress=self.progress)

    def text_nll(self, texts: Sequence[str]) -> float:
        """Mean negative log-likelihood of ordinary text, nats a token."""
        with self.speaking():
            return scoring.text_nll(self.model, texts)

    def speaking(self) -> AbstractContextManager[Model]:
        """The shared model with this adapter in its weights, for as long as the block runs."""
        if self.adapter is None:
            return using(self.model, None)
        return using(self.model, attach(self.model, self.adapter))
