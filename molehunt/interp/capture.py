"""Activations of a text on disk: safetensors shards in a folder, beside `capture.json`.

A shard holds whole groups of contexts (`interp.reading`) and is whole or not there. After `kill -9` the
same command goes on after the last shard that stands; a shard of a finished capture that is gone, does not
open, or is not what was written (`interp.shards`), is read again by the same command, and that one alone.
Of each shard:

    ADDRESS             [rows, width] activations, one row a kept token, in the text's order
    token, position     [rows] int32: its id, and where it stands in its context
    context, document   [rows] int32: which context and which document it is from
    text, lengths       every token id of the shard's contexts, dropped ones too, and their lengths

Batch size, padding and shard size change nothing in the rows beyond rounding (in 32 bits under 1e-5 in the
tests). Memory holds one group and one shard.

What this cannot tell you: what stands at the rows that were left out, first positions and sinks; how many
there were of the latter is kept as `dropped`. Nor what a token would have looked like with more before it
than its context holds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from molehunt.core.atomic import HALF, read_json, sweep, write_json
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.interp.reading import GROUP, Group, Reader, ReadSpec
from molehunt.interp.shards import DAMAGED, MARKS, changed, read_shard, save_shard, shard_path, standing
from molehunt.models.loaded import Model

FILE = "capture.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Capture:
    """A folder of shards, open for reading."""

    folder: Path
    about: Mapping[str, Any]
    looked_at: set[tuple[int, str]] = field(default_factory=set, compare=False, repr=False)
    """Tensors whose sums were right, by shard and name: they are summed once a sitting."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """What was read where."""
        return tuple(self.about["spec"]["addresses"])

    @property
    def model(self) -> str:
        """Fingerprint of the model that was read."""
        return self.about["model"]

    @property
    def rows(self) -> int:
        """Rows in all shards."""
        return sum(s["rows"] for s in self.about["shards"])

    def shards(self, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
        """The named tensors of each shard, one shard in memory at a time.

        Raises:
            BadFile: a shard is missing or damaged, or holds activations that are no numbers.
        """
        for number in range(len(self.about["shards"])):
            yield self.shard(number, names)

    def shard(self, number: int, names: tuple[str, ...]) -> dict[str, Tensor]:
        """The named tensors of one shard. Errors as `shards`."""
        path = shard_path(self.folder, number)
        try:
            found, told = read_shard(path, names)
        except DAMAGED as error:
            raise BadFile(
                f"The shard {path} is damaged ({str(error)[:80]}); give the same `molehunt capture` again."
            ) from None
        for name, values in found.items():
            if values.is_floating_point() and not values.isfinite().all():
                raise BadFile(
                    f"The shard {path} holds numbers at {name} that are not finite; delete it, and give the "
                    "same `molehunt capture` again."
                )
        new = {name: v for name, v in found.items() if (number, name) not in self.looked_at}
        if other := changed(new, told):
            raise BadFile(
                f"The shard {path} is damaged: {other[0]} is not what was written; give the same "
                "`molehunt capture` again."
            )
        self.looked_at.update((number, name) for name in new)
        return found


def open_capture(folder: Path) -> Capture:
    """A finished capture.

    Raises:
        BadFile: there is none, or it was broken off.
    """
    about = read_json(folder / FILE)
    if not isinstance(about, dict) or not isinstance(about.get("spec"), dict) or "model" not in about:
        raise BadFile(f"{folder / FILE} does not describe a capture; make it anew.")
    if not about.get("done"):
        raise BadFile(f"The capture in {folder} was broken off; give the same `molehunt capture` again.")
    return Capture(folder, about)


def capture_text(
    model: Model,
    spec: ReadSpec,
    folder: Path,
    tokens: int,
    *,
    shard_rows: int = 65_536,
    batch_tokens: int = 4096,
    progress: Progress | None = None,
) -> Capture:
    """Read text until `tokens` rows are kept (or the text ends), writing shards as they fill.

    Raises:
        RunMismatch: the folder holds a capture of something else.
        BadFile: a shard that is read again does not come out as it was: its text is another now.
        UserError: nothing to read, or a folder that holds other things.
    """
    if shard_rows < 1:
        raise UserError("--shard-rows should be at least 1.")
    reader = Reader(model, spec, batch_tokens)
    about: dict[str, Any] = {
        "spec": asdict(spec),
        "model": model.fingerprint,
        "model_id": model.spec.id,
        "tokens": tokens,
        "group": GROUP,
        "stored": str(reader.dtype).removeprefix("torch."),
    }
    if tokens < 1:
        raise UserError("--tokens should be at least 1.")
    shards, finished = _begun(folder, about)
    if finished is not None:
        for number, told in enumerate(finished["shards"]):
            if standing(folder, number, about, whole=True) != told:
                _again(reader, folder, number, finished)
            if progress is not None:
                progress(sum(s["rows"] for s in finished["shards"][: number + 1]), finished["rows"])
        return open_capture(folder)
    kept = sum(s["rows"] for s in shards)
    reader.limits = dict(shards[-1]["limits"]) if shards else {}
    held: list[Group] = []
    skip = shards[-1]["groups"] if shards else 0
    done = skip
    if kept < tokens:
        for group in reader.groups(skip):
            done += 1
            held.append(_cut(group, tokens - kept))
            kept += len(held[-1].token)
            if progress is not None:
                progress(kept, tokens)
            if sum(len(g.token) for g in held) >= shard_rows or kept >= tokens:
                shards.append(_write(folder, len(shards), held, done, reader.limits, about))
                held = []
            if kept >= tokens:
                break
    if any(len(g.token) for g in held):
        shards.append(_write(folder, len(shards), held, done, reader.limits, about))
    if not kept:
        raise UserError("No row was kept: the text is too short, or every row counts as a sink.")
    left = len(shards)
    while shard_path(folder, left).exists():  # of an earlier try, in shards of another size
        shard_path(folder, left).unlink()
        left += 1
    counts = {"rows": kept, "dropped": sum(s["dropped"] for s in shards)}
    whole = {**about, **counts, "limits": reader.limits, "shards": shards, "done": True}
    write_json(folder / FILE, whole)
    return Capture(folder, whole)


def _begun(folder: Path, about: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What the shards that stand, up to the first that doesn't, say of themselves; and the whole capture,
    where it was finished."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a new folder.")
    if not (folder / FILE).exists():
        if folder.exists() and any(p for p in folder.iterdir() if not p.name.startswith(HALF)):
            raise UserError(f"{folder} is not empty and holds no capture; give a new folder.")
        return [], None
    sweep(folder)
    before = read_json(folder / FILE)
    done = isinstance(before, dict) and bool(before.get("done"))
    if not done and not any(folder.glob("shard-*")):  # it ended before anything was kept
        return [], None
    for key, value in about.items():
        old = before.get(key) if isinstance(before, dict) else None
        if old != (
            value if key != "spec" else {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
        ):
            raise RunMismatch(
                f"{folder} holds another capture (its {key} differ); give a new folder, or the same command."
            )
    if done:
        return [], before
    shards: list[dict[str, Any]] = []
    while (said := standing(folder, len(shards), about)) is not None:
        # One that was left by an earlier try need not begin where the one before it ends.
        if said["first_context"] != GROUP * (shards[-1]["groups"] if shards else 0):
            break
        shards.append(said)
    return shards, None


def _again(reader: Reader, folder: Path, number: int, whole: Mapping[str, Any]) -> None:
    """Read one shard of a finished capture once more.

    Raises:
        BadFile: other rows come out: the text is not what it was.
    """
    told = whole["shards"][number]
    reader.limits = dict(told["limits"])
    done = skip = whole["shards"][number - 1]["groups"] if number else 0
    held: list[Group] = []
    for group in reader.groups(skip):
        done += 1
        held.append(_cut(group, told["rows"] - sum(len(g.token) for g in held)))
        if done >= told["groups"]:
            break
    tensors, said = _filled(held, done, reader.limits)
    if said != told:
        raise BadFile(
            f"The shard {shard_path(folder, number)} cannot be read again: the text is not what it was; give "
            "a new folder."
        )
    save_shard(folder, number, tensors, said)


def _cut(group: Group, rows: int) -> Group:
    if len(group.token) <= rows:
        return group
    return Group(
        {a: v[:rows] for a, v in group.values.items()},
        *(getattr(group, m)[:rows] for m in ("context", "position", "token", "document")),
        contexts=group.contexts,
        dropped=group.dropped,
    )


def _write(
    folder: Path, number: int, held: list[Group], done: int, limits: dict[str, float], about: dict[str, Any]
) -> dict[str, Any]:
    if not number:  # not sooner: what fails before any row is read leaves nothing behind
        write_json(folder / FILE, {**about, "done": False})
    tensors, said = _filled(held, done, limits)
    save_shard(folder, number, tensors, said)
    return said


def _filled(
    held: list[Group], done: int, limits: dict[str, float]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A shard's tensors, and what it says of itself."""
    if not held:
        return {}, {}
    tensors = {a: torch.cat([g.values[a] for g in held]).contiguous() for a in held[0].values}
    tensors |= {m: torch.cat([getattr(g, m) for g in held]).to(torch.int32) for m in MARKS}
    read = [c for g in held for c in g.contexts]
    tensors["text"] = torch.tensor([t for c in read for t in c.ids], dtype=torch.int32)
    tensors["lengths"] = torch.tensor([len(c.ids) for c in read], dtype=torch.int32)
    return tensors, {
        "rows": len(tensors["token"]),
        "dropped": sum(g.dropped for g in held),
        "groups": done,
        "first_context": read[0].number,
        "limits": dict(limits),
    }
