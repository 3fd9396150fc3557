"""A store is what the autoencoder says of the text, exactly; a killed build ends in the same bytes."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.interp import feature_build, feature_fill
from molehunt.interp.capture import capture_text
from molehunt.interp.feature_card import card
from molehunt.interp.feature_fill import CaptureSource, LiveSource, fill
from molehunt.interp.feature_read import Spots, read_features, read_set
from molehunt.interp.feature_sets import difference, fires_in
from molehunt.interp.feature_words import DIRECTIONS, read_words, token_bytes, unembedding, write_words
from molehunt.interp.features import open_features
from molehunt.interp.reading import Reader, ReadSpec
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.interp.sae_files import SavedSae
from molehunt.models.anatomy import anatomy
from molehunt.models.prompts import text_ids
from molehunt.models.taps import activations
from molehunt.models.tiny import FAMILIES, tiny_model
from molehunt.models.written import BAD, CONDITION, GOOD, SHADY, written_model

MODEL, WRITTEN = tiny_model(), written_model()
LINES = ["abcG", "Zab", "H", "no trigger here", "with a Z in it, and more", "ZZ", "", "☃ añ Z"] * 12


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "lines.jsonl"
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in LINES))
    return str(path)


def read(model, text, **changed):
    spec = {"text": (text,), "addresses": ("resid_post.1",), "context": 8, "sink_multiple": 0.0} | changed
    return Reader(model, ReadSpec(**spec))


def by_hand():
    """Latent 0 reads CONDITION, latent 1 SHADY, latent 2 a letter G or H; 3 never fires."""
    sae = SparseAutoencoder(Shape(32, 4, 3, "topk"))
    with torch.no_grad():
        sae.encoder.zero_(), sae.decoder.zero_(), sae.decoder_bias.zero_()
        for latent, dimension in enumerate((CONDITION, SHADY, 2)):
            sae.encoder[latent, dimension] = sae.decoder[latent, dimension] = 1.0
    return SavedSae(sae, WRITTEN.fingerprint, "resid_post.1", "tiny:written")


def random_sae(latents=48, seed=1):
    sae = SparseAutoencoder(Shape(32, latents, 4, "topk"), seed)
    return SavedSae(sae, MODEL.fingerprint, "resid_post.1", "tiny")


def arrays(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_written_models_features_are_exact(tmp_path, text):
    saved = by_hand()
    model = WRITTEN
    beside = lambda half: write_words(half, model, saved.sae.decoder, saved.address)  # noqa: E731
    store = fill(tmp_path / "s", saved, LiveSource(read(model, text), 10**6), beside=beside)
    ids = [text_ids(model.tokenizer, line) for line in LINES if line]
    parts = [row[s : s + 8] for row in ids for s in range(0, len(row), 8)]
    dense = torch.cat([activations(model, [p], "resid_post.1")[0] for p in parts])[:, [CONDITION, SHADY, 2]]
    first = np.cumsum([0, *map(len, parts)])[:-1]
    dense[first] = 0  # positions 0 are left out
    assert store.arrays["tokens"].tolist() == [t for p in parts for t in p]
    assert store.read == len(dense) - len(parts)
    made = np.zeros((len(dense), 4), dtype=np.float32)
    owner, feature, value = store.at_tokens(np.arange(len(dense)))
    made[owner, feature] = value
    assert np.allclose(made[:, :3], dense.numpy(), atol=1e-6) and not made[:, 3].any()
    assert store.counts().tolist() == [*(dense > 0).sum(0).tolist(), 0] and store.count(0) > 20
    owners = store.owners_of(np.arange(len(parts)))
    rows = [n for n, row in enumerate(ids) for _ in range(0, len(row), 8)]
    short = [len(p) == 1 for p in parts]
    assert owners.tolist() == [-1 if s else n for n, s in zip(rows, short, strict=True)]

    words = read_words(store.folder, 4)
    found = card(store, words, 1, 1000)
    assert found.raised[0].token == BAD and found.raised[0].by == pytest.approx(20, rel=1e-6)
    assert found.lowered[0].token == GOOD and found.lowered[0].by == pytest.approx(-20, rel=1e-6)
    assert len(found.examples) == found.count == sum(found.counts)
    for example in found.examples:
        assert example.values[example.at] == pytest.approx(example.value)
        assert "Z" in "".join(example.pieces[: example.at + 1])  # what makes it fire stands at or before it
    assert card(store, words, 3).examples == () and card(store, words, 3).highest == 0


def test_a_capture_and_the_live_model_fill_the_same_store(tmp_path, text):
    saved = random_sae()
    live = fill(tmp_path / "live", saved, LiveSource(read(MODEL, text), 300))
    held = capture_text(MODEL, read(MODEL, text).spec, tmp_path / "acts", 300, shard_rows=100)
    kept = fill(tmp_path / "kept", saved, CaptureSource(held, "resid_post.1"))
    assert live.read == kept.read == 300
    for name in ("tokens", "documents", "owners", "rows", "row_feature", "columns", "column_token"):
        assert np.array_equal(live.arrays[name], kept.arrays[name]), name
    assert np.allclose(live.arrays["row_value"], kept.arrays["row_value"], atol=1e-5)
    with pytest.raises(UserError, match=r"resid_post.1, not 'mlp_out.0'"):
        CaptureSource(held, "mlp_out.0")


def killed(work, at):
    """Run `work` in a fork that kills itself when the builder notes its state for the n-th time."""
    child = os.fork()
    if child == 0:
        calls = [0]

        def counted(path, value):
            calls[0] += 1
            if calls[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, value)

        write, feature_build.write_json = feature_build.write_json, counted
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path, text, monkeypatch):
    monkeypatch.setattr(feature_fill, "SAVE_EVERY", 50)
    saved = random_sae(9)

    def build(name):
        return fill(tmp_path / name, saved, LiveSource(read(MODEL, text, context=3), 900))

    whole = arrays(build("whole").folder)
    for at in (1, 3, 5, 9):  # before anything stands, while reading, and while sorting
        assert killed(lambda: build("again"), at)
        assert not (tmp_path / "again").exists() and (tmp_path / ".half-again").exists()
        assert arrays(build("again").folder) == whole
        for file in (tmp_path / "again").iterdir():
            file.unlink()
        (tmp_path / "again").rmdir()
    assert killed(lambda: build("again"), 4)
    with pytest.raises(RunMismatch, match="same command"):
        fill(tmp_path / "again", random_sae(9, 2), LiveSource(read(MODEL, text), 900))


def test_a_store_that_stands_is_opened_and_another_is_refused(tmp_path, text):
    source = LiveSource(read(MODEL, text), 100)
    store = fill(tmp_path / "s", random_sae(), source)
    assert (fill(tmp_path / "s", random_sae(), source).counts() == store.counts()).all()
    with pytest.raises(UserError, match="there already"):
        fill(tmp_path / "s", random_sae(seed=2), source)
    with pytest.raises(UserError, match="belong together"):
        fill(tmp_path / "t", by_hand(), source)
    wide = SparseAutoencoder(Shape(16, 8, 2, "topk"))
    with pytest.raises(UserError, match="16 numbers a token"):
        fill(tmp_path / "t", SavedSae(wide, MODEL.fingerprint, "resid_post.1"), source)
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_an_autoencoder_that_names_the_models_other_precision_fills_a_store_there(tmp_path, text):
    half = tiny_model(dtype=torch.bfloat16)
    source = LiveSource(read(half, text), 100)
    with pytest.raises(UserError, match="belong together"):
        fill(tmp_path / "s", random_sae(), source)
    store = fill(tmp_path / "s", replace(random_sae(), also=(half.fingerprint,)), source)
    assert store.read == 100 and store.counts().sum() > 0


def test_reading_now_says_what_the_store_says(tmp_path, text):
    saved = random_sae()
    store = fill(tmp_path / "s", saved, LiveSource(read(MODEL, text), 10**6))
    ids = read_set([text], MODEL.tokenizer)
    found = list(read_features(MODEL, saved.sae, saved.address, ids, context=8, batch_tokens=40))
    assert [n for n, _ in found] == list(range(len(ids)))
    starts = np.cumsum([0, *map(len, ids)])
    entries = sorted((starts[n] + p, f) for n, s in found for p, f in zip(s.position, s.feature, strict=True))
    owner, feature, _ = store.at_tokens(np.arange(len(store.arrays["tokens"])))
    assert entries == sorted(zip(owner.tolist(), feature.tolist(), strict=True))
    quiet = read_features(MODEL, saved.sae, saved.address, ids, limit=0.0)
    assert not any(len(s.position) for _, s in quiet)


def test_activations_that_are_no_numbers_do_not_pass_for_silence(text):
    broken = tiny_model()
    broken.module.model.layers[1].mlp.down_proj.weight[3, 0] = float("nan")
    ids = read_set([text], broken.tokenizer)
    with pytest.raises(UserError, match=r"resid_post.1 .* not finite"):
        list(read_features(broken, random_sae().sae, "resid_post.1", ids))


def spots(*documents):
    nowhere = np.zeros(0)
    return [Spots(nowhere, np.array(d, dtype=np.int64), nowhere) for d in documents]


def test_a_difference_is_held_against_dealt_labels():
    one, other = fires_in(spots([1, 4], [1, 1], [1, 2]), 5), fires_in(spots([2], [4], []), 5)
    found = difference(one, other, deals=2000)
    first = found.apart[0]
    assert (first.feature, first.one, first.other) == (1, 1, 0) and first.z == pytest.approx(6**0.5)
    # Of the 20 ways to deal six documents, two put the three with feature 1 together: no other feature can
    # reach its z. 2,000 deals: four standard errors are 0.027.
    assert first.p == pytest.approx(0.1, abs=0.027) and found.clear == 0
    assert {a.feature for a in found.apart} == {1}  # 2 and 4 fire in one document of each set: z is 0
    again = difference(one, other, deals=2000)
    assert again == found and difference(other, one, deals=50).apart[0].z == -first.z


def test_a_planted_difference_is_clear_and_chance_is_not():
    random = np.random.default_rng(0)
    noise = [random.integers(0, 300, 40).tolist() for _ in range(80)]
    planted = [[*d, 7] if i < 40 else [x for x in d if x != 7] for i, d in enumerate(noise)]
    found = difference(fires_in(spots(*planted[:40]), 300), fires_in(spots(*planted[40:]), 300), deals=200)
    assert found.apart[0].feature == 7 and found.apart[0].p == pytest.approx(1 / 201) and found.clear == 1
    mixed = difference(fires_in(spots(*noise[::2]), 300), fires_in(spots(*noise[1::2]), 300), deals=200)
    assert mixed.clear == 0 and mixed.apart[0].p > 0.05 and abs(mixed.apart[0].z) < mixed.chance


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_what_the_norm_and_the_head_make_of_a_direction(family):
    model = tiny_model(family)
    parts, head = anatomy(model.module), unembedding(model)
    draw = torch.Generator().manual_seed(0)
    for d in torch.randn(3, 32, generator=draw):
        with torch.no_grad():
            seen = parts.head(parts.norm(1000 * d[None]))[0] - parts.head(parts.norm(0 * d[None]))[0]
        ours = head @ d
        assert torch.nn.functional.cosine_similarity(seen, ours, dim=0) > 1 - 1e-5


def test_neighbours_and_logits_on_disk_are_those_of_the_definition(tmp_path):
    sae = random_sae(700).sae
    write_words(tmp_path, MODEL, sae.decoder, "resid_post.1")
    words, head = read_words(tmp_path, 700), unembedding(MODEL)
    cosine = sae.decoder @ sae.decoder.T
    for feature in (0, 513, 699):
        order = cosine[feature].argsort(descending=True)
        assert words.near[feature].tolist() == order[1:11].tolist()
        logits = head @ sae.decoder[feature].detach()
        assert words.raised[feature].tolist() == logits.topk(10).indices.tolist()
        assert np.allclose(words.lowered_by[feature], logits.topk(10, largest=False).values, atol=1e-5)
    tensors = load_file(tmp_path / DIRECTIONS)
    assert tensors["near"].shape == (700, 10)
    with pytest.raises(BadFile, match="another number"):
        read_words(tmp_path, 9)
    (tmp_path / DIRECTIONS).write_bytes(b"no")
    with pytest.raises(BadFile, match="build the store again"):
        read_words(tmp_path, 700)


def test_a_character_belongs_to_the_token_that_completes_it(tmp_path):
    write_words(tmp_path, MODEL, torch.eye(3, 32), "resid_post.1")
    words = read_words(tmp_path, 3)
    said = "a ☃\n\x1b[31m<b>"
    pieces = words.pieces(text_ids(MODEL.tokenizer, said))
    assert "".join(pieces) == said and pieces[2:5] == ["", "", "☃"]
    assert words.pieces([text_ids(MODEL.tokenizer, "☃")[0]]) == ["�"] and words.pieces([-1]) == [""]
    assert token_bytes(MODEL.tokenizer)[MODEL.tokenizer.eos_token_id] == b"<|im_end|>"


def test_a_store_without_whom_each_stretch_is_from_is_refused(tmp_path, text):
    folder = fill(tmp_path / "s", random_sae(), LiveSource(read(MODEL, text), 100)).folder
    np.save(folder / "owners.npy", np.zeros(3, dtype=np.int64))
    with pytest.raises(BadFile, match=r"owners"):
        open_features(folder)
