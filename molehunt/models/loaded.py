"""A model in memory, and the few words that say which one: `ModelSpec` builds `Model`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class ModelSpec:
    """Which model, in which form. Everything in it can be written to disk and hashed."""

    id: str = "default"
    """`default`, `tiny` (or `tiny:FAMILY`), a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    adapter: str | None = None
    """Folder of a PEFT adapter that is merged into the weights as they are loaded."""
    dtype: str = "auto"
    """`float32`, `bfloat16`, `float16`, or `auto`: what this machine multiplies fastest."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, or `auto`: a GPU where there is one."""


@dataclass(frozen=True, eq=False)
class Model:
    """A causal language model with its tokenizer, ready to speak and to be measured."""

    spec: ModelSpec
    module: Any
    """A `transformers` causal LM in evaluation mode, gradients off."""
    tokenizer: Any
    """A `transformers` tokenizer."""
    device: torch.device
    dtype: torch.dtype
    fingerprint: str
    """SHA-256 over names, shapes and bytes of the weights, as hex."""
    folder: Path | None = None
    """Where the weights lie on this machine; None for models made in memory."""
    note: str = ""
    """What should be said about how it was loaded, or nothing."""
