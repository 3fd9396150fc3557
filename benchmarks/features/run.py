"""How fast does a large feature store answer, and how much memory does building it take?

    python benchmarks/features/run.py [--tokens 10000000] [--quick]

Builds a synthetic store (documents of 128 tokens, k features a token drawn by Zipf's law, exponential
heights), then times lookups of features all over the range of frequencies that have 1,000 examples: the
examples with their contexts, the same with shading, the histogram. The first lookup of a feature reads
from disk unless the system still holds the pages; both first and second are given. Writes its part of
`results.json` and `README.md` beside this file, except with `--quick`.
"""

import argparse
import datetime
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from page import keep, page

from molehunt.interp.feature_build import FeatureStoreBuilder
from molehunt.interp.features import EXAMPLES, FeatureStore, open_features
from molehunt.models.machine import this_machine

HERE = Path(__file__).parent
DOCUMENT, CHUNK, LOOKUPS = 128, 256, 200


def main() -> None:
    """Build, look up, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--features", type=int, default=4608)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="where the store is put while it lasts")
    parser.add_argument("--quick", action="store_true", help="200,000 tokens; nothing is written")
    options = parser.parse_args()
    tokens = 200_000 if options.quick else options.tokens
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        store = build(Path(scratch) / "store", tokens, options.k, options.features, options.seed)
        seconds = time.process_time()
        size = sum(p.stat().st_size for p in store.folder.iterdir())
        report = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{this_machine().processor}, one thread",
            "seed": options.seed,
            "tokens": len(store.arrays["tokens"]),
            "k": options.k,
            "features": options.features,
            "entries": int(store.arrays["columns"][-1]),
            "build_cpu_seconds": seconds,
            "build_peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "store_gib": size / 2**30,
            **lookups(store, options.seed),
        }
    print(page({"store": report}) if options.quick else keep(HERE, "store", report))


def build(folder: Path, tokens: int, k: int, features: int, seed: int) -> FeatureStore:
    """A store of random documents; a feature's share of draws falls as 1/rank^0.7."""
    random = np.random.default_rng(seed)
    reach = np.cumsum(np.arange(1, features + 1) ** -0.7)
    with FeatureStoreBuilder(folder, features, {"synthetic": True, "seed": seed}) as builder:
        for _ in range(-(-tokens // (DOCUMENT * CHUNK))):
            ids = random.integers(0, 49_152, (CHUNK, DOCUMENT))
            draws = np.searchsorted(reach, random.random((ids.size, k)) * reach[-1])
            pairs = np.unique((np.arange(ids.size)[:, None] * features + draws).ravel())
            values = random.exponential(size=len(pairs)).astype(np.float32) + 1e-3
            builder.add(ids, pairs // features, pairs % features, values)
        return open_features(builder.finish())


def lookups(store: FeatureStore, seed: int) -> dict[str, Any]:
    """Milliseconds of lookups of features that are drawn evenly over ranks of frequency."""
    full = np.flatnonzero(store.counts() >= EXAMPLES)
    chosen = np.random.default_rng(seed).permutation(full)[:LOOKUPS]
    found: dict[str, list[float]] = {
        name: [] for name in ("lookup_first_ms", "lookup_ms", "shaded_ms", "histogram_ms")
    }
    for feature in chosen.tolist():
        for name in ("lookup_first_ms", "lookup_ms"):
            start = time.perf_counter()
            examples = store.examples(feature)
            found[name].append(1000 * (time.perf_counter() - start))
            assert len(examples.tokens) == EXAMPLES
        start = time.perf_counter()
        store.context_values(feature, store.examples(feature))
        found["shaded_ms"].append(1000 * (time.perf_counter() - start))
        start = time.perf_counter()
        store.histogram(feature)
        found["histogram_ms"].append(1000 * (time.perf_counter() - start))
    return {
        "lookups": len(chosen),
        **{name: {"median": statistics.median(row), "worst": max(row)} for name, row in found.items() if row},
    }


if __name__ == "__main__":
    main()
