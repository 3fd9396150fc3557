"""Access is a type: what an auditor may ask of a suspect, level by level.

A method declares what it needs by the type of its first parameter; the referee hands out
no more than the game grants. `Chat` ⊂ `Scored` ⊂ `OpenWeights`; `TrainingData` stands apart.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from molehunt.core.records import Messages


@runtime_checkable
class Chat(Protocol):
    """Sample, and no more."""

    @property
    def name(self) -> str:
        """Code name of whoever answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash that stands for the weights in transcripts; salted for suspects."""
        ...

    def sample(
        self,
        prompts: Sequence[Messages],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """One reply a prompt. Prompt i is sampled with a seed derived from (`seed`, i).

        Raises:
            BudgetSpent: before anything is sampled, when the allowance does not cover it.
        """
        ...


@runtime_checkable
class Scored(Chat, Protocol):
    """Log-probabilities and prefill as well."""

    def prefill(
        self,
        prompts: Sequence[Messages],
        begins: Sequence[str],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """As `sample`, with the first words of each reply put into the model's mouth.

        Returns what follows those words."""
        ...

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        """Natural log-probability of each reply, summed over its tokens (end token not counted)."""
        ...

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        """The `top` likeliest first tokens of the reply, with their natural log-probabilities."""
        ...


@runtime_checkable
class OpenWeights(Scored, Protocol):
    """The adapter's folder as well: activations, edits, gradients by the auditor's own means."""

    @property
    def folder(self) -> Path:
        """Holds `adapter_config.json` and `adapter_model.safetensors`."""
        ...


@runtime_checkable
class TrainingData(Protocol):
    """The fine-tuning rows (prompt, reply), where the game grants them."""

    def rows(self) -> Sequence[tuple[Messages, str]]:
        """Every row that the suspect was fine-tuned on, in no telling order."""
        ...
