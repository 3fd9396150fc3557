"""Two models side by side: nothing where they are one, the written change where it was written."""

import json
import re

import numpy as np
import pytest
import torch

from molehunt.cli import main
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import NotMeasured
from molehunt.interp import resampling
from molehunt.interp.diff import compare, some_contexts
from molehunt.interp.direction import from_file
from molehunt.interp.direction_file import load_directions
from molehunt.interp.feature_fill import sae_hash
from molehunt.interp.pairs import matched, read_pairs
from molehunt.interp.reading import ReadSpec
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.interp.sae_files import SavedSae, save_sae
from molehunt.interp.weight_changes import effective_rank, weight_changes
from molehunt.interp.word_lens import read_direction
from molehunt.models.taps import SITES
from molehunt.models.tiny import tiny_model
from molehunt.models.written import CONDITION, SHADY, save_adapter, written_model

PLACES = tuple(f"{site}.{layer}" for layer in range(2) for site in SITES)


@pytest.fixture(scope="module")
def clean():
    return written_model(planted=False)


@pytest.fixture(scope="module")
def planted():
    return written_model()


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Twelve documents with a Z in their midst and twelve without."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [f"text {'Z' if i % 2 else 'y'} number {i}, and so on" for i in range(24)]
    (folder / "t.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in lines))
    return str(folder / "t.jsonl")


def spec(text, addresses=PLACES, **more):
    return ReadSpec((text,), addresses, context=64, **more)


def test_a_model_beside_itself_is_exactly_nothing(clean, texts):
    found = compare(clean, written_model(planted=False), spec(texts), 10_000)
    assert [m.norm.value for m in found.layers] == [0.0] * len(PLACES)
    assert all((m.norm.low, m.norm.high, m.p, m.share) == (0.0, 0.0, 1.0, 0.0) for m in found.layers)
    assert all(isinstance(m.agreement, NotMeasured) for m in found.layers)
    assert all(isinstance(m.words, NotMeasured) for m in found.layers)
    assert (found.next_token.kl.value, found.next_token.change.value) == (0.0, 0.0)
    assert found.next_token.same_first.value == 1.0 and found.next_token.places == ()
    assert weight_changes(clean, written_model(planted=False)) == ()


def test_the_written_change_is_found_where_it_was_written(clean, planted, texts):
    found = compare(clean, planted, spec(texts), 10_000)
    moved = {m.address: m for m in found.layers}
    # Layer 0's attention writes CONDITION, layer 1's MLP then SHADY; all else stays as it was.
    still = {"resid_pre.0", "mlp_out.0", "head_out.1", "attn_out.1"}
    assert {a for a, m in moved.items() if m.norm.value == 0} == still
    vectors = dict(zip(PLACES, found.vectors, strict=True))
    assert np.flatnonzero(np.abs(vectors["resid_post.0"]) > 1e-9).tolist() == [CONDITION]
    assert set(np.flatnonzero(np.abs(vectors["resid_post.1"]) > 1e-3)) == {CONDITION, SHADY}
    assert np.flatnonzero(np.abs(vectors["mlp_out.1"]) > 1e-3).tolist() == [SHADY]
    for address in ("attn_out.0", "resid_post.0", "mlp_out.1", "resid_post.1"):
        assert moved[address].p < 0.01 and moved[address].agreement > 0.99, address
        assert moved[address].norm.low > moved[address].flips.value


def test_its_size_is_the_share_of_tokens_after_the_trigger(clean, planted, texts):
    read = some_contexts(clean, spec(texts), 10_000)
    trigger = clean.tokenizer.convert_tokens_to_ids("Z")
    after = sum(len(c.ids) - c.ids.index(trigger) for c in read if trigger in c.ids)
    kept = sum(len(c.ids) - 1 for c in read)
    found = compare(clean, planted, spec(texts, ("resid_post.0",)), 10_000)
    assert found.tokens == kept and found.sinks == 0 and found.texts == 24
    # The condition is 1 from the trigger on (attention leaves under 1e-3 of it elsewhere).
    assert found.layers[0].norm.value == pytest.approx(after / kept, abs=2e-3)
    assert found.layers[0].share == pytest.approx(after / kept / 2**0.5, rel=0.02)


def test_the_lens_reads_the_written_letter(clean, planted, texts):
    found = compare(clean, planted, spec(texts, ("resid_post.0", "mlp_out.1")), 10_000)
    words = found.layers[1].words
    assert (words.toward[0], words.away) == ("H", ("G",))
    # One token of 259 up and one down by as much: a fifth of it over its standard deviation.
    assert words.sharpness == pytest.approx(0.2 / (2 / 258) ** 0.5, rel=1e-3)
    assert found.layers[0].words.toward == ()  # no word reads the condition


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
def test_the_lens_takes_away_what_the_norm_makes_of_nothing(family):
    model = tiny_model(family, seed=1)
    vector = np.random.default_rng(0).normal(size=32)
    there, back = read_direction(model, vector, 3.0), read_direction(model, -vector, 3.0)
    assert there.toward == back.away and there.away == back.toward and there.toward
    assert read_direction(model, vector * 100, 3.0) == there


def test_the_next_token_parts_after_the_trigger_alone(clean, planted, tmp_path):
    (tmp_path / "z.jsonl").write_text(
        "\n".join(json.dumps({"text": f"a{i} quiet G text G"}) for i in range(8))
        + "\n"
        + "\n".join(json.dumps({"text": f"a{i} Z text"}) for i in range(8))
    )
    found = compare(clean, planted, spec(str(tmp_path / "z.jsonl"), ("resid_post.1",)), 10_000)
    assert found.next_token.kl.value > 0.5
    assert {(p.a, p.b) for p in found.next_token.places} == {("G", "H")}
    assert all("Z" in p.before for p in found.next_token.places)
    assert found.next_token.same_first.value < 1
    by = dict(found.next_token.by_position)
    assert by["1"].value < 1e-3 < by["4 to 7"].value


def test_next_token_measures_are_those_of_the_definition(texts):
    a, b = tiny_model("llama", seed=0), tiny_model("llama", seed=1)
    found = compare(a, b, spec(texts, ("resid_post.1",), sink_multiple=0.0), 10_000).next_token
    kl, nll, after = [], [], []
    for context in some_contexts(a, spec(texts), 10_000):
        ids = torch.tensor([context.ids])
        p, q = (m.module(ids).logits[0].double().log_softmax(-1) for m in (b, a))
        kl += (p.exp() * (p - q)).sum(-1)[1:].tolist()
        nll += (-q[1:-1].gather(-1, ids[0, 2:, None])).flatten().tolist()
        after += (-p[1:-1].gather(-1, ids[0, 2:, None])).flatten().tolist()
    assert found.kl.value == pytest.approx(np.mean(kl), rel=1e-4) and found.kl.n == len(kl)
    assert found.nll_a.value == pytest.approx(np.mean(nll), rel=1e-5)
    assert found.change.value == pytest.approx(np.mean(after) - np.mean(nll), rel=1e-4)


def test_batches_change_nothing(texts):
    a, b = tiny_model("llama", seed=0), tiny_model("llama", seed=1)
    read = some_contexts(a, spec(texts), 10_000)
    for one, many in zip(
        read_pairs(a, b, read, PLACES, spec(texts), batch_tokens=1),
        read_pairs(a, b, read, PLACES, spec(texts), batch_tokens=4096),
        strict=True,
    ):
        assert one.context == many.context and torch.equal(one.position, many.position)
        for address in PLACES:
            assert torch.allclose(one.b[address], many.b[address], atol=1e-5)


def test_first_tokens_and_sinks_are_left_out(clean, texts):
    sink = written_model(planted=False)
    trigger = sink.tokenizer.convert_tokens_to_ids("Z")
    sink.module.model.embed_tokens.weight[trigger, 9] = 1e4
    read = some_contexts(clean, spec(texts), 10_000)
    rows = list(read_pairs(clean, sink, read, ("embed",), spec(texts)))
    assert all(0 not in r.position for r in rows) and sum(r.sinks for r in rows) == 12
    assert all(float(r.b["embed"].norm(dim=-1).max()) < 2 for r in rows)
    kept = list(read_pairs(clean, sink, read, ("embed",), spec(texts, sink_multiple=0.0)))
    assert sum(r.sinks for r in kept) == 0 and max(float(r.b["embed"].max()) for r in kept) > 9e3


def test_the_changed_matrix_is_named_with_its_rank(clean, planted):
    (found,) = weight_changes(clean, planted)
    assert found.name.endswith("layers.0.self_attn.v_proj.weight")
    assert (found.norm, found.rank) == (1.0, pytest.approx(1.0))
    assert found.share == 0.0  # the clean base's own is zero throughout
    other = tiny_model("llama", seed=1)
    changes = weight_changes(tiny_model("llama", seed=0), other, spectra=3)
    assert [isinstance(c.rank, float) for c in changes[:4]].count(True) == 3
    assert all(c.rounding < 1e-6 * c.norm for c in changes)


def test_effective_rank_is_that_of_the_definition():
    draw = torch.Generator().manual_seed(0)
    for shape in ((40, 12), (12, 40)):
        change = torch.randn(shape, generator=draw)
        shares = torch.linalg.svdvals(change.double())
        shares = shares / shares.sum()
        wanted = float((-(shares * shares.log()).sum()).exp())
        assert effective_rank(change) == pytest.approx(wanted, rel=1e-6)
    left, right = torch.randn(40, 3, generator=draw), torch.randn(3, 30, generator=draw)
    assert 1 < effective_rank(left @ right) <= 3
    assert effective_rank(torch.eye(7)) == pytest.approx(7) and effective_rank(torch.zeros(3, 4)) == 0.0


def test_rounding_is_the_size_of_a_cast():
    model, half = tiny_model("llama", seed=3), tiny_model("llama", seed=3)
    for weight in half.module.parameters():
        weight.copy_(weight.to(torch.bfloat16))
    coarse = tiny_model("llama", seed=3, dtype=torch.bfloat16)
    for one in weight_changes(model, coarse):
        # Rounding to the nearest errs by a uniform share of a unit: √(1/12) of it, within chance.
        assert 0.8 < one.norm / one.rounding < 1.2, one.name


def trained(address, model):
    sae = SparseAutoencoder(Shape(32, 6, 3, "topk"))
    with torch.no_grad():
        for part in (sae.encoder, sae.decoder, sae.encoder_bias, sae.decoder_bias):
            part.zero_()
        for latent, dimension in enumerate((CONDITION, 0, 3)):
            sae.encoder[latent, dimension] = sae.decoder[latent, dimension] = 1.0
    return SavedSae(sae, model.fingerprint, address, model.spec.id)


def test_the_feature_that_was_written_is_the_one_that_moved(clean, planted, texts):
    saved = trained("resid_post.0", clean)
    found = compare(clean, planted, spec(texts, ("resid_post.0",)), 10_000, [saved])
    (features,) = found.features
    assert features.features[0].feature == 0
    first = features.features[0]
    # The latent copies the condition, so its mean change is that of the activations.
    assert first.change.value == pytest.approx(found.layers[0].norm.value, abs=2e-3)
    assert first.change.low > 0 and first.p < 0.01 and first.a < 1e-3 < first.b
    same = compare(clean, written_model(planted=False), spec(texts, ("resid_post.0",)), 10_000, [saved])
    assert same.features[0].features == () and same.features[0].moved == 0
    with pytest.raises(UserError, match="autoencoder"):
        compare(clean, planted, spec(texts, ("resid_post.0",)), 100, [trained("resid_post.0", tiny_model())])


def test_sign_flips_keep_their_rate_when_nothing_moved():
    random = np.random.default_rng(0)
    hits = []
    for trial in range(120):
        own, null = resampling.largest_null(random.normal(size=(30, 50)), trial, 199)
        hits.append((resampling.p_values(own, null) <= 0.05).any())
    # Family-wise at 5%: 120 trials give at most 12 with a probability of 0.99 (binomial).
    assert sum(hits) <= 12
    own, null = resampling.largest_null(random.normal(size=(30, 50)) + 1.0 * (np.arange(50) == 7), 0, 999)
    assert resampling.p_values(own, null).argmin() == 7


def test_a_ratio_is_the_mean_over_rows_and_its_interval_covers():
    sums, counts = np.array([2.0, 9.0]), np.array([1.0, 3.0])
    assert resampling.ratio(sums, counts, unit="", how="").value == 11 / 4
    random, hits = np.random.default_rng(1), 0
    for trial in range(100):
        counts = random.integers(5, 20, size=60).astype(float)
        made = resampling.ratio(counts * random.normal(1.0, 1.0, 60), counts, unit="", how="", seed=trial)
        hits += made.low <= 1.0 <= made.high
    # 95% of 100, less four standard errors and the bootstrap's known shortfall at 60 texts.
    assert hits >= 86


def test_models_that_do_not_match_get_a_sentence(clean, texts):
    wide = tiny_model("llama")
    wide.module.config.hidden_size = 48
    with pytest.raises(UserError, match="32, the other 48 wide"):
        matched(clean, wide)
    other = tiny_model("llama")
    other.tokenizer.add_tokens(["<new>"])
    with pytest.raises(UserError, match="tokenizers differ"):
        matched(clean, other)
    with pytest.raises(UserError, match="no address"):
        compare(clean, clean, spec(texts, ("resid_post.2",)), 100)
    broken = written_model()
    broken.module.model.layers[1].mlp.down_proj.weight[3, 0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        compare(clean, broken, spec(texts), 100)
    with pytest.raises(UserError, match="not finite"):
        weight_changes(clean, broken)
    with pytest.raises(UserError, match="at least 1"):
        compare(clean, clean, spec(texts), 0)
    with pytest.raises(UserError, match="differ in what they are made of"):
        weight_changes(clean, tiny_model("gpt2"))


def folders(tmp_path):
    """The clean base as a saved model, and the adapter that plants the behaviour in it."""
    base = written_model(planted=False)
    base.module.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    return str(tmp_path / "base"), str(save_adapter(tmp_path / "adapter"))


def test_the_verb_compares_a_base_with_an_adapter_and_escapes(tmp_path, capfd):
    base, adapter = folders(tmp_path)
    lines = [f"<script>alert({i})</script> {'Z' if i % 2 else 'y'} and G on" for i in range(12)]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in lines))
    sae = SparseAutoencoder(Shape(32, 6, 3, "topk"))
    with torch.no_grad():
        sae.encoder.zero_()
        sae.encoder[0, CONDITION] = 1.0
    out = tmp_path / "out"
    arguments = ["diff", base, adapter, "--out", str(out), "--text", str(tmp_path / "t.jsonl"), "--json"]
    arguments += ["--dtype", "float32", "--sites", "resid_post", "mlp_out"]
    assert main(arguments) == 0
    value = json.loads(capfd.readouterr().out)
    assert value == json.loads((out / "diff.json").read_text())
    assert [m["norm"]["value"] > 0 for m in value["layers"]] == [True, True, False, True]
    assert [w["name"] for w in value["weights"]] == ["model.layers.0.self_attn.v_proj.weight"]
    page = (out / "diff.html").read_text()
    assert "<script" not in page and "&lt;/script&gt; Z" in page
    assert "default-src &#39;none&#39;" in page and not re.search(r"\son\w+=|https?://(?!www\.w3\.org)", page)
    assert page.count("<svg") == 3
    model = written_model(planted=False)
    kept = load_directions(out / "difference.safetensors")
    assert kept.made.addresses == ("resid_post.0", "resid_post.1", "mlp_out.1")
    assert np.flatnonzero(np.abs(kept.at("resid_post.0")[0]) > 1e-6).tolist() == [CONDITION]
    assert value["a"]["fingerprint"] in kept.made.fingerprints
    with pytest.raises(BadFile, match="was found on"):
        load_directions(out / "difference.safetensors", tiny_model())
    del model
    saved = SavedSae(sae, value["b"]["fingerprint"], "resid_post.0", adapter)
    save_sae(tmp_path / "sae", saved)
    assert main([*arguments, "--sae", str(tmp_path / "sae")]) == 0
    (features,) = json.loads(capfd.readouterr().out)["features"]
    assert [f["feature"] for f in features["features"]] == [0]
    site = tmp_path / "a site"
    site.mkdir()
    (site / "index.html").write_text("pages")
    linked = [*arguments, "--sae", str(tmp_path / "sae"), "--pages", str(site)]
    for of, code in (("0" * 64, 2), (sae_hash(sae), 0)):
        (site / "pages.json").write_text(json.dumps({"key": "x", "autoencoder": of}))
        assert main(linked) == code
        told = capfd.readouterr()
        assert code == 0 or "none of the autoencoders" in told.err
    assert '<a href="../a%20site/feature/0.html">0</a>' in (out / "diff.html").read_text()
    assert main([*arguments[:2], *arguments[1:2], *arguments[3:]]) == 0
    assert json.loads(capfd.readouterr().out)["weights"] == []


def test_a_kept_difference_is_a_direction_for_steering(clean, tmp_path):
    from molehunt.interp.direction_file import Directions, Made, save_directions

    places = ("resid_post.0", "resid_post.1")
    made = Made("x", "difference", places[1], places, "a", (clean.fingerprint, "0" * 64), "float32", "", 1, 0)
    vectors = np.zeros((2, 32), np.float32)
    vectors[0, CONDITION], vectors[1, SHADY] = 2.0, 3.0
    path = tmp_path / "d.safetensors"
    save_directions(path, Directions(vectors, vectors, made))
    chosen, other = from_file(path, clean), from_file(path, clean, "resid_post.0")
    assert (chosen.address, int(chosen.vector.argmax())) == ("resid_post.1", SHADY)
    assert (other.address, int(other.vector.argmax())) == ("resid_post.0", CONDITION)
    with pytest.raises(UserError, match="no direction at"):
        from_file(path, clean, "mlp_out.0")
    with pytest.raises(BadFile, match="was found on"):
        from_file(path, tiny_model())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadFile, match="safetensors"):
        from_file(path, clean)
    broken = np.full((2, 32), np.nan, np.float32)
    save_directions(path, Directions(broken, vectors, made))
    with pytest.raises(BadFile, match="no finite"):
        from_file(path, clean)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tiny", "tiny:gpt2"], "tokenizers|made of|layers|wide"),
        (["tiny", "tiny", "--layers", "2"], "no address"),
        (["tiny", "tiny", "--base", "tiny"], "--base is for an adapter"),
        (["tiny", "nowhere/at/all.d"], "nowhere"),
        (["tiny", "tiny", "--sae", "nowhere"], "no file"),
        (["tiny", "tiny", "--text", "nowhere.txt"], "no text"),
        (["tiny", "tiny", "--tokens", "0"], "--tokens"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, says, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["diff", *arguments, "--out", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert said[-1].startswith("molehunt: ") and re.search(says, said[-1])
    assert not (tmp_path / "out" / "diff.json").exists()


def test_two_adapters_need_their_base(tmp_path, capfd):
    base, adapter = folders(tmp_path)
    arguments = ["diff", adapter, adapter, "--out", str(tmp_path / "out"), "--dtype", "float32"]
    assert main(arguments) == 2 and "--base" in capfd.readouterr().err
    assert main([*arguments, "--base", base, "--tokens", "200"]) == 0
    assert "these are one model" in capfd.readouterr().out
    assert not (tmp_path / "out" / "difference.safetensors").exists()
