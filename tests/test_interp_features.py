"""The feature store against a brute-force oracle: counts, order, examples, searches; damage is named."""

import json

import numpy as np
import pytest

from molehunt.core.errors import BadFile, UserError
from molehunt.interp import feature_build
from molehunt.interp.feature_build import FeatureStoreBuilder, falling
from molehunt.interp.feature_search import (
    by_difference,
    by_example,
    by_text,
    matches,
    neighbours,
    top_logits,
)
from molehunt.interp.features import OUTSIDE, open_features, spread

FEATURES, K = 700, 5


def corpus(seed=0, documents=60):
    """Documents of 1 to 40 tokens out of 50, and a dense activation table [tokens, FEATURES]."""
    random = np.random.default_rng(seed)
    texts = [random.integers(0, 50, random.integers(1, 41)).tolist() for _ in range(documents)]
    size = sum(map(len, texts))
    dense = np.zeros((size, FEATURES), dtype=np.float32)
    for row in dense:
        # Few heights, so that ties occur; feature 3 is silent and feature 5 fires almost everywhere.
        chosen = random.choice(np.arange(6, FEATURES), K, replace=False)
        row[chosen] = random.integers(1, 9, K) / 4
        row[5] = random.choice([0, 0.5, 1, 2.25])
    return texts, dense


def build(folder, texts, dense, chunk):
    with FeatureStoreBuilder(folder, FEATURES, {"seed": 0}) as builder:
        start = 0
        for first in range(0, len(texts), chunk):
            some = texts[first : first + chunk]
            part = dense[start : start + sum(map(len, some))]
            token, feature = np.nonzero(part)
            builder.add(some, token, feature, part[token, feature])
            start += len(part)
        return open_features(builder.finish())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    texts, dense = corpus()
    return build(tmp_path_factory.mktemp("store") / "s", texts, dense, 7), texts, dense


def test_counts_and_histograms_are_exact(made):
    store, _, dense = made
    assert (store.counts() == (dense != 0).sum(0)).all() and store.count(3) == 0
    for feature in (5, 6, 99):
        values = dense[:, feature][dense[:, feature] != 0]
        counts, edges = store.histogram(feature, 13)
        wanted, same = np.histogram(values, 13)
        assert (counts == wanted).all() and np.allclose(edges, same)
    assert store.histogram(3)[0].sum() == 0


def test_entries_fall_and_ties_keep_the_order_of_tokens(made):
    store, _, dense = made
    for feature in (5, 50, 400):
        found = store.top(feature, 10**6)
        tokens = np.flatnonzero(dense[:, feature])
        wanted = tokens[np.lexsort((tokens, -dense[tokens, feature]))]
        assert (found.tokens == wanted).all() and (found.values == dense[wanted, feature]).all()


def test_contexts_stay_within_their_document_and_are_shaded_rightly(made):
    store, texts, dense = made
    flat = [t for text in texts for t in text]
    owner = np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    found = store.examples(5, 80, around=4)
    shades = store.context_values(5, found)
    for row, token in enumerate(found.tokens):
        assert found.documents[row] == owner[token]
        for column, place in enumerate(range(token - 4, token + 5)):
            inside = 0 <= place < len(flat) and owner[place] == owner[token]
            assert found.contexts[row, column] == (flat[place] if inside else OUTSIDE)
            assert shades[row, column] == (dense[place, 5] if inside else 0)


def test_examples_are_different_and_cover_the_range():
    values = np.sort(np.random.default_rng(0).exponential(size=50_000).astype(np.float32))[::-1]
    ranks = spread(values, 1000)
    assert len(ranks) == len(set(ranks.tolist())) == 1000
    assert (ranks[:200] == np.arange(200)).all() and ranks[-1] == 49_999
    shares, _ = np.histogram(ranks, 10, (0, 50_000))
    assert shares.min() >= 35  # two fifths of 1,000 evenly by rank: 40 a tenth
    heights, _ = np.histogram(values[ranks], 10, (values[-1], values[0]))
    reachable = np.histogram(values, 10, (values[-1], values[0]))[0]
    assert (heights >= np.minimum(reachable, 20)).all()  # two fifths evenly by value: 40 a tenth
    for n in (0, 1, 2, 3, 7):
        assert len(spread(values, n)) == n
    assert (spread(values[:10], 1000) == np.arange(10)).all()
    assert len(set(spread(np.ones(5000, np.float32), 1000).tolist())) == 1000


def test_the_size_of_chunks_changes_no_byte(tmp_path):
    texts, dense = corpus(1, 25)
    stores = [build(tmp_path / str(chunk), texts, dense, chunk) for chunk in (1, 4, 25)]
    files = [{p.name: p.read_bytes() for p in s.folder.iterdir()} for s in stores]
    assert files[0] == files[1] == files[2]
    assert not any(name.startswith("bucket") for name in files[0])


def test_a_large_bucket_is_sorted_feature_by_feature_to_the_same_bytes(tmp_path, monkeypatch):
    texts, dense = corpus(4, 25)
    whole = build(tmp_path / "whole", texts, dense, 5).folder
    monkeypatch.setattr(feature_build, "AT_ONCE", 10)
    pieces = build(tmp_path / "pieces", texts, dense, 5).folder
    assert {p.name: p.read_bytes() for p in whole.iterdir()} == {
        p.name: p.read_bytes() for p in pieces.iterdir()
    }


def test_keys_fall_as_values_rise_negative_ones_too():
    values = np.array([-3.5, -1e-30, 1e-30, 0.5, 3.0, 1e30], dtype=np.float32)
    assert (np.diff(falling(values).astype(np.int64)) < 0).all() and falling(values).max() < 2**32


def test_a_search_finds_the_planted_feature(tmp_path):
    texts, dense = corpus(2, 80)
    starts = np.cumsum([0, *map(len, texts)])
    dense[:, 9:12] = 0
    for i in range(40):  # feature 9 fires in the first forty documents, 10 in the others
        dense[starts[i], 9] = 2.0
        dense[starts[40 + i], 10] = 2.0
    flat = np.array([t for text in texts for t in text])
    dense[flat == 7, 11] = 1.0
    store = build(tmp_path / "s", texts, dense, 9)
    first = by_difference(store, range(40), range(40, 80), 2)
    assert [(f.feature, f.here, f.there, f.clear) for f in first] == [(9, 1, 0, True), (10, 0, 1, True)]
    assert first[0].score > 0 > first[1].score
    assert not any(f.clear for f in by_difference(store, range(0, 40, 2), range(1, 40, 2), 5))
    assert by_text(store, [7], 1)[0].feature == 11 and by_text(store, [7], 1)[0].here == 1
    assert by_example(store, [5, 9], [1.0, 2.0])[0].feature == 9


def test_text_is_found_within_documents_alone(made):
    store, texts, _ = made
    pair = texts[4][-1:] + texts[5][:1]
    flat, owner = [t for x in texts for t in x], np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    wanted = [
        i
        for i in range(len(flat) - 1)
        if flat[i : i + 2] == pair and owner[i] == owner[i + 1]
    ]  # fmt: skip
    assert matches(store, pair).tolist() == wanted
    assert len(matches(store, [999])) == 0 and by_text(store, [999]) == []


def test_neighbours_and_logits_are_those_of_the_definition():
    random = np.random.default_rng(0)
    decoder, head = random.normal(size=(30, 8)), random.normal(size=(40, 8))
    decoder[7] = 3 * decoder[2]
    assert neighbours(decoder, 2, 1) == [(7, pytest.approx(1.0))]
    raised, lowered = top_logits(decoder, head, 2, 3)
    logits = head @ decoder[2]
    assert raised[0] == (logits.argmax(), logits.max()) and lowered[0] == (logits.argmin(), logits.min())


@pytest.mark.parametrize(
    ("token", "feature", "value", "says"),
    [
        ([0, 9], [1, 1], [1, 1], "Token indices"),
        ([1, 0], [1, 1], [1, 1], "must not fall"),
        ([0], [FEATURES], [1], "outside 0 to"),
        ([0], [1], [np.nan], "not finite"),
        ([0, 0], [1, 1], [1, 2], "twice"),
        ([0], [1, 2], [1], "differ in number"),
    ],
)
def test_bad_triples_get_a_sentence(tmp_path, token, feature, value, says):
    with FeatureStoreBuilder(tmp_path / "s", FEATURES) as builder, pytest.raises(UserError, match=says):
        builder.add([[1, 2]], np.array(token), np.array(feature), np.array(value))
    assert not list(tmp_path.iterdir())


def test_a_damaged_store_is_refused_by_name(tmp_path):
    texts, dense = corpus(3, 10)
    folder = build(tmp_path / "s", texts, dense, 5).folder
    whole = (folder / "row_value.npy").read_bytes()
    (folder / "row_value.npy").write_bytes(whole[:-40])
    with pytest.raises(BadFile, match=r"row_value\.npy"):
        open_features(folder)
    (folder / "row_value.npy").write_bytes(whole)
    np.save(folder / "tokens.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(BadFile, match=r"tokens\.npy"):
        open_features(folder)
    about = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**about, "format": "other"}))
    with pytest.raises(BadFile, match="no feature store"):
        open_features(folder)
    with pytest.raises(BadFile, match=r"store\.json"):
        open_features(tmp_path)


def test_a_feature_that_is_not_there_gets_a_sentence(made):
    with pytest.raises(UserError, match="no feature 700"):
        made[0].top(FEATURES)
    with pytest.raises(UserError, match="share none"):
        by_difference(made[0], [1], [1])
