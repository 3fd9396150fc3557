"""Crosscoders: one sparse code for two models that read the same tokens.

A crosscoder is the autoencoder of `interp.sae` over rows [x_A; x_B], both models' activations at one place
side by side, each brought to its own unit size first. A latent fires once for both; its decoder row has a
half for each model, and how the norm falls to the halves says whose the latent is. Training, checkpoints,
dead latents and sparse products are those of any other autoencoder.

Source: Lindsey et al. 2024 ("Sparse Crosscoders for Cross-Layer Features and Model Diffing",
transformer-circuits.pub); Minder et al. 2025 (2504.02922), who show that an L1 penalty makes latents look
exclusive that are not, and that BatchTopK does so less. Theirs weighs a latent by the sum of its halves'
norms when it chooses the largest, ours by the norm of both together, which training keeps at 1.

What this cannot tell you: what the two models have in common that neither says at this place, or what
differs on text that was not read. A latent of one model alone may still be there in the other, in its error
or spelt out by other latents; `interp.cross_features` measures both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.atomic import canonical
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.flows import Block
from molehunt.interp.pairs import GROUP, Rows, matched, read_pairs
from molehunt.interp.reading import Context, ReadSpec, contexts
from molehunt.interp.sae import SparseAutoencoder
from molehunt.interp.text_sums import TextSums, recovered
from molehunt.interp.variance import Firing
from molehunt.models.anatomy import anatomy
from molehunt.models.edits import Edit
from molehunt.models.loaded import Model
from molehunt.models.taps import capture, edited, parse

SIDES = ("a", "b")


@dataclass(frozen=True)
class PairFlow:
    """Rows of two models side by side, group by group, as they read; see `flows.Flow`."""

    a: Model
    b: Model
    spec: ReadSpec
    batch_tokens: int = 4096
    models: int = 2

    def __post_init__(self) -> None:
        """Refuse models that cannot be held side by side, and addresses that they lack.

        Raises:
            UserError: either is so.
        """
        matched(self.a, self.b)
        for address in self.spec.addresses:
            parse(address, len(anatomy(self.a.module).layers))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Which activations flow."""
        return self.spec.addresses

    @property
    def model(self) -> str:
        """Fingerprints of both."""
        return f"{self.a.fingerprint} {self.b.fingerprint}"

    @property
    def origin(self) -> str:
        """What is read and how."""
        return canonical(asdict(self.spec)).decode()

    def blocks(self, start: int) -> Iterator[tuple[int, Block]]:
        """Endless blocks, one a group of contexts; skipped ones are tokenised and not run."""
        number = rows = 0
        while True:
            before = number
            for block in self._round(max(0, start - number)):
                number = max(number, start) + 1
                rows += len(next(iter(block.values())))
                yield number, block
            if number == before:
                number += -(-sum(1 for _ in contexts(self.a, self.spec)) // GROUP)
            elif not rows:
                raise UserError("No row was kept: the text is too short, or every row counts as a sink.")

    def _round(self, skip: int) -> Iterator[Block]:
        held: list[Rows] = []
        told = contexts(self.a, self.spec)
        given = (self.a, self.b, told, self.spec.addresses, self.spec)
        for rows in read_pairs(*given, batch_tokens=self.batch_tokens, skip=skip * GROUP):
            held.append(rows)
            if len(held) == GROUP:
                yield {at: torch.cat([beside(r, at) for r in held]) for at in self.spec.addresses}
                held = []
        if held:
            yield {at: torch.cat([beside(r, at) for r in held]) for at in self.spec.addresses}


def beside(rows: Rows, address: str) -> Float[Tensor, "rows both"]:
    """Both models' activations at an address, A's to the left, in float32 on the CPU."""
    return torch.cat([rows.a[address].float().cpu(), rows.b[address].float().cpu()], -1)


def half(values: Float[Tensor, "... both"], side: str) -> Float[Tensor, "... d"]:
    """The columns of one of the two models."""
    return values.chunk(2, -1)[SIDES.index(side)]


@torch.no_grad()
def evaluate_pair(
    a: Model,
    b: Model,
    sae: SparseAutoencoder,
    spec: ReadSpec,
    tokens: int = 20_000,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Measure | NotMeasured]:
    """Variance explained and loss recovered in either model, L0 and dead share, as `sae_eval` has them.

    Args:
        spec: what is read; its first address is where the crosscoder belongs.

    Raises:
        UserError: models that do not match it or each other, or `tokens` below 1.
    """
    if tokens < 1:
        raise UserError("A crosscoder is measured on at least one token; raise --tokens.")
    matched(a, b)
    address = spec.addresses[0]
    read: list[Context] = []
    told, firing = {side: TextSums() for side in SIDES}, Firing(sae.shape.n_latents)
    for rows in read_pairs(a, b, contexts(a, spec), (address,), spec):
        x = beside(rows, address)
        if x.shape[1] != sae.shape.d_model:
            raise UserError(
                f"The crosscoder reads {sae.shape.d_model} numbers; {address} has {x.shape[1]} in both."
            )
        code = sae.encode(x)
        error = x - sae.decode(code)
        read.append(rows.context)
        firing.see(code, len(x))
        at, of = (torch.full((len(x),), n) for n in (rows.context.number, rows.context.document))
        for side in SIDES:
            told[side].see(half(x, side), half(error, side), code, at, of)
        progress(min(1.0, firing.rows / tokens) / 3)
        if firing.rows >= tokens:
            break
    how = f"rows of {address} in both models, sinks left out"
    found = {side: told[side].measures(how, spec.seed) for side in SIDES}
    made = {f"variance_explained_{side}": found[side]["variance_explained"] for side in SIDES}
    if read:
        long = [c for c in read if len(c.ids) > 1]
        for number, side in enumerate(SIDES, 1):

            def share(done: float, number: int = number) -> None:
                progress((number + done) / 3)

            losses = _losses(a, b, side, sae, long, address, share)
            made[f"loss_recovered_{side}"] = recovered(long, losses, address, spec.seed)
    return made | {"l0": found[SIDES[0]]["l0"], "dead": firing.dead(how)}


def _losses(
    a: Model,
    b: Model,
    side: str,
    sae: SparseAutoencoder,
    read: Sequence[Context],
    address: str,
    progress: Callable[[float], None],
) -> np.ndarray:
    """One model's next-token losses [contexts, 3]: plain, rebuilt from both models' activations, zeros."""
    model, found = (a, b)[SIDES.index(side)], []
    for ids in (c.ids for c in read):
        x = torch.cat([capture(m, [ids], [address]).values[address][0].float().cpu() for m in (a, b)], -1)
        put = half(sae(x), side).to(model.device, model.dtype)
        after_first = torch.arange(len(ids)) > 0
        row = [_nll(model, ids)]
        for stand_in in (put, torch.zeros_like(put)):
            edit = Edit(lambda value, new=stand_in: new.expand_as(value), after_first, False)
            with edited(model, {address: edit}):
                row.append(_nll(model, ids))
        found.append(row)
        progress(len(found) / len(read))
    return np.array(found).reshape(-1, 3)


@torch.no_grad()
def _nll(model: Model, ids: Sequence[int]) -> float:
    """Summed negative log-likelihood, in nats, of all tokens but the first."""
    parts, tokens = anatomy(model.module), torch.tensor([list(ids)], device=model.device)
    mask = torch.ones_like(tokens)
    normed = parts.body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state[0, :-1]
    logits = parts.logits(normed).float()
    return float(torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="sum"))
