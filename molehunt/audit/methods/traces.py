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
    in organisms (AUROC 0.50 in `studies/first_game`). Fine-tunes of one kind share a component that only
    decoys could take off.

Without the clean reference model: only the adapter's own norms are measured, from its file; nothing is
read through the unembedding.

What this cannot tell you: when a behaviour shows, or whether the words that it reads were meant to do
harm. What it spends runs outside the referee's meter: seconds and tokens are self-reported.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from molehunt.audit.baselines import adapter_norm
from molehunt.audit.contexts import ORDINARY
from molehunt.audit.phrases import pattern_of, words_of
from molehunt.core.access import OpenWeights
from molehunt.core.kinds import FALSE_POSITIVES, Case, Finding
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

if TYPE_CHECKING:
    from molehunt.audit.lens import Moved

NO_BASE = NotMeasured("needs the clean base model beside the adapter")


@dataclass(frozen=True)
class Traces:
    """Mean activation difference on unrelated text, by layer and in words."""

    name: str = "traces"
    summary: str = "reads what fine-tuning left in the activations on unrelated text (open weights)"
    access: AccessLevel = "open_weights"
    key_statistics: tuple[str, ...] = ("concentration", "shift")
    false_positive_rate: float = FALSE_POSITIVES
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
        # Here and not above: whoever only names the method should not wait for torch.
        from molehunt.audit.lens import moved

        found = moved(suspect, self.base, self.revision, self.positions)
        spent = Spent(
            2 * len(ORDINARY), 2 * len(ORDINARY) * (self.positions + 1), time.perf_counter() - start, True
        )
        return Finding(
            statistics={
                "concentration": found.concentration,
                "shift": max(found.shift),
                "agreement": found.agreement,
                "adapter_norm": norm,
            },
            evidence=(_evidence(suspect.name, self.name, found),),
            spent=spent,
        )


def _evidence(suspect: str, method: str, found: "Moved") -> Evidence:
    long = [w for t in found.tokens for w in words_of(t) if len(w) >= 4]
    words = list(dict.fromkeys(long))[:3]
    guess = None
    if words:
        what = Predicate("pattern", "|".join(pattern_of(w) for w in words))
        always = Predicate("catalogue", "always")
        guess = Guess(what, always, 0.02, f"says {', '.join(words)}")
    layer = int(np.argmax(found.shift))
    return Evidence(
        suspect=suspect,
        method=method,
        claim=f"on unrelated text its activations moved toward: {', '.join(found.tokens) or 'no word'}; "
        f"by {100 * max(found.shift):.1f}% of the residual norm after layer {layer}",
        statistic=Measure(
            value=found.concentration,
            unit="standard deviations over the vocabulary",
            n=found.n,
            how="mean logit of the five likeliest tokens of the mean difference after the last layer",
        ),
        null=NotMeasured("decoys of practice say how far any fine-tune of this kind stands out"),
        guess=guess,
        citations=(Citation(f"resid_post.{len(found.shift) - 1}", found.tokens),),
    )


ENTRY = Traces
