"""Builds a feature store: (token, feature, value) triples streamed in, files sorted both ways out.

Triples come in order of token, in chunks of any size. Each chunk goes to the token-major files as it
is, and is dealt into buckets on disk, a range of features each (an external sort by distribution;
Knuth, TAOCP vol. 3, 5.4.9). At the end one bucket at a time is read, sorted by feature and, within a
feature, from the highest value down (ties: the earlier token first), and appended to the feature-major
files. A bucket of more than `AT_ONCE` triples is read feature by feature, so memory is that of one
chunk plus `AT_ONCE` triples, or plus one feature's where that fires more often. Chunk size changes no
byte of the result.

    tokens.npy        uint32 [tokens]     the corpus, documents end to end
    documents.npy     int64 [documents+1] where each begins
    rows.npy          int64 [tokens+1]    where each token's entries begin in:
    row_feature.npy   uint32 [entries]    row_value.npy  float32 [entries]
    columns.npy       int64 [features+1]  where each feature's entries begin in:
    column_token.npy  uint32 [entries]    column_value.npy  float32 [entries]
    store.json        counts and provenance

What this cannot tell you: anything of activations that were never streamed in. A store of the top 32 a
token knows nothing of the 33rd.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from molehunt.core.atomic import HALF, sync_folder
from molehunt.core.errors import UserError

FORMAT = "molehunt features 1"
TRIPLE = np.dtype([("feature", "<u4"), ("token", "<u4"), ("value", "<f4")])
BUCKETS = 256
AT_ONCE = 8_000_000
"""Triples sorted at once, where a single feature has no more: 96 MB, and three times that to sort them."""
MOST_TOKENS = 2**32 - 1


class FeatureStoreBuilder:
    """Fills a folder that stands at its name only once `finish` has ended well."""

    def __init__(self, folder: Path, features: int, provenance: Mapping[str, Any] | None = None) -> None:
        if features < 1:
            raise UserError(f"A feature store needs at least one feature, not {features}.")
        if folder.exists():
            raise UserError(f"{folder} is there already; choose another folder, or delete it.")
        self._at, self._features, self._provenance = folder, features, dict(provenance or {})
        self._half = folder.with_name(f"{HALF}{folder.name}")
        shutil.rmtree(self._half, ignore_errors=True)
        self._half.mkdir(parents=True)
        self._each = -(-features // BUCKETS)
        self._files = {n: Column(self._half / f"{n}.npy", d) for n, d in COLUMNS.items()}
        self._spill = [
            open(self._half / f"bucket{b}", "wb")  # noqa: SIM115
            for b in range(-(-features // self._each))
        ]
        self._tokens = self._entries = 0
        self._files["documents"].append(np.zeros(1))
        self._files["rows"].append(np.zeros(1))

    def __enter__(self) -> "FeatureStoreBuilder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        for file in [*self._files.values(), *self._spill]:
            file.close()
        shutil.rmtree(self._half, ignore_errors=True)

    def add(
        self, documents: Sequence[Sequence[int]], token: np.ndarray, feature: np.ndarray, value: np.ndarray
    ) -> None:
        """Whole documents and their activations.

        Args:
            documents: token ids of each.
            token: [m] index into these documents' tokens end to end, never falling.
            feature: [m], each at most once a token. Entries of value 0 are dropped.
            value: [m], finite.

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

    def finish(self) -> Path:
        """Sort by feature, write `store.json`, and put the folder at its name."""
        counts = np.zeros(self._features, dtype=np.int64)
        for number, file in enumerate(self._spill):
            file.close()
            path = self._half / f"bucket{number}"
            first = number * self._each
            for triples in portions(path, first, min(first + self._each, self._features)):
                key = (triples["feature"].astype(np.uint64) << np.uint64(32)) | falling(triples["value"])
                triples = triples[np.argsort(key, kind="stable")]
                self._files["column_token"].append(triples["token"])
                self._files["column_value"].append(triples["value"])
                counts += np.bincount(triples["feature"], minlength=self._features)
            path.unlink()
        self._files["columns"].append(np.concatenate([[0], np.cumsum(counts)]))
        for file in self._files.values():
            file.close()
        about = {"format": FORMAT, "tokens": self._tokens, "entries": self._entries}
        about |= {"features": self._features, "provenance": self._provenance}
        (self._half / "store.json").write_text(json.dumps(about, indent=1, allow_nan=False) + "\n")
        self._half.rename(self._at)
        sync_folder(self._at.parent)
        return self._at

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


COLUMNS: Mapping[str, str] = {
    **{"tokens": "<u4", "documents": "<i8", "rows": "<i8", "row_feature": "<u4", "row_value": "<f4"},
    **{"columns": "<i8", "column_token": "<u4", "column_value": "<f4"},
}
"""Files of a store and what they hold, little-endian."""


class Column:
    """A one-dimensional `.npy` file that grows; its length is put into the header when it is closed."""

    _HEADER = 128
    """Bytes that version 1.0 headers of one dimension take, padded."""

    def __init__(self, path: Path, kind: str) -> None:
        self._file: IO[bytes] = open(path, "w+b")  # noqa: SIM115
        self._kind, self._length = np.dtype(kind), 0
        self._file.write(self._header())

    def append(self, values: np.ndarray) -> None:
        """More values at the end."""
        self._file.write(np.ascontiguousarray(values, dtype=self._kind).data)
        self._length += len(values)

    def close(self) -> None:
        """Write the length and close; more than once does no harm."""
        if not self._file.closed:
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()

    def _header(self) -> bytes:
        about = f"{{'descr': '{self._kind.str}', 'fortran_order': False, 'shape': ({self._length},), }}"
        text = about.encode("latin1").ljust(self._HEADER - 11) + b"\n"
        return b"\x93NUMPY\x01\x00" + (len(text)).to_bytes(2, "little") + text
