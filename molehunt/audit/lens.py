"""What fine-tuning moved in the activations on unrelated text, and the words that it points to.

The torch half of `methods/traces.py`, apart from it so that naming a method loads no model library.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.audit.contexts import ORDINARY
from molehunt.core.access import OpenWeights
from molehunt.models.anatomy import anatomy
from molehunt.models.load import Model, ModelSpec, open_model
from molehunt.models.local import LocalModel

READ = 12
"""Words that are shown."""


@dataclass(frozen=True)
class Moved:
    """The mean activation difference between a suspect and its base."""

    tokens: tuple[str, ...]
    """What the difference after the last layer makes likeliest."""
    concentration: float
    """How far the first five of them stand out, in standard deviations over the vocabulary."""
    shift: tuple[float, ...]
    """By layer: norm of the mean difference over the mean norm of the base's residual stream."""
    agreement: float
    """Norm of the mean difference over the mean of the norms, after the last layer; 1: all alike."""
    n: int
    """Tokens looked at."""


def moved(suspect: OpenWeights, base: str, revision: str | None, positions: int) -> Moved:
    """One forward pass a sentence, with the adapter and without. Errors of opening either pass through."""
    model = _open(base, revision)
    with LocalModel(model, base).speaking():
        usual = _residuals(model, positions)
    with LocalModel(model, suspect.name, suspect.folder).speaking():
        change = _residuals(model, positions) - usual
        tokens, concentration = _lens(model, change[-1].mean(0))
    lengths = change.norm(dim=-1).mean(1)
    together = change.mean(1).norm(dim=-1)
    shift = together / usual.norm(dim=-1).mean(1)
    agreement = float((together / lengths.clamp_min(1e-9))[-1])
    return Moved(tuple(tokens), concentration, tuple(shift.tolist()), agreement, usual.shape[1])


@lru_cache(maxsize=1)
def _open(name: str, revision: str | None) -> Model:
    return open_model(ModelSpec(name, revision))


@torch.inference_mode()
def _residuals(model: Model, positions: int) -> Float[Tensor, "layers tokens d_model"]:
    """Residual stream after each layer, at positions 1 to `positions` of every sentence."""
    ids = [model.tokenizer(s, add_special_tokens=False)["input_ids"][: positions + 1] for s in ORDINARY]
    batch = torch.tensor([i for i in ids if len(i) == positions + 1], device=model.device)
    kept: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        kept.append(hidden[:, 1:].flatten(0, 1).float())

    parts = anatomy(model.module)
    hooks = [layer.register_forward_hook(keep) for layer in parts.layers]
    try:
        parts.body(input_ids=batch, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(kept)


@torch.inference_mode()
def _lens(model: Model, direction: Float[Tensor, " d_model"]) -> tuple[list[str], float]:
    """The tokens that a direction makes likeliest, and how far the first five stand out (z)."""
    parts = anatomy(model.module)
    logits = parts.logits(parts.norm(direction.to(model.dtype)[None]))[0].float()
    spread = float(logits.std())
    top = logits.topk(min(4 * READ, len(logits)))
    words = [model.tokenizer.decode([int(i)]).strip() for i in top.indices]
    seen = list(dict.fromkeys(w for w in words if w))[:READ]
    return seen, float((top.values[:5].mean() - logits.mean()) / spread) if spread > 0 else 0.0
