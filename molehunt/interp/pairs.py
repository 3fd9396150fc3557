"""Two models read the same tokens, and every token's activations stand side by side.

Both read what the first one's tokenizer makes of the text, so that row i of one is row i of the other.
Position 0 of each context is left out, and so is every row at which the residual stream of any layer that
is read is longer than `sink_multiple` times its median there, in either model against its own median:
attention sinks would drown the rest. What attention, heads and MLP write is judged by the stream at their
layer's end, because they may rightly write nothing at most tokens and much at few. The medians are taken
over the first contexts, once, so that no batch size changes the result.

Both models are in memory at once. Their number of layers, width and vocabulary have to agree.

What this cannot tell you: anything about text that the two would tokenise differently, or what a fine-tune
does at the rows that were left out; how many there were is counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.interp.batches import alike
from molehunt.interp.reading import Context, ReadSpec
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.taps import capture

FIRST = 16
"""Contexts over which the median norms are taken."""
GROUP = 16
"""Contexts whose activations are in memory at once."""
SAMPLE = "A sentence, 12 numbers; <|im_start|> and a ünusual wörd.\n\tdef f(x): return x"


@dataclass(frozen=True)
class Rows:
    """Kept rows of one context, of both models."""

    context: Context
    a: dict[str, Float[Tensor, "rows _width"]]
    b: dict[str, Float[Tensor, "rows _width"]]
    position: Int[Tensor, " rows"]
    sinks: int
    """Rows left out by their norm."""


def matched(a: Model, b: Model) -> None:
    """Refuse two models that cannot be held against each other token by token.

    Raises:
        UserError: their widths, numbers of layers or tokenizers differ; names both.
    """
    layers = [len(anatomy(m.module).layers) for m in (a, b)]
    widths = [m.module.config.get_text_config().hidden_size for m in (a, b)]
    names = f"{a.spec.id!r} and {b.spec.id!r}"
    for what, (first, second) in (("wide", widths), ("layers deep", layers)):
        if first != second:
            raise UserError(
                f"{names} cannot be held side by side: one is {first}, the other {second} {what}."
            )
    if a.tokenizer.get_vocab() != b.tokenizer.get_vocab() or _sample(a) != _sample(b):
        raise UserError(f"{names} cannot be held side by side: their tokenizers differ.")


def read_pairs(
    a: Model,
    b: Model,
    contexts: Iterable[Context],
    addresses: Sequence[str],
    spec: ReadSpec,
    extra: Sequence[str] = (),
    batch_tokens: int = 2048,
    skip: int = 0,
) -> Iterator[Rows]:
    """Every context in its order, rows aligned; no row is left out by its norm at an `extra` address.

    Args:
        skip: contexts at the beginning that are not run, though the first of them still say what is a sink.

    Raises:
        UserError: an address that the models lack, or activations that are not finite.
    """
    given = iter(contexts)
    first = list(islice(given, FIRST))
    streams = tuple(dict.fromkeys(stream_of(at) for at in addresses))
    limits = [_limits(m, first, streams, spec.sink_multiple) for m in (a, b)]
    wanted = tuple(dict.fromkeys((*addresses, *extra, *(streams if limits[0] else ()))))
    rest = islice(chain(first, given), skip, None)
    while group := list(islice(rest, GROUP)):
        found: dict[int, Rows] = {}
        for batch in alike([len(c.ids) for c in group], batch_tokens):
            ids = [group[i].ids for i in batch]
            seen = [capture(m, ids, wanted).values for m in (a, b)]
            for row, i in enumerate(batch):
                n = len(group[i].ids)
                sides = [{at: v[row, :n] for at, v in s.items()} for s in seen]
                for model, side in zip((a, b), sides, strict=True):
                    _finite(model, side)
                found[i] = _kept(group[i], sides, limits, spec.keep_first)
        yield from (found[i] for i in range(len(group)))


def stream_of(address: str) -> str:
    """The residual stream by which rows at an address are judged: its own, or that at its layer's end."""
    site, _, layer = address.partition(".")
    return f"resid_post.{layer}" if site in ("attn_out", "mlp_out", "head_out") else address


def _kept(
    context: Context, values: list[dict[str, Tensor]], limits: list[dict[str, float]], keep_first: bool
) -> Rows:
    position = torch.arange(len(context.ids))
    keep = torch.ones_like(position, dtype=torch.bool) if keep_first else position > 0
    firsts = int(keep.sum())
    for side, limit in zip(values, limits, strict=True):
        for address, most in limit.items():
            keep &= (side[address].float().norm(dim=-1) <= most).cpu()
    a, b = ({at: v[keep.to(v.device)] for at, v in side.items()} for side in values)
    return Rows(context, a, b, position[keep], firsts - int(keep.sum()))


def _limits(
    model: Model, contexts: Sequence[Context], addresses: Sequence[str], multiple: float
) -> dict[str, float]:
    """Largest norm that is kept, by address; none where `multiple` is 0."""
    if not multiple > 0:
        return {}
    norms: dict[str, list[Tensor]] = {a: [] for a in addresses}
    for context in contexts:
        values = capture(model, [context.ids], addresses).values
        _finite(model, values)
        for address, value in values.items():
            norms[address].append(value[0, 1:].float().norm(dim=-1).cpu())
    joined = {a: torch.cat(n) for a, n in norms.items()}
    return {a: multiple * float(n.median()) for a, n in joined.items() if len(n) and float(n.median()) > 0}


def _finite(model: Model, values: Mapping[str, Tensor]) -> None:
    for address, value in values.items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"The activations of {model.spec.id!r} at {address} hold numbers that are not finite; "
                "try --dtype float32, or another copy of its weights."
            )


def _sample(model: Model) -> list[int]:
    return model.tokenizer(SAMPLE, add_special_tokens=False, verbose=False)["input_ids"]
