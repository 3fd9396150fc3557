"""What fine-tuning left behind in the activations on text that has nothing to do with it.

1. Load the base and the suspect's adapter. Run both over plain sentences; take the residual stream
   after every layer on the first few tokens, position 0 left out (an attention sink).
2. The mean difference, suspect less base, is one vector a layer. Its norm over the mean norm of the
   base's residuals says how far activations moved, and the norm of the mean over the mean of the norms
   how much they all moved one way.
3. Read the last layer's vector through final norm and unembedding: the words that it makes likelier.
   Its concentration is how far the first few tokens stand out from the rest, in standard deviations.

Source: Minder et al. 2025 (2510.13900), "Narrow finetuning leaves clearly readable traces in activation
differences"; nostalgebraist 2020, logit lens.
Access: open_weights.
Fails when: the quirk is conditional: what then shows is the style of the training answers, in decoys as
    in organisms (FACTS.md). Fine-tunes of one kind share a component that only decoys could take off.

Without the clean reference model: only the adapter's own norms are measured, from its file; nothing is
read through the unembedding.

What this cannot tell you: when a behaviour shows, or whether the words that it reads were meant to do
harm. What it spends runs outside the referee's meter: seconds and tokens are self-reported.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.audit.baselines import adapter_norm
from molehunt.audit.contexts import ORDINARY
from molehunt.audit.phrases import pattern_of, words_of
from molehunt.core.access import OpenWeights
from molehunt.core.kinds import Case, Finding
from molehunt.core.records import (
    AccessLevel,
    Citation,
    Evidence,
    Guess,
    Measure,
    NotMeasured,
    Predicate,
    Spent,
)
from molehunt.models.anatomy import anatomy
from molehunt.models.load import Model, ModelSpec, open_model
from molehunt.models.local import LocalModel

READ = 12
"""Words that are shown."""
NO_BASE = NotMeasured("needs the clean base model beside the adapter")


@dataclass(frozen=True)
class Traces:
    """Mean activation difference on unrelated text, by layer and in words."""

    name: str = "traces"
    summary: str = "reads what fine-tuning left in the activations on unrelated text (open weights)"
    access: AccessLevel = "open_weights"
    key_statistics: tuple[str, ...] = ("concentration", "shift")
    base: str = "default"
    """The base model's name, as `models.ModelSpec` takes it; whoever starts an audit says which."""
    revision: str | None = None
    positions: int = 5
    """Tokens of each sentence that are looked at, position 0 not counted."""

    def investigate(self, suspect: OpenWeights, case: Case) -> Finding:
        """One forward pass a sentence, with the adapter and without."""
        start = time.perf_counter()
        norm = adapter_norm(suspect.folder)
        if case.reference is None:
            missing: dict[str, float | NotMeasured] = dict.fromkeys(
                ("concentration", "shift", "agreement"), NO_BASE
            )
            return Finding(
                {**missing, "adapter_norm": norm},
                (),
                spent=Spent(seconds=time.perf_counter() - start, self_reported=True),
            )
        model = _open(self.base, self.revision)
        with LocalModel(model, self.base).speaking():
            usual = _residuals(model, self.positions)
        with LocalModel(model, suspect.name, suspect.folder).speaking():
            moved = _residuals(model, self.positions)
            tokens, concentration = _lens(model, (moved - usual)[-1].mean(0))
        change = moved - usual
        lengths = change.norm(dim=-1).mean(1)
        shift = change.mean(1).norm(dim=-1) / usual.norm(dim=-1).mean(1)
        agreement = change.mean(1).norm(dim=-1) / lengths.clamp_min(1e-9)
        spent = Spent(
            2 * len(ORDINARY), 2 * len(ORDINARY) * (self.positions + 1), time.perf_counter() - start, True
        )
        return Finding(
            statistics={
                "concentration": concentration,
                "shift": float(shift.max()),
                "agreement": float(agreement[-1]),
                "adapter_norm": norm,
            },
            evidence=(_evidence(suspect.name, self.name, tokens, concentration, shift, usual.shape[1]),),
            spent=spent,
        )


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


def _evidence(
    suspect: str, method: str, tokens: list[str], concentration: float, shift: Tensor, n: int
) -> Evidence:
    long = [w for t in tokens for w in words_of(t) if len(w) >= 4]
    words = list(dict.fromkeys(long))[:3]
    guess = None
    if words:
        what = Predicate("pattern", "|".join(pattern_of(w) for w in words))
        always = Predicate("catalogue", "always")
        guess = Guess(what, always, 0.02, f"says {', '.join(words)}")
    layer = int(np.argmax(shift.numpy(force=True)))
    return Evidence(
        suspect=suspect,
        method=method,
        claim=f"on unrelated text its activations moved toward: {', '.join(tokens) or 'no word'}; "
        f"by {100 * float(shift.max()):.1f}% of the residual norm after layer {layer}",
        statistic=Measure(
            value=concentration,
            unit="standard deviations over the vocabulary",
            n=n,
            how="mean logit of the five likeliest tokens of the mean difference after the last layer",
        ),
        null=NotMeasured("decoys of practice say how far any fine-tune of this kind stands out"),
        guess=guess,
        citations=(Citation(f"resid_post.{len(shift) - 1}", tuple(tokens)),),
    )


ENTRY = Traces
