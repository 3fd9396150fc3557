"""From text to rows of activations, in groups that no batch size can change.

Documents are cut into contexts of at most `context` tokens. A group is GROUP contexts; inside it
they run sorted by length, so that batches hold little padding, and its rows come back in the text's
order. Two kinds of rows are dropped, because attention sinks would drown everything else: position 0
of each context, and rows whose norm at any address exceeds `sink_multiple` times the median norm
there. That median is taken over the first group, once; every later row is held against the same.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core.errors import UserError
from molehunt.interp.batches import alike
from molehunt.interp.corpora import documents
from molehunt.models.loaded import Model
from molehunt.models.taps import capture

GROUP = 64
"""Contexts of a group: part of what a capture is, unlike the batch size."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class ReadSpec:
    """What is read where. Everything in it shapes the result, and is written beside it."""

    text: tuple[str, ...] = ("builtin",)
    addresses: tuple[str, ...] = ()
    context: int = 256
    """Longest context, in tokens."""
    column: str = ""
    sink_multiple: float = 10.0
    """Rows above this multiple of the median norm are dropped; 0 keeps them."""
    keep_first: bool = False
    """Keep position 0."""
    dtype: str = "auto"
    """What activations are stored in; the model's own where `auto`."""
    seed: int = 0


@dataclass(frozen=True)
class Context:
    """A stretch of a document that the model reads by itself."""

    number: int
    document: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Rows of activations of one group of contexts, in the text's order."""

    values: Mapping[str, Float[Tensor, "rows _width"]]
    context: Int[Tensor, " rows"]
    """Which context each row is from, counted from the beginning of the text."""
    position: Int[Tensor, " rows"]
    token: Int[Tensor, " rows"]
    document: Int[Tensor, " rows"]
    contexts: tuple[Context, ...]
    dropped: int
    """Rows left out as sinks by their norm."""


@dataclass
class Reader:
    """Reads text through a model, group by group."""

    model: Model
    spec: ReadSpec
    batch_tokens: int = 4096
    """Tokens of one pass, padding counted: speed and memory, never the result."""
    limits: dict[str, float] = field(default_factory=dict)
    """Largest norm that is kept, by address; found in the first group unless given."""

    def __post_init__(self) -> None:
        if self.spec.context < 2 or not self.spec.addresses:
            raise UserError("Reading needs at least one address and contexts of at least 2 tokens.")
        if len(set(self.spec.addresses)) < len(self.spec.addresses):
            raise UserError("An address is named twice; name each once.")
        if self.batch_tokens < 1:
            raise UserError("--batch-tokens should be at least 1.")
        if not (math.isfinite(self.spec.sink_multiple) and self.spec.sink_multiple >= 0):
            raise UserError("--sink-multiple should be a number of 0 or more; 0 keeps every row.")
        if self.spec.dtype != "auto" and self.spec.dtype not in DTYPES:
            raise UserError(f"There is no dtype {self.spec.dtype!r}; choose auto, {', '.join(DTYPES)}.")

    @property
    def dtype(self) -> torch.dtype:
        """What activations are stored in."""
        return self.model.dtype if self.spec.dtype == "auto" else DTYPES[self.spec.dtype]

    def groups(self, skip: int = 0) -> Iterator[Group]:
        """Every group from number `skip` on; those before are tokenised and not run."""
        held: list[Context] = []
        number = 0
        for context in contexts(self.model, self.spec):
            held.append(context)
            if len(held) == GROUP:
                if number >= skip:
                    yield self._read(tuple(held))
                held, number = [], number + 1
        if held and number >= skip:
            yield self._read(tuple(held))

    @torch.inference_mode()
    def _read(self, group: tuple[Context, ...]) -> Group:
        found: dict[str, dict[int, Tensor]] = {a: {} for a in self.spec.addresses}
        for batch in alike([len(c.ids) for c in group], self.batch_tokens):
            seen = capture(self.model, [group[i].ids for i in batch], self.spec.addresses)
            for address, values in seen.values.items():
                for row, i in enumerate(batch):
                    found[address][i] = values[row, : len(group[i].ids)].cpu()
        whole = {a: torch.cat([rows[i] for i in range(len(group))]) for a, rows in found.items()}
        for address, values in whole.items():
            if not torch.isfinite(values).all():
                raise UserError(
                    f"The activations of {self.model.spec.id!r} at {address} hold numbers that are not "
                    "finite; try --dtype float32, or another copy of its weights."
                )
        sizes = torch.tensor([len(c.ids) for c in group])
        position = torch.cat([torch.arange(n) for n in sizes.tolist()])
        keep = torch.ones_like(position, dtype=torch.bool) if self.spec.keep_first else position > 0
        firsts = int(keep.sum())
        if self.spec.sink_multiple > 0:
            keep = self._quiet(whole, keep)
        return Group(
            {a: v[keep].to(self.dtype) for a, v in whole.items()},
            torch.tensor([c.number for c in group]).repeat_interleave(sizes)[keep],
            position[keep],
            torch.tensor([t for c in group for t in c.ids])[keep],
            torch.tensor([c.document for c in group]).repeat_interleave(sizes)[keep],
            group,
            firsts - int(keep.sum()),
        )

    def _quiet(self, whole: Mapping[str, Tensor], keep: Tensor) -> Tensor:
        norms = {a: v.float().norm(dim=-1) for a, v in whole.items()}
        if not self.limits:
            if not keep.any():
                return keep
            self.limits = {a: float(n[keep].median()) * self.spec.sink_multiple for a, n in norms.items()}
        for address, norm in norms.items():
            keep = keep & (norm <= self.limits[address])
        return keep


def contexts(model: Model, spec: ReadSpec) -> Iterator[Context]:
    """The text of a spec, cut into contexts.

    Raises:
        UserError: the model has fewer positions than a context, or there is no text at all.
    """
    room = getattr(model.module.config.get_text_config(), "max_position_embeddings", None)
    if room is not None and spec.context > room:
        raise UserError(
            f"A context of {spec.context} tokens does not fit into this model's {room} positions."
        )
    number = document = 0
    for source in spec.text:
        for ids in documents(source, model.tokenizer, spec.column, spec.seed, model.fingerprint):
            for start in range(0, len(ids), spec.context):
                yield Context(number, document, tuple(ids[start : start + spec.context]))
                number += 1
            document += 1
    if not number:
        raise UserError(f"There is no text in {', '.join(spec.text)[:200]}.")
