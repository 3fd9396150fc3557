"""One sparse autoencoder in training: what a step does, by Adam, with decoder rows of norm 1.

The loss of a batch is |x − x̂|² over the batch's variance, plus 1/32 of the AuxK loss of Gao et
al. 2024 (arXiv:2406.04093, A.2): the k_aux likeliest dead latents, those that fired for none of the last
`dead_after` rows, are asked to explain what is left over. Activations are scaled so that their mean
squared norm is d. The gradient's part along a decoder row is taken out and the row normed after each step.
The learning rate warms up over a twentieth of the steps (1,000 at most) and falls to zero over the last
fifth. With `resample`, dead latents are instead set to badly explained rows.

Pre-activations are computed once, without a gradient; what follows them runs over active entries
(`interp.sae_loss`). With `half`, the encoder's product runs in bfloat16: it picks and fills the code, and
the gradient treats what it gave as exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.interp.sae import Code, Kind, Shape, SparseAutoencoder
from molehunt.interp.sae_loss import Room, differentiate, squares
from molehunt.interp.text_sums import FLAT

SHORT = 0.999
"""Norms of gradients below this are not cut, so on a CPU nothing is multiplied by one."""
THRESHOLD_RATE = 0.01
"""How fast the inference threshold follows the smallest value chosen."""


@dataclass(frozen=True)
class TrainSpec:
    """How autoencoders are trained; the same for every site."""

    latents: int = 4608
    k: int = 32
    kind: Kind = "batchtopk"
    tokens: int = 1_000_000
    """Rows that are trained on, in all."""
    batch: int = 1024
    """Rows a step."""
    learning_rate: float = 0.0
    """0 chooses 2e-4 · sqrt(16384 / latents), as Gao et al. found."""
    dead_after: int = 200_000
    """Rows without firing after which a latent counts as dead."""
    resample: bool = False
    """Set dead latents to badly explained rows instead of training them by AuxK."""
    pool_rows: int = 65_536
    """Rows that are shuffled together."""
    half: bool = False
    """Compute the encoder's product in bfloat16."""
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return max(1, self.tokens // self.batch)

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        peak = self.learning_rate or 2e-4 * math.sqrt(16384 / self.latents)
        warm = max(1, min(1000, self.steps // 20))
        return peak * min(1.0, (step + 1) / warm, (self.steps - step) / max(1, self.steps // 5))


@dataclass(frozen=True)
class Step:
    """What one step showed at one site."""

    variance_explained: float | None
    """Of its batch; None where that does not vary."""
    active: float
    """Mean active latents a row."""
    dead: float
    """Share of latents that are dead."""


@dataclass
class Site:
    """One autoencoder in training, with what Adam remembers."""

    sae: SparseAutoencoder
    scales: tuple[float, ...]
    """What each model's activations are multiplied by, so that their mean squared norm is their width."""
    optimizer: torch.optim.Adam
    silent: Tensor
    """Rows since each latent last fired."""
    shown: Step = field(default_factory=lambda: Step(0.0, 0.0, 0.0))
    room: Room = field(default_factory=Room)
    """Where a step works; sites that take turns may share one."""

    def step(self, x: Float[Tensor, "rows d"], spec: TrainSpec, rate: float) -> None:
        """One step on a batch of activations."""
        sae, x = self.sae, _scaled(x.to(self.sae.decoder.device, torch.float32), self.scales)
        dead = None if spec.resample else (self.silent >= spec.dead_after).nonzero()[:, 0]
        loss = differentiate(sae, x, dead, self.room, spec.half)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        gradients = [part.grad for part in sae.parameters() if part.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if norm.device.type != "cpu" or not norm < SHORT:
            torch.nn.utils.clip_grads_with_norm_(sae.parameters(), 1.0, norm)
        with torch.no_grad():
            self.optimizer.step()
            sae.unit_norm()
            self._note(loss.code, len(x), spec)
            share = float((self.silent >= spec.dead_after).float().mean())
            if spec.resample and bool((self.silent >= spec.dead_after).any()):
                self._resample(x, loss.error, spec)
        flat = bool(loss.variance <= FLAT * squares(x))
        left = float(loss.unexplained)
        explained = None if flat and math.isfinite(left) else 1 - left
        self.shown = Step(explained, len(loss.code.values) / len(x), share)

    def _note(self, code: Code, rows: int, spec: TrainSpec) -> None:
        self.silent += rows
        self.silent[code.latents] = 0
        if self.sae.shape.kind == "batchtopk" and len(code.values):
            smallest = code.values.detach().min()
            first = not bool(self.sae.threshold.any())
            # A short training has fewer steps than the mean has memory, and would keep what it began with.
            rate = 1.0 if first else min(1.0, max(THRESHOLD_RATE, 5 / spec.steps))
            self.sae.threshold += (smallest - self.sae.threshold) * rate

    def _resample(self, x: Tensor, error: Tensor, spec: TrainSpec) -> None:
        """Point dead latents at the rows that are explained worst; forget what Adam knew of them."""
        dead = (self.silent >= spec.dead_after).nonzero()[:, 0][: len(x)]
        worst = error.pow(2).sum(-1).topk(len(dead)).indices
        directions = error[worst] / error[worst].norm(dim=-1, keepdim=True).clamp_min(1e-12)
        typical = self.sae.encoder.norm(dim=-1).mean()
        self.sae.decoder[dead] = directions
        self.sae.encoder[dead] = 0.2 * typical * directions
        self.sae.encoder_bias[dead] = 0.0
        self.silent[dead] = 0
        for part in (self.sae.decoder, self.sae.encoder, self.sae.encoder_bias):
            for moment in ("exp_avg", "exp_avg_sq"):
                self.optimizer.state[part][moment][dead] = 0


def site_of(x: Tensor, spec: TrainSpec, device: str = "cpu", models: int = 1) -> Site:
    """A fresh autoencoder for rows like `x` [rows, d]: units and mean are taken from them.

    Raises:
        UserError: they are all zero, or not finite.
    """
    wide = x.float()
    squared = wide.unflatten(-1, (models, -1)).pow(2).sum(-1).mean(0).tolist()
    if not all(math.isfinite(s) and s > 0 for s in squared):
        raise UserError("The activations are all zero or not finite; nothing can be learnt from them.")
    width = x.shape[1] // models
    site = new_site(x.shape[1], spec, device, tuple(math.sqrt(width / s) for s in squared))
    with torch.no_grad():
        site.sae.decoder_bias.copy_(_scaled(wide, site.scales).mean(0))
    return site


def _scaled(x: Float[Tensor, "rows d"], scales: Sequence[float]) -> Float[Tensor, "rows d"]:
    """Each model's part of a row, times its scale."""
    if len(scales) == 1:
        return x * scales[0]
    return (x.unflatten(-1, (len(scales), -1)) * x.new_tensor(scales)[:, None]).flatten(-2)


def new_site(width: int, spec: TrainSpec, device: str, scales: tuple[float, ...]) -> Site:
    """A fresh autoencoder of that width, with Adam's memory empty."""
    shape = Shape(width, spec.latents, spec.k, spec.kind, len(scales))
    sae = SparseAutoencoder(shape, spec.seed).to(device)
    adam = torch.optim.Adam(sae.parameters(), lr=1e-4, betas=(0.9, 0.999), eps=1e-8, fused=True)
    return Site(sae, scales, adam, torch.zeros(spec.latents, dtype=torch.long, device=device))
