"""Activations as training wants them: endless, shuffled, and able to go on from where they stopped.

Two sources, shards on disk and a live model, give blocks of rows. A pool takes blocks until it holds
`pool_rows`, is shuffled by (seed, number of the pool), and dealt out in batches; what is left over
below one batch is not used. A pool depends on its number alone, so a checkpoint taken between pools
needs to remember nothing else, and a resumed training sees the very same batches.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core.atomic import canonical
from molehunt.core.errors import UserError
from molehunt.core.splits import seed_of
from molehunt.interp.capture import Capture
from molehunt.interp.reading import GROUP, Reader

Block = dict[str, Float[Tensor, "rows _width"]]


@runtime_checkable
class Flow(Protocol):
    """Blocks of rows by address, in rounds that begin anew when everything was seen."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Which activations flow."""
        ...

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are from."""
        ...

    @property
    def models(self) -> int:
        """Models whose activations lie side by side in a row."""
        ...

    @property
    def origin(self) -> str:
        """What is read and how, so that a training does not go on with other rows than it began with."""
        ...

    def blocks(self, start: int) -> Iterator[tuple[int, Block]]:
        """Endless blocks from number `start` on, with the number of the one after it."""
        ...


@dataclass(frozen=True)
class ShardFlow:
    """Shards of a capture, in another order each round."""

    capture: Capture
    addresses: tuple[str, ...]
    seed: int = 0
    models: int = 1

    def __post_init__(self) -> None:
        for address in self.addresses:
            if address not in self.capture.addresses:
                raise UserError(
                    f"The capture in {self.capture.folder} holds {', '.join(self.capture.addresses)}, "
                    f"not {address!r}."
                )

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are from."""
        return self.capture.model

    @property
    def origin(self) -> str:
        """What is read and how."""
        spec, rows = self.capture.about["spec"], self.capture.rows
        return canonical({"spec": spec, "rows": rows, "shuffled": self.seed}).decode()

    def blocks(self, start: int) -> Iterator[tuple[int, Block]]:
        """Endless blocks, one a shard."""
        count = len(self.capture.about["shards"])
        number = start
        while True:
            draw = torch.Generator().manual_seed(seed_of(self.seed, number // count))
            shard = int(torch.randperm(count, generator=draw)[number % count])
            number += 1
            yield number, self.capture.shard(shard, self.addresses)


@dataclass(frozen=True)
class LiveFlow:
    """Groups of contexts as a model reads them; one pass serves every address."""

    reader: Reader
    models: int = 1

    @property
    def addresses(self) -> tuple[str, ...]:
        """Which activations flow."""
        return self.reader.spec.addresses

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are from."""
        return self.reader.model.fingerprint

    @property
    def origin(self) -> str:
        """What is read and how."""
        return canonical(asdict(self.reader.spec)).decode()

    def blocks(self, start: int) -> Iterator[tuple[int, Block]]:
        """Endless blocks, one a group of contexts; skipped ones are tokenised and not run."""
        number = rows = 0
        if start and not self.reader.limits:
            next(self.reader.groups(), None)  # what counts as a sink is decided by the first group
        while True:
            before = number
            for group in self.reader.groups(max(0, start - number)):
                number = max(number, start) + 1
                rows += len(group.token)
                yield number, dict(group.values)
            if number == before:
                number += self._count()
            elif not rows:
                raise UserError("No row was kept: the text is too short, or every row counts as a sink.")

    def _count(self) -> int:
        from molehunt.interp.reading import contexts

        return -(-sum(1 for _ in contexts(self.reader.model, self.reader.spec)) // GROUP)


@dataclass(frozen=True)
class Pool:
    """Batches of a shuffled pool. Each is gathered when it is asked for: all at once would be the pool again,
    in memory that the system has to clear first."""

    whole: Block
    order: Int[Tensor, " rows"]
    batch: int

    def __len__(self) -> int:
        """Whole batches; what is left over is not used."""
        return len(self.order) // self.batch

    def __getitem__(self, number: int) -> Block:
        """One batch."""
        start = range(len(self))[number] * self.batch
        some = self.order[start : start + self.batch]
        return {address: values.index_select(0, some) for address, values in self.whole.items()}

    def __iter__(self) -> Iterator[Block]:
        """Every batch, one in memory at a time."""
        return (self[number] for number in range(len(self)))


def pools(
    flow: Flow, rows: int, batch: int, seed: int, start: tuple[int, int] = (0, 0)
) -> Iterator[tuple[tuple[int, int], Pool]]:
    """Shuffled pools of batches, each with where the next one starts (block, pool)."""
    block, pool = start
    held: list[Block] = []
    for block, found in flow.blocks(block):  # noqa: B020
        held.append(found)
        count = sum(len(next(iter(b.values()))) for b in held)
        if count < max(rows, batch):
            continue
        draw = torch.Generator().manual_seed(seed_of(seed, pool))
        order = torch.randperm(count, generator=draw)
        whole = {a: torch.cat([b[a] for b in held]) for a in held[0]}
        pool, held = pool + 1, []
        yield (block, pool), Pool(whole, order, batch)
