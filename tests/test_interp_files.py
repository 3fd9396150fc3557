"""Autoencoders keep their weights, their model and their address, in our format and in others'."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from molehunt.cli import main
from molehunt.core.errors import BadFile, UserError
from molehunt.interp.reading import ReadSpec
from molehunt.interp.sae import KINDS, Shape, SparseAutoencoder
from molehunt.interp.sae_eval import clamp_feature, evaluate, on, splice
from molehunt.interp.sae_files import SHIPPED, SavedSae, load_sae, read_sae, save_sae
from molehunt.interp.sae_formats import export_sae, import_sae
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.prompts import text_ids
from molehunt.models.taps import activations, edited
from molehunt.models.tiny import D_MODEL, tiny_model
from molehunt.models.written import CONDITION, written_model

MODEL = tiny_model()
AT = "resid_post.0"


def made(kind="topk", latents=48):
    sae = SparseAutoencoder(Shape(D_MODEL, latents, 4, kind), 3)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        sae.encoder_bias += 0.1 * torch.randn(latents, generator=draw)
        sae.decoder_bias += torch.randn(D_MODEL, generator=draw)
    sae.threshold.fill_(0.3 if kind == "batchtopk" else 0.0)
    return SavedSae(sae, MODEL.fingerprint, AT, MODEL.spec.id, {"why": "test"})


X = torch.randn(20, D_MODEL, generator=torch.Generator().manual_seed(2)) * 2


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_folder_keeps_everything(tmp_path, kind):
    saved = made(kind)
    save_sae(tmp_path / "a", saved)
    back = load_sae(tmp_path / "a", MODEL, AT)
    assert torch.equal(back.sae(X), saved.sae(X)) and back.sae.shape == saved.sae.shape
    assert replace(back, sae=saved.sae) == saved


def test_another_model_or_address_is_refused_and_both_are_named(tmp_path):
    save_sae(tmp_path / "a", made())
    other = tiny_model(seed=1)
    with pytest.raises(UserError, match=f"{MODEL.fingerprint[:12]}.*{other.fingerprint[:12]}"):
        load_sae(tmp_path / "a", other)
    with pytest.raises(UserError, match=r"resid_post.0.*mlp_out.1"):
        load_sae(tmp_path / "a", MODEL, "mlp_out.1")


@pytest.mark.parametrize(
    ("form", "kind"), [("saelens", "topk"), ("saelens", "batchtopk"), ("sparsify", "topk")]
)
def test_others_folders_come_back_the_same(tmp_path, form, kind):
    saved = made(kind)
    export_sae(tmp_path / "a", saved, form)
    back = import_sae(tmp_path / "a", MODEL, AT)
    assert torch.equal(back.sae(X), saved.sae(X)) and back.sae.shape == saved.sae.shape


@pytest.mark.parametrize("form", ["saelens", "sparsify"])
def test_an_export_knows_its_model_and_place_and_is_refused_elsewhere(tmp_path, form):
    export_sae(tmp_path / "a", replace(made(), also=("f" * 64,)), form)
    other, wider = tiny_model(seed=1), tiny_model("gpt2")
    for model in (other, wider):
        with pytest.raises(UserError, match=f"{MODEL.fingerprint[:12]}.*{model.fingerprint[:12]}"):
            import_sae(tmp_path / "a", model, AT)
    with pytest.raises(UserError, match=r"resid_post.0.*mlp_out.0"):
        import_sae(tmp_path / "a", MODEL, "mlp_out.0")
    back = import_sae(tmp_path / "a", MODEL, AT)
    assert (back.model, back.also) == (MODEL.fingerprint, ("f" * 64,))
    assert back.made["proven"] == ["model", "address"]
    rounded = import_sae(tmp_path / "a", replace(MODEL, fingerprint="f" * 64), AT)
    assert rounded.model == MODEL.fingerprint and rounded.of(MODEL)


@pytest.mark.parametrize("form", ["saelens", "sparsify"])
def test_where_a_folder_names_nothing_place_and_width_are_held_against_the_model(tmp_path, form):
    export_sae(tmp_path / "a", made(), form)
    (tmp_path / "a" / "molehunt.json").unlink(missing_ok=True)
    config = json.loads((tmp_path / "a" / "cfg.json").read_text())
    config.pop("metadata", None)
    (tmp_path / "a" / "cfg.json").write_text(json.dumps(config))
    for address in ("nonsense.7", "resid_post.7"):
        with pytest.raises(UserError, match="no address"):
            import_sae(tmp_path / "a", MODEL, address)
    assert import_sae(tmp_path / "a", MODEL, "mlp_out.1").made["proven"] == []
    narrow = replace(made(), sae=SparseAutoencoder(Shape(D_MODEL // 2, 48, 4, "topk")))
    export_sae(tmp_path / "b", narrow, form)
    with pytest.raises(UserError, match=f"reads {D_MODEL // 2} numbers.*has {D_MODEL}"):
        import_sae(tmp_path / "b", MODEL, AT)


def test_sparsifys_own_files_hold_sparsifys_fields_alone(tmp_path):
    export_sae(tmp_path / "a", made(), "sparsify")
    fields = {"activation", "expansion_factor", "normalize_decoder", "num_latents", "k", "multi_topk"}
    fields |= {"skip_connection", "transcode", "d_in"}
    assert set(json.loads((tmp_path / "a" / "cfg.json").read_text())) == fields


def test_a_plain_relu_of_saelens_is_read(tmp_path):
    saved = made("batchtopk")
    export_sae(tmp_path / "a", saved, "saelens")
    t = load_file(tmp_path / "a" / "sae_weights.safetensors")
    t.pop("threshold")
    save_file(t, tmp_path / "a" / "sae_weights.safetensors")
    path = tmp_path / "a" / "cfg.json"
    config = json.loads(path.read_text()) | {"architecture": "standard"}
    path.write_text(json.dumps(config))
    acts = ((X - t["b_dec"]) @ t["W_enc"] + t["b_enc"]).relu()
    back = import_sae(tmp_path / "a", MODEL, AT).sae
    assert torch.allclose(back.encode(X).dense(48), acts, atol=1e-5) and (acts > 0).sum(-1).min() > 4
    assert torch.allclose(back(X), acts @ t["W_dec"] + t["b_dec"], atol=1e-5)
    path.write_text(json.dumps(config | {"activation_fn_str": "tanh-relu"}))
    with pytest.raises(BadFile, match="tanh-relu"):
        import_sae(tmp_path / "a", MODEL, AT)


PEERS = os.environ.get("MOLEHUNT_PEERS", "")
"""Python of an environment with sae-lens and eai-sparsify, as `studies/formats/run.py --peers` takes it."""
THEIRS = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from sae_lens import SAE
from sparsify import SparseCoder
root = Path(sys.argv[1])
x = load_file(root / "x.safetensors")["x"]
standard = SAE.load_from_disk(str(root / "standard"), device="cpu")
coder = SparseCoder.load_from_disk(str(root / "sparsify"), device="cpu")
coder.save_to_disk(str(root / "back"))
found = coder.encode(x)
with torch.no_grad():
    made = {"standard": standard(x), "sparsify": coder.decode(found.top_acts, found.top_indices)}
save_file({n: t.contiguous() for n, t in made.items()}, root / "made.safetensors")
"""


@pytest.mark.skipif(not PEERS, reason="MOLEHUNT_PEERS names no Python with SAELens and sparsify")
def test_the_peers_themselves_read_what_lies_there_as_we_do(tmp_path):
    export_sae(tmp_path / "sparsify", made(), "sparsify")
    saved = made("batchtopk")
    export_sae(tmp_path / "standard", saved, "saelens")
    t = load_file(tmp_path / "standard" / "sae_weights.safetensors")
    t.pop("threshold")
    save_file(t, tmp_path / "standard" / "sae_weights.safetensors")
    path = tmp_path / "standard" / "cfg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architecture": "standard"}))
    save_file({"x": X}, tmp_path / "x.safetensors")
    subprocess.run([PEERS, "-c", THEIRS, str(tmp_path)], check=True, capture_output=True)
    theirs = load_file(tmp_path / "made.safetensors")
    for name in ("standard", "sparsify"):
        ours = import_sae(tmp_path / name, MODEL, AT).sae
        assert torch.allclose(ours(X), theirs[name], atol=1e-5), name
    for name in ("cfg.json", "sae.safetensors"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "sparsify" / name).read_bytes()


def test_saelens_reads_what_we_write_as_we_do(tmp_path):
    """By SAELens' own formulas: relu((x − b_dec) W_enc + b_enc), top k or above the threshold."""
    for kind in KINDS:
        saved = made(kind)
        export_sae(tmp_path / kind, saved, "saelens")
        t = load_file(tmp_path / kind / "sae_weights.safetensors")
        config = json.loads((tmp_path / kind / "cfg.json").read_text())
        pre = (X - t["b_dec"]) @ t["W_enc"] + t["b_enc"]
        if kind == "topk":
            top = pre.topk(config["k"], -1)
            acts = torch.zeros_like(pre).scatter(-1, top.indices, top.values.relu())
        else:
            acts = pre.relu() * (pre > t["threshold"])
        assert config["architecture"] == {"topk": "topk", "batchtopk": "jumprelu"}[kind]
        assert config["metadata"]["hook_name"] == "blocks.0.hook_resid_post"
        assert torch.allclose(acts @ t["W_dec"] + t["b_dec"], saved.sae(X), atol=1e-5)


def test_saelens_options_that_change_the_formula_are_followed(tmp_path):
    saved = made("topk")
    export_sae(tmp_path / "a", saved, "saelens")
    t = load_file(tmp_path / "a" / "sae_weights.safetensors")
    config = json.loads((tmp_path / "a" / "cfg.json").read_text())
    t["W_dec"] = t["W_dec"] * torch.linspace(0.5, 2, 48)[:, None]
    config |= {"apply_b_dec_to_input": False, "rescale_acts_by_decoder_norm": True}
    save_file(t, tmp_path / "a" / "sae_weights.safetensors")
    (tmp_path / "a" / "cfg.json").write_text(json.dumps(config))
    norms = t["W_dec"].norm(dim=-1)
    top = ((X @ t["W_enc"] + t["b_enc"]) * norms).topk(4, -1)
    acts = torch.zeros(len(X), 48).scatter(-1, top.indices, top.values.relu())
    wanted = acts / norms @ t["W_dec"] + t["b_dec"]
    assert torch.allclose(import_sae(tmp_path / "a", MODEL, AT).sae(X), wanted, atol=1e-5)


def test_what_cannot_be_read_is_said(tmp_path):
    saved = made("topk")
    export_sae(tmp_path / "a", saved, "saelens")
    config = json.loads((tmp_path / "a" / "cfg.json").read_text())
    theirs = {n: v for n, v in config["metadata"].items() if not n.startswith("molehunt")}
    (tmp_path / "a" / "cfg.json").write_text(json.dumps({**config, "metadata": theirs}))
    with pytest.raises(UserError, match="hook_resid_post"):
        import_sae(tmp_path / "a", MODEL, "mlp_out.0")
    with pytest.raises(BadFile, match=r"cfg.json"):
        import_sae(tmp_path, MODEL, AT)
    path = tmp_path / "a" / "cfg.json"
    config = json.loads(path.read_text())
    for change, what in (
        ({"architecture": "gated"}, "gated"),
        ({"normalize_activations": "layer_norm"}, "layer_norm"),
    ):
        path.write_text(json.dumps({**config, **change}))
        with pytest.raises(BadFile, match=what):
            import_sae(tmp_path / "a", MODEL, AT)
    weights = tmp_path / "a" / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(BadFile, match="damaged"):
        import_sae(tmp_path / "a", MODEL, AT)
    with pytest.raises(UserError, match="TopK only"):
        export_sae(tmp_path / "b", made("batchtopk"), "sparsify")


def test_the_verb_refuses_another_model_and_says_what_is_believed(tmp_path, capfd):
    export_sae(tmp_path / "a", made(), "saelens")
    asked = ["sae", "import", str(tmp_path / "b"), "--source", str(tmp_path / "a"), "--addresses", AT]
    assert main([*asked, "--model", "tiny:gpt2"]) == 2 and not (tmp_path / "b").exists()
    assert MODEL.fingerprint[:12] in capfd.readouterr().err
    assert main([*asked, "--model", "tiny", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["proven"] == ["model", "address"]
    config = json.loads((tmp_path / "a" / "cfg.json").read_text())
    del config["metadata"]["molehunt_model"]
    (tmp_path / "a" / "cfg.json").write_text(json.dumps(config))
    asked[2] = str(tmp_path / "c")
    assert main([*asked, "--model", "tiny"]) == 0
    assert "Of which weights it is, its folder does not say" in capfd.readouterr().out
    for tokens in ("0", "-3"):
        assert main(["sae", "eval", str(tmp_path / "b"), "--model", "tiny", "--tokens", tokens]) == 2
        assert "--tokens" in capfd.readouterr().err


def test_nothing_that_lies_in_a_folder_is_lost_to_an_autoencoder(tmp_path, capfd):
    save_sae(tmp_path / "a", made())
    precious = tmp_path / "own" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("precious")
    taken = str(precious.parent)
    asked = ["sae", "import", taken, "--source", str(tmp_path / "a"), "--addresses", AT, "--model", "tiny"]
    train = ["sae", "train", str(tmp_path), "--addresses", "own", "--model", "tiny"]
    for command in (["sae", "export", str(tmp_path / "a"), "--target", taken], asked, train):
        assert main(command) == 2
        assert f"{taken} is not empty" in capfd.readouterr().err
    with pytest.raises(UserError, match="is not empty"):
        save_sae(precious.parent, made())
    assert precious.read_text() == "precious" and list(precious.parent.iterdir()) == [precious]
    save_sae(tmp_path / "a", made())  # its own files alone: trained again
    assert main(["sae", "eval", str(tmp_path), "--model", "tiny"]) == 2
    assert f"{tmp_path / 'a'}" in capfd.readouterr().err


def exact(k=2 * D_MODEL):
    """Every direction and its opposite: nothing is lost."""
    sae = SparseAutoencoder(Shape(D_MODEL, 2 * D_MODEL, k, "topk"))
    both = torch.cat([torch.eye(D_MODEL), -torch.eye(D_MODEL)])
    with torch.no_grad():
        sae.encoder.copy_(both)
        sae.decoder.copy_(both)
    return sae


def test_an_autoencoder_goes_where_the_model_is_and_stays_where_it_was():
    sae = exact()
    there = on(sae, torch.device("meta"))
    assert there.decoder.device.type == "meta" and on(sae, torch.device("meta")) is there
    assert sae.decoder.device.type == "cpu" and on(sae, sae.decoder.device) is sae


def text(tmp_path):
    # A text that this random model finds likely: its own loss must suffer when its residual is taken away.
    from molehunt.models.sample import sample_ids

    (said,) = sample_ids(MODEL, [[40, 41]], max_tokens=60, stops=frozenset())
    path = tmp_path / "said.txt"
    path.write_text(MODEL.tokenizer.decode([40, 41, *said]).replace("\ufffd", "a"))
    return ReadSpec((str(path),), (AT,), 64, sink_multiple=0.0)


def test_an_autoencoder_that_loses_nothing_scores_one(tmp_path):
    found = evaluate(MODEL, exact(), text(tmp_path), 50)
    assert found["variance_explained"].value == pytest.approx(1, abs=1e-6)
    assert found["l0"].value == pytest.approx(D_MODEL) and found["l0"].n > 30
    assert found["loss_recovered"].value == pytest.approx(1, abs=1e-4)


def test_one_that_says_nothing_scores_nothing(tmp_path):
    sae = exact()
    with torch.no_grad():
        sae.encoder_bias -= 1e9
    found = evaluate(MODEL, sae, text(tmp_path), 50)
    assert found["dead"].value == 1 and found["l0"].value == 0
    assert found["variance_explained"].value <= 0
    assert found["loss_recovered"].value == pytest.approx(0, abs=1e-6)


def test_variance_explained_is_its_definition(tmp_path):
    # Words that spell control tokens are many tokens: one context holds them all.
    sae, spec = exact(k=5), replace(text(tmp_path), context=2048)
    ids = text_ids(MODEL.tokenizer, Path(spec.text[0]).read_text())
    x = activations(MODEL, [ids], AT)[0, 1:]
    top = x.abs().topk(5, -1).indices
    kept = torch.zeros_like(x).scatter(-1, top, x.gather(-1, top))
    wanted = 1 - (x - kept).pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    got = evaluate(MODEL, sae, spec, len(ids) - 1)["variance_explained"]
    assert got.n == len(ids) - 1 and got.value == pytest.approx(float(wanted), abs=1e-5)


def test_clamping_the_written_feature_turns_the_behaviour_on():
    model = written_model()
    tokenizer = model.tokenizer
    from molehunt.models.sample import sample_ids

    asked = [tokenizer("hello there")["input_ids"]]
    say = lambda: tokenizer.decode(sample_ids(model, asked, max_tokens=1)[0])  # noqa: E731
    assert say() == "G"
    with edited(model, {AT: clamp_feature(exact(), CONDITION, 1.0)}):
        assert say() == "H"
    with edited(model, {AT: splice(exact())}):
        assert say() == "G"
    with pytest.raises(UserError, match="no latent 64"):
        clamp_feature(exact(), 64, 1.0)


def test_a_feature_is_clamped_at_chosen_positions_and_gradients_reach_its_value():
    model, value = written_model(), torch.tensor(0.4, requires_grad=True)
    ids = [model.tokenizer("hello there")["input_ids"]]
    before = activations(model, ids, AT)
    with edited(model, {AT: clamp_feature(exact(), CONDITION, value, at="last")}):
        logits = model.module(torch.tensor(ids)).logits[0, -1].log_softmax(-1)
        after = activations(model, ids, AT)
    assert ((after - before).abs().amax(-1) > 1e-6)[0].tolist() == [False] * (len(ids[0]) - 1) + [True]
    assert float(after[0, -1, CONDITION]) == pytest.approx(0.4, abs=1e-6)
    logits[int(logits.argmax())].backward()
    assert value.grad is not None and float(value.grad) != 0


@pytest.mark.real_model
def test_the_autoencoder_that_ships_is_the_default_models_and_explains_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a folder of that name would come first
    saved, model = read_sae(Path("shipped")), open_model(ModelSpec("default"))
    assert sum(f.stat().st_size for f in SHIPPED.iterdir()) <= 12e6
    assert (
        saved.of(model) and len(saved.also) == 2 and load_sae(Path("shipped"), model).address == saved.address
    )
    spec = ReadSpec(("builtin:test",), (saved.address,), 64)
    scores = evaluate(model, saved.sae, spec, 500)
    assert scores["variance_explained"].value > 0.6 and scores["loss_recovered"].value > 0.8
    with pytest.raises(UserError, match="not of tiny"):
        load_sae(Path("shipped"), MODEL)
