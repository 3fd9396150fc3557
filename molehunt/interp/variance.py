"""What is counted while an autoencoder sees rows: variance explained, latents that never fire.

Explained = 1 − Σ‖error‖² / Σ‖x − mean‖², over all rows seen; the mean is that of these rows.

What this cannot tell you: whether what is left over matters. One per cent of the variance can carry a token.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.sae import Code
from molehunt.interp.text_sums import NO_ROWS, explained


@dataclass
class Variance:
    """The sums from which it follows; rows themselves are not kept."""

    rows: int = 0
    error: float = 0.0
    square: float = 0.0
    total: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def see(self, x: Float[Tensor, "n d"], error: Float[Tensor, "n d"]) -> None:
        """Take rows and what their reconstruction leaves of them."""
        whole = x.double()
        self.rows += len(x)
        self.error += float(error.double().pow(2).sum())
        self.square += float(whole.pow(2).sum())
        self.total = self.total + whole.sum(0).cpu()

    def explained(self) -> float | NotMeasured:
        """Share of variance, at most 1; below 0 where the mean row would do better."""
        if not self.rows:
            return NO_ROWS
        sums = np.array([[self.rows, 0, self.error, self.square, *self.total.tolist()]])
        found = float(explained(sums)[0])
        return found if np.isfinite(found) else NotMeasured("the activations do not vary")


class Firing:
    """Which latents never fire."""

    def __init__(self, n_latents: int) -> None:
        self.rows = 0
        self.fired = torch.zeros(n_latents, dtype=torch.long)

    def see(self, code: Code, rows: int) -> None:
        """Take the code of so many rows."""
        self.rows += rows
        self.fired += torch.bincount(code.latents, minlength=len(self.fired)).cpu()

    def dead(self, how: str) -> Measure | NotMeasured:
        """The share of latents that never fired; exact for these rows, with no interval for others."""
        if not self.rows:
            return NO_ROWS
        dead = float((self.fired == 0).double().mean())
        return Measure(dead, "share of latents", self.rows, how)
