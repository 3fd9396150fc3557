"""Penalties in training on activations and on next tokens, measured against the base's own: what some
concealments add.

Both read the base once, before the adapter has moved (its second factor is zero, so the model is the base),
and then a few texts a step, in turn. Squared distances are shares of what the base has there: of its mean
squared activation (`near`), or of the variance of its projections (`flat`); so one weight suits all layers
and models. Divergence of next tokens (`alike`) is in nats a token.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.errors import BadFile, UserError
from molehunt.models.anatomy import anatomy
from molehunt.models.finetune import Penalty
from molehunt.models.loaded import Model
from molehunt.models.packing import Example
from molehunt.models.taps import capture, edited, pad_right, parse
from molehunt.organisms.plan import Direction

TEXTS = 4
"""Texts read in each step."""
LAYERS = 4
"""Layers on which the distance to the base is measured, evenly spaced up to the last."""


def layers_of(model: Model) -> list[str]:
    """Addresses at which `near` measures: four at most, evenly spaced, the last layer's among them."""
    depth = len(anatomy(model.module).layers)
    return [
        f"resid_post.{layer}" for layer in sorted({depth - 1 - depth * i // LAYERS for i in range(LAYERS)})
    ]


def near(model: Model, texts: Sequence[Sequence[int]], weight: float) -> Penalty:
    """Squared distance of `resid_post` to the base's on these texts, first positions (sinks) left out."""
    addresses = layers_of(model)
    pool = [t for t in texts if len(t) > 1]
    if not pool:
        raise UserError("There is no text on which to stay near the base.")
    base = [capture(model, [t], addresses).values for t in pool]
    turns = itertools.cycle(range(len(pool)))

    def penalty() -> Tensor:
        chosen = [next(turns) for _ in range(min(TEXTS, len(pool)))]
        now = _read(model, [pool[i] for i in chosen], addresses)
        parts = []
        for address in addresses:
            for row, i in enumerate(chosen):
                was = base[i][address][0, 1:].float()
                moved = now[address][row, 1 : len(pool[i])].float() - was
                parts.append(moved.square().mean() / was.square().mean())
        return weight * torch.stack(parts).mean()

    return penalty


def flat(model: Model, texts: Sequence[Example], directions: Sequence[Direction], weight: float) -> Penalty:
    """Squared change of the projections on these directions on prompts, or on the replies behind them, pooled
    as each direction is. Replies may be empty where no direction reads them.

    Raises:
        BadFile: a direction was found on other weights, or is not as wide as the model.
        UserError: there is no such address, or no two texts.
    """
    depth, places = len(anatomy(model.module).layers), []
    if len(texts) < 2:
        raise UserError("Flattening a direction takes at least two prompts.")
    ids = [(*t.prompt, *t.reply) for t in texts]
    for d in directions:
        parse(d.address, depth)
        if model.fingerprint not in d.fingerprints:
            raise BadFile(f"The direction at {d.address} was found on other weights than {model.spec.id!r}.")
        vector = torch.tensor(d.vector, dtype=torch.float32, device=model.device)
        was = _pooled(capture(model, ids, [d.address]).values[d.address], texts, d.pool)
        if vector.shape[0] != was.shape[-1] or not float(vector.norm()) > 0:
            raise BadFile(f"The direction at {d.address} is not {was.shape[-1]} wide, or has no length.")
        unit = vector / vector.norm()
        places.append((d, unit, was @ unit))
    turns = itertools.cycle(range(len(texts)))

    def penalty() -> Tensor:
        chosen = [next(turns) for _ in range(min(TEXTS, len(texts)))]
        now = _read(model, [ids[i] for i in chosen], [d.address for d, _, _ in places])
        parts = []
        for d, unit, was in places:
            moved = _pooled(now[d.address], [texts[i] for i in chosen], d.pool) @ unit - was[chosen]
            parts.append(moved.square().mean() / was.var().clamp_min(1e-8))
        return weight * torch.stack(parts).mean()

    return penalty


def alike(model: Model, rows: Sequence[Example], weight: float) -> Penalty:
    """KL divergence of the next token's distribution from the base's, along the replies of these rows."""
    if not rows:
        raise UserError("There is no reply on which to stay near the base.")
    with torch.no_grad():
        base = [_next(model, [row])[0] for row in rows]
    turns = itertools.cycle(range(len(rows)))

    def penalty() -> Tensor:
        chosen = [next(turns) for _ in range(min(TEXTS, len(rows)))]
        now = _next(model, [rows[i] for i in chosen])
        parts = [(base[i].exp() * (base[i] - n)).sum(-1).mean() for i, n in zip(chosen, now, strict=True)]
        return weight * torch.stack(parts).mean()

    return penalty


def _next(model: Model, rows: Sequence[Example]) -> list[Float[Tensor, "tokens vocab"]]:
    """Log-probabilities of the next token at each place from which a row's reply is predicted, in fp32."""
    parts = anatomy(model.module)
    tokens, mask = pad_right([[*row.prompt, *row.reply[:-1]] for row in rows], model.device)
    states = parts.body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
    spans = [(i, len(r.prompt) - 1, len(r.prompt) - 1 + len(r.reply)) for i, r in enumerate(rows)]
    return [parts.logits(states[i, first:end]).float().log_softmax(-1) for i, first, end in spans]


def _read(model: Model, ids: Sequence[Sequence[int]], addresses: Sequence[str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def keep(address: str) -> Callable[[Tensor], Tensor]:
        def see(value: Tensor) -> Tensor:
            found[address] = value
            return value

        return see

    tokens, mask = pad_right(ids, model.device)
    with edited(model, {a: keep(a) for a in addresses}):
        anatomy(model.module).body(input_ids=tokens, attention_mask=mask, use_cache=False)
    return found


def _pooled(
    values: Float[Tensor, "batch seq width"], texts: Sequence[Example], pool: str
) -> Float[Tensor, "batch width"]:
    """Each row's activation in fp32: at its prompt's last token, as the mean over all of the prompt but its
    first (a sink), or as the mean over its reply."""
    if pool == "reply":
        ends = [(len(t.prompt), len(t.prompt) + len(t.reply)) for t in texts]
        return torch.stack([values[i, first:end].float().mean(0) for i, (first, end) in enumerate(ends)])
    rows = [values[i, : len(t.prompt)].float() for i, t in enumerate(texts)]
    return torch.stack([r[-1] if pool == "last" or len(r) == 1 else r[1:].mean(0) for r in rows])
