"""The shipped autoencoder's features as a user gets them: captured, stored, looked up, labelled by counting.

The verbs themselves are called, one after the other, and go on where they stopped: `molehunt sae eval` and
`molehunt capture` on `builtin:test` (which the autoencoder was not trained on), `molehunt features build`,
`molehunt label` without a reader for `LABELLED` features, `--output` included. Features are drawn evenly over
the ranks of how often they fire. Every one of them is also scored with another feature's label, which is what
chance and easy stretches give: a label is worth what it scores above that.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pairs import kept, timed

from molehunt.core import stats
from molehunt.core.errors import UserError
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure
from molehunt.interp.feature_card import card
from molehunt.interp.feature_fill import sae_hash
from molehunt.interp.feature_words import read_words
from molehunt.interp.features import EXAMPLES, FeatureStore, open_features
from molehunt.interp.labels import Label
from molehunt.interp.sae_files import load_sae
from molehunt.models.loaded import Model

TEXT, TOKENS, MEASURED, LABELLED = "builtin:test", 100_000, 20_000, 200
"""What is read; rows of the store; rows that the autoencoder is measured on; features that are labelled."""
SHOWN = 20
"""Examples that `molehunt features show` prints unless told otherwise."""
LISTED = 12
"""Labels that stand on the page."""
THIRDS = ("rare", "middling", "frequent")


def browsing(model: Model, name: str, sae: Path, work: Path, seed: int) -> dict[str, Any]:
    """Counts, lookup times, and what labels by counting score beside chance.

    Args:
        name: the model, as the verbs take it.
        sae: the autoencoder's folder.

    Raises:
        UserError: the autoencoder is of another model, or a verb failed.
    """
    saved = load_sae(sae, model)
    common = ("--model", name, "--seed", str(seed))
    acts, folder = work / "acts", work / "store"
    how = ("--text", TEXT, "--tokens", str(MEASURED))
    key = [seed, TEXT, MEASURED, sae_hash(saved.sae), model.fingerprint]
    worth = kept(work / "worth.json", key, lambda: verb("sae", "eval", str(sae), *how, *common)["measures"])
    where = ("--addresses", saved.address, "--text", TEXT, "--tokens", str(TOKENS))
    timed(acts, lambda: verb("capture", str(acts), *where, *common))
    building = ("features", "build", str(folder), "--sae", str(sae), "--source", str(acts))
    built = timed(folder, lambda: verb(*building, *common))
    store = open_features(folder)
    chosen = evenly(store, LABELLED)
    some = ("--features", *map(str, chosen), "--others", str(len(chosen)), "--output")
    labelled = work / "labels"
    told = timed(labelled, lambda: verb("label", str(folder), str(labelled), *some, *common))
    labels = [from_json(Label, one) for one in told["labels"]]
    named = [label for label in labels if isinstance(label.words, str)]
    return {
        "address": saved.address,
        "text": TEXT,
        "tokens": built["tokens"],
        "entries": built["entries"],
        "features": built["features"],
        "features_dead": _share(store.counts() == 0, "features that never fire in the store"),
        "features_full": _share(store.counts() >= EXAMPLES, f"features with {EXAMPLES:,} examples or more"),
        **{f"shipped_{name}": value for name, value in worth.items()},
        **kept(work / "lookups.json", [*key, chosen, store.read], lambda: lookups(store, chosen)),
        **scores(labels, store, seed),
        "label_output": told["output"],
        "shown": [_row(label, store) for label in named[:: max(1, len(named) // LISTED)]],
    }


def verb(*args: str) -> dict[str, Any]:
    """What a verb prints with --json; its bars and warnings go to the error stream.

    Raises:
        UserError: it ended with another code than 0; its own sentence stands above.
    """
    command = [sys.executable, "-m", "molehunt", *args, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"`molehunt {args[0]}` ended with code {done.returncode}; see what it said above.")
    return json.loads(done.stdout.splitlines()[-1])


def evenly(store: FeatureStore, n: int) -> list[int]:
    """`n` features that fire, evenly over the ranks of how often, the most frequent first."""
    counts = store.counts()
    ranked = sorted(np.flatnonzero(counts).tolist(), key=lambda f: (-counts[f], f))
    places = np.linspace(0, len(ranked) - 1, min(n, len(ranked))).round().astype(int)
    return [ranked[i] for i in dict.fromkeys(places.tolist())]


def lookups(store: FeatureStore, chosen: Sequence[int]) -> dict[str, Any]:
    """Milliseconds to find up to 1,000 examples, and to make what `molehunt features show` says."""
    words = read_words(store.folder, store.features)
    spent: dict[str, list[float]] = {"store_lookup_ms": [], "store_card_ms": []}
    for feature in chosen:
        start = time.perf_counter()
        store.examples(feature, EXAMPLES)
        spent["store_lookup_ms"].append(1000 * (time.perf_counter() - start))
        start = time.perf_counter()
        card(store, words, feature, SHOWN)
        spent["store_card_ms"].append(1000 * (time.perf_counter() - start))
    return {
        name: to_json(stats.median(row, unit="ms", how="median over features")) for name, row in spent.items()
    }


def scores(labels: Sequence[Label], store: FeatureStore, seed: int) -> dict[str, Any]:
    """Means over features with intervals, beside another feature's label, and by how often features fire."""
    made: dict[str, Any] = {}
    named = [isinstance(label.words, str) for label in labels]
    made["features_labelled"] = _share(named, "drawn features that counting finds a label for")
    for kind in ("detection", "fuzzing", "other"):
        made[f"label_{kind}"] = _mean(labels, kind, seed)
    for kind in ("detection", "fuzzing"):
        lows = [m.low for m in _measures(labels, kind) if m.low is not None]
        how = f"scored features whose {kind} has its interval above chance (0.5)"
        made[f"label_{kind}_clear"] = _share([low > 0.5 for low in lows], how)
    both = [
        (x.feature, x.detection.value, x.other.value)
        for x in labels
        if isinstance(x.detection, Measure) and isinstance(x.other, Measure)
    ]
    made["label_detection_over_other"] = to_json(
        stats.paired_difference(
            [a for _, a, _ in both],
            [b for _, _, b in both],
            [str(f) for f, _, _ in both],
            unit="balanced accuracy",
            how="detection with a feature's own label, less with another feature's, on the same stretches",
            seed=seed,
        )
    )
    counts, third = store.counts(), -(-len(labels) // 3)
    for name, start in zip(reversed(THIRDS), range(0, 3 * third, third), strict=True):
        some = labels[start : start + third]
        for kind in ("detection", "fuzzing"):
            made[f"label_{kind}_{name}"] = _mean(some, kind, seed)
        made[f"range_{name}"] = [int(min(c)), int(max(c))] if (c := [counts[x.feature] for x in some]) else []
    return made


def _measures(labels: Sequence[Label], kind: str) -> list[Measure]:
    return [m for x in labels if isinstance(m := getattr(x, kind), Measure)]


def _mean(labels: Sequence[Label], kind: str, seed: int) -> Any:
    got = [(m.value, str(x.feature)) for x in labels if isinstance(m := getattr(x, kind), Measure)]
    left = len(labels) - len(got)
    how = f"mean {kind} over features; {left} of {len(labels)} not measured"
    values, names = [v for v, _ in got], [f for _, f in got]
    return to_json(stats.mean(values, names, unit="balanced accuracy", how=how, seed=seed, within=(0, 1)))


def _share(hits: Any, how: str) -> Any:
    some = [bool(h) for h in hits]
    return to_json(stats.proportion(some, [str(i) for i in range(len(some))], how=how))


def _row(label: Label, store: FeatureStore) -> Mapping[str, Any]:
    return {
        "feature": label.feature,
        "fires": store.count(label.feature),
        "words": label.words,
        "detection": to_json(label.detection),
        "fuzzing": to_json(label.fuzzing),
    }
