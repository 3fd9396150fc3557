"""One vector an example and layer: activations at the last token, or their mean over tokens.

Examples are read in batches of like length; one pass gives all layers asked for. The first token is
left out of means where there are others: its residual norm is a sink's, many times that of the rest.
A conversation that ends with an assistant's turn is read up to that turn's last token; any other up to
where the assistant would begin to speak. `read_on` keeps what it reads, a block of examples at a time, so
that a killed reading goes on after the last whole block.

What this cannot tell you: what stands at other tokens. A fact that is used in the middle of a text may
be gone from its last token.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from molehunt.core.atomic import read_json, write_bytes, write_json
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.interp.batches import alike
from molehunt.interp.labelled import Example, examples_hash
from molehunt.models.loaded import Model
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.sample import check_room
from molehunt.models.taps import capture

Pool = Literal["last", "mean"]
BATCH_TOKENS = 2048
"""Padded tokens that are read at once."""
BLOCK = 256
"""Examples that are read before they are kept."""


def token_ids(model: Model, example: Example) -> list[int]:
    """The token ids at which an example is read."""
    if not example.messages:
        return text_ids(model.tokenizer, example.text)
    turns = example.messages
    if turns[-1].role == "assistant":
        return prompt_ids(model.tokenizer, turns[:-1], turns[-1].content)
    return prompt_ids(model.tokenizer, turns)


def pooled(
    model: Model,
    examples: Sequence[Example],
    addresses: Sequence[str],
    pool: str = "last",
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Activations [layers, n, d_model] in float32, one row an example, layers as `addresses`.

    Raises:
        UserError: an example too long for the model, an address it lacks, a pool other than
            `last` and `mean`, or numbers that are not finite.
    """
    if pool not in ("last", "mean"):
        raise UserError(f"There is no way to pool called {pool[:40]!r}; choose last or mean.")
    ids = [token_ids(model, e) for e in examples]
    check_room(model, ids, 0)
    done = 0
    found: np.ndarray | None = None
    for members in alike([len(whole) for whole in ids], BATCH_TOKENS, least=0):
        seen = capture(model, [ids[i] for i in members], addresses)
        for layer, address in enumerate(addresses):
            values = seen.values[address].float()
            for row, i in enumerate(members):
                own = values[row, : len(ids[i])]
                one = own[-1] if pool == "last" else own[1:].mean(0) if len(own) > 1 else own[0]
                if found is None:
                    found = np.empty((len(addresses), len(ids), len(one)), dtype=np.float32)
                found[layer, i] = one.cpu().numpy()
        done += len(members)
        if progress is not None:
            progress(done, len(ids))
    assert found is not None
    for address, rows in zip(addresses, found, strict=True):
        if not np.isfinite(rows).all():
            raise UserError(
                f"The activations of {model.spec.id!r} at {address} hold numbers that are not finite; "
                "try --dtype float32, or another layer."
            )
    return found


def read_on(
    model: Model,
    examples: Sequence[Example],
    addresses: Sequence[str],
    pool: str,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """As `pooled`, each block kept in `folder` as it comes; blocks that lie there whole are not read again.

    Raises:
        RunMismatch: the folder was begun with other weights, examples or places.
        BadFile: a block is damaged. Others as `pooled`.
    """
    about = {"model": model.fingerprint, "examples": examples_hash(examples), "block": BLOCK}
    about |= {"addresses": list(addresses), "pool": pool}
    plan = folder / "plan.json"
    if plan.is_file() and read_json(plan) != about:
        raise RunMismatch(
            f"{folder} holds what was read of other examples, places or weights; delete it, or choose "
            "another --out."
        )
    found = []
    for start in range(0, len(examples), BLOCK):
        path, some = folder / f"{start // BLOCK:05d}.safetensors", examples[start : start + BLOCK]
        if not path.is_file():
            share = lambda done, total, start=start: progress(start + done, len(examples))  # noqa: E731
            values = pooled(model, some, addresses, pool, share)
            if not plan.is_file():  # not sooner: what cannot be read leaves nothing behind
                write_json(plan, about)
            write_bytes(path, save({"values": values}))
        try:
            values = load_file(path)["values"]
        except (OSError, SafetensorError, KeyError) as error:
            raise BadFile(f"{path} is damaged ({str(error)[:80]}); delete it to read it again.") from None
        found.append(values)
        progress(min(start + BLOCK, len(examples)), len(examples))
    return np.concatenate(found, axis=1)
