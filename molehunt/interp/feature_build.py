"""Builds a feature store: (token, feature, value) triples streamed in, files sorted both ways out.

Triples come in order of token, in chunks of any size. Each chunk goes to the token-major files as it
is, and is dealt into buckets on disk, a range of features each (an external sort by distribution;
Knuth, TAOCP vol. 3, 5.4.9). At the end one bucket at a time is read, sorted by feature and, within a
feature, from the highest value down (ties: the earlier token first), and appended to the feature-major
files. A bucket of more than `AT_ONCE` triples is read feature by feature, so memory is that of one
chunk plus `AT_ONCE` triples, or plus one feature's where that fires more often. Chunk size changes no
byte of the result.

A builder that is `resumable` leaves its half-made folder when it is killed. `save` notes how long every
file is; the next builder of the same key cuts what came after and goes on, in the middle of sorting too.

    tokens.npy        uint32 [tokens]     the corpus, documents end to end
    documents.npy     int64 [documents+1] where each begins
    owners.npy        int64 [documents]   which document of the text each is a part of; -1: not known
    rows.npy          int64 [tokens+1]    where each token's entries begin in:
    row_feature.npy   uint32 [entries]    row_value.npy  float32 [entries]
    columns.npy       int64 [features+1]  where each feature's entries begin in:
    column_token.npy  uint32 [entries]    column_value.npy  float32 [entries]
    store.json        counts and provenance

What this cannot tell you: anything of activations that were never streamed in. A store of the top 32 a
token knows nothing of the 33rd.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from molehunt.core.atomic import HALF, canonical, read_json, sync_folder, write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.interp.column_file import ColumnFile

FORMAT = "molehunt features 1"
TRIPLE = np.dtype([("feature", "<u4"), ("token", "<u4"), ("value", "<f4")])
BUCKETS = 256
AT_ONCE = 8_000_000
"""Triples sorted at once, where a single feature has no more: 96 MB, and three times that to sort them."""
MOST_TOKENS = 2**32 - 1
COLUMNS: Mapping[str, str] = {
    **{"tokens": "<u4", "documents": "<i8", "owners": "<i8", "rows": "<i8", "row_feature": "<u4"},
    **{"row_value": "<f4", "columns": "<i8", "column_token": "<u4", "column_value": "<f4"},
}
"""Files of a store and what they hold, little-endian."""
SORTED = ("columns", "column_token", "column_value")
STATE = "progress.json"


class FeatureStoreBuilder:
    """Fills a folder that stands at its name only once `finish` has ended well."""

    def __init__(
        self,
        folder: Path,
        features: int,
        provenance: Mapping[str, Any] | None = None,
        resumable: bool = False,
    ) -> None:
        """A new builder, or one that goes on where a killed one of the same key saved.

        Raises:
            UserError: the folder is there already and not empty, or there is no feature to store.
            RunMismatch: something else was begun at this name.
        """
        if features < 1:
            raise UserError(f"A feature store needs at least one feature, not {features}.")
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise UserError(f"{folder} is there already; choose another folder, or delete it.")
        self._at, self._features, self._provenance = folder, features, dict(provenance or {})
        self.half = folder.with_name(f"{HALF}{folder.name}")
        """Where it is made; other files may be put here before `finish`."""
        self._resumable = resumable
        self._key = hashlib.sha256(canonical([FORMAT, features, self._provenance])).hexdigest()
        state = self._state() if resumable else None
        if state is None:
            shutil.rmtree(self.half, ignore_errors=True)
            self.half.mkdir(parents=True)
        self._saved = state is not None
        state = state or {"pieces": 0, "memo": {}, "tokens": 0, "entries": 0, "sorted": None, "lengths": {}}
        self.pieces: int = state["pieces"]
        """Pieces of the text that stand, as the caller counted them when it saved."""
        self.memo: dict[str, Any] = dict(state["memo"])
        """What the caller wants to know again when it goes on."""
        self._tokens, self._entries, self._sorted = state["tokens"], state["entries"], state["sorted"]
        self._each = -(-features // BUCKETS)
        lengths = state["lengths"]
        self._files = {n: ColumnFile(self.half / f"{n}.npy", k, lengths.get(n)) for n, k in COLUMNS.items()}
        self._spill: list[Any] = []
        if self._sorted is None:
            for number in range(-(-features // self._each)):
                file = open(self.half / f"bucket{number}", "ab")  # noqa: SIM115
                file.seek(file.truncate(state.get("spilled", {}).get(str(number), 0)))
                self._spill.append(file)
        if not lengths:
            self._files["documents"].append(np.zeros(1))
            self._files["rows"].append(np.zeros(1))

    def __enter__(self) -> "FeatureStoreBuilder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        for file in [*self._files.values(), *self._spill]:
            file.close()
        if not (self._resumable and self._saved and self.half.exists()):
            shutil.rmtree(self.half, ignore_errors=True)

    @property
    def filled(self) -> bool:
        """Whether sorting has begun, so that nothing can be added any more."""
        return self._sorted is not None

    def add(
        self,
        documents: Sequence[Sequence[int]],
        token: np.ndarray,
        feature: np.ndarray,
        value: np.ndarray,
        owners: Sequence[int] | None = None,
    ) -> None:
        """Whole documents and their activations.

        Args:
            documents: token ids of each.
            token: [m] index into these documents' tokens end to end, never falling.
            feature: [m], each at most once a token. Entries of value 0 are dropped.
            value: [m], finite.
            owners: which document of the text each is a part of; each its own where nobody says.

        Raises:
            UserError: indices out of range, out of order or twice, values that are not finite.
        """
        ids = np.concatenate([np.asarray(d, dtype=np.int64) for d in documents] or [np.zeros(0, np.int64)])
        token, feature = np.asarray(token, dtype=np.int64), np.asarray(feature, dtype=np.int64)
        value = np.asarray(value, dtype=np.float32)
        self._check(ids, token, feature, value)
        order = np.lexsort((feature, token))
        order = order[value[order] != 0]
        token, feature, value = token[order], feature[order], value[order]
        if len(token) > 1 and ((token[1:] == token[:-1]) & (feature[1:] == feature[:-1])).any():
            raise UserError("A feature is given twice for one token; add their values first.")
        first = self._files["owners"].length
        whose = range(first, first + len(documents)) if owners is None else owners
        if len(whose) != len(documents):
            raise UserError(f"There are {len(documents)} documents and {len(whose)} owners of them.")
        self._files["owners"].append(np.array(whose, dtype=np.int64))
        self._files["tokens"].append(ids)
        self._files["documents"].append(self._tokens + np.cumsum([len(d) for d in documents]))
        self._files["rows"].append(self._entries + np.cumsum(np.bincount(token, minlength=len(ids))))
        self._files["row_feature"].append(feature)
        self._files["row_value"].append(value)
        triples = np.empty(len(token), dtype=TRIPLE)
        triples["feature"], triples["token"], triples["value"] = feature, token + self._tokens, value
        bucket = (feature // self._each).astype(np.uint16)
        triples = triples[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._spill)))
        for file, low, high in zip(self._spill, [0, *ends[:-1]], ends, strict=True):
            if high > low:
                file.write(triples[low:high].data)
        self._tokens += len(ids)
        self._entries += len(token)

    def save(self, pieces: int, memo: Mapping[str, Any] | None = None) -> None:
        """Note what stands, so that a killed build goes on after these `pieces` of the text."""
        for file in self._files.values():
            file.sync()
        for file in self._spill:
            file.flush()
            os.fsync(file.fileno())
        self.pieces, self.memo = pieces, dict(memo or {})
        self._note()

    def finish(self, about: Mapping[str, Any] | None = None) -> Path:
        """Sort by feature, write `store.json` (with `about` in it), and put the folder at its name."""
        if self._sorted is None:
            for name, file in self._files.items():
                if name not in SORTED:
                    file.close()
            for file in self._spill:
                file.flush()
                os.fsync(file.fileno())
                file.close()
            self._files["columns"].append(np.zeros(1))
            self._sorted = 0
        buckets = -(-self._features // self._each)
        for number in range(self._sorted, buckets):
            self._sort(number)
            self._sorted = number + 1
            if self._resumable:
                for name in SORTED:
                    self._files[name].sync()
                self._note()
            (self.half / f"bucket{number}").unlink()
        for number in range(buckets):  # one that was sorted and noted, but not yet deleted when it was killed
            (self.half / f"bucket{number}").unlink(missing_ok=True)
        for file in self._files.values():
            file.close()
        said = {"format": FORMAT, "tokens": self._tokens, "entries": self._entries}
        said |= {"features": self._features, "provenance": self._provenance, **(about or {})}
        (self.half / "store.json").write_text(json.dumps(said, indent=1, allow_nan=False) + "\n")
        self.half.rename(self._at)
        (self._at / STATE).unlink(missing_ok=True)
        sync_folder(self._at.parent)
        return self._at

    def _sort(self, number: int) -> None:
        """One bucket's triples, by feature and from the highest value down, onto the feature-major files."""
        first = number * self._each
        last = min(first + self._each, self._features)
        counts = np.zeros(last - first, dtype=np.int64)
        before = self._files["column_token"].length
        for triples in portions(self.half / f"bucket{number}", first, last):
            key = (triples["feature"].astype(np.uint64) << np.uint64(32)) | falling(triples["value"])
            triples = triples[np.argsort(key, kind="stable")]
            self._files["column_token"].append(triples["token"])
            self._files["column_value"].append(triples["value"])
            counts += np.bincount(triples["feature"] - first, minlength=last - first)
        self._files["columns"].append(before + np.cumsum(counts))

    def _note(self) -> None:
        said = {"key": self._key, "pieces": self.pieces, "memo": self.memo, "sorted": self._sorted}
        said |= {"tokens": self._tokens, "entries": self._entries}
        said |= {"lengths": {n: f.length for n, f in self._files.items()}}
        said |= {"spilled": {str(i): f.tell() for i, f in enumerate(self._spill) if not f.closed}}
        write_json(self.half / STATE, said)
        self._saved = True

    def _state(self) -> dict[str, Any] | None:
        """What a killed builder of this key saved."""
        if not (self.half / STATE).is_file():
            return None
        state = read_json(self.half / STATE)
        if not isinstance(state, dict) or state.get("key") != self._key:
            raise RunMismatch(
                f"Another feature store was begun for {self._at}; give the same command as then, choose "
                f"another folder, or delete {self.half}."
            )
        return state

    def _check(self, ids: np.ndarray, token: np.ndarray, feature: np.ndarray, value: np.ndarray) -> None:
        if not len(token) == len(feature) == len(value):
            raise UserError("Tokens, features and values differ in number; give one of each an entry.")
        if len(token) and (token[0] < 0 or token[-1] >= len(ids) or (np.diff(token) < 0).any()):
            raise UserError("Token indices must not fall, and must lie within the documents given with them.")
        if len(feature) and (feature.min() < 0 or feature.max() >= self._features):
            raise UserError(f"A feature's number lies outside 0 to {self._features - 1}.")
        if not np.isfinite(value).all():
            raise UserError("An activation is not finite; nothing of this chunk was added.")
        if len(ids) and (ids.min() < 0 or ids.max() > MOST_TOKENS):
            raise UserError("A token id lies outside 0 to 2³²−1.")
        if self._tokens + len(ids) > MOST_TOKENS:
            raise UserError("A feature store holds at most 2³²−1 tokens; make a second one.")


def portions(path: Path, first: int, last: int) -> Iterator[np.ndarray]:
    """A bucket's triples [m], whole where that is small, or else one feature after another."""
    size = path.stat().st_size // TRIPLE.itemsize
    if size <= AT_ONCE:
        yield np.fromfile(path, dtype=TRIPLE)
        return
    every = np.memmap(path, dtype=TRIPLE, mode="r")
    for feature in range(first, last):
        pieces = (every[s : s + AT_ONCE] for s in range(0, size, AT_ONCE))
        yield np.concatenate([p[p["feature"] == feature] for p in pieces])


def falling(value: np.ndarray) -> np.ndarray:
    """Keys [n] uint64 below 2³² that rise as float32 values fall."""
    bits = np.ascontiguousarray(value, dtype=np.float32).view(np.uint32)
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    return (~rising).astype(np.uint64)
