"""Crosscoders: what one model alone has is found as its own, and what only seems so is not."""

import json
from dataclasses import dataclass

import pytest
import torch

from molehunt.cli import main
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.cross_features import Crossing
from molehunt.interp.crosscoder import PairFlow, evaluate_pair, half
from molehunt.interp.diff import compare
from molehunt.interp.pairs import GROUP, Rows
from molehunt.interp.reading import Context, ReadSpec
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.interp.sae_eval import evaluate
from molehunt.interp.sae_files import SavedSae, load_sae, read_sae, save_sae
from molehunt.interp.sae_formats import export_sae
from molehunt.interp.sae_site import TrainSpec
from molehunt.interp.sae_train import train
from molehunt.models.tiny import tiny_model
from molehunt.models.written import CONDITION, save_adapter, written_model

D, SHARED, OWN, ACTIVE = 16, 20, 4, 3
AT = "resid_post.0"


@dataclass(frozen=True)
class Made:
    """Two models' sums of few of 24 hidden directions, four of them B's alone; B is three times as loud."""

    addresses: tuple[str, ...] = (AT,)
    model: str = "made"
    origin: str = "made"
    models: int = 2

    def blocks(self, start):
        drawn = torch.randn(SHARED + OWN, D, generator=torch.manual_seed(0))
        to_b = torch.nn.functional.normalize(drawn, dim=-1)
        to_a = to_b.clone()
        to_a[SHARED:] = 0
        while True:
            draw = torch.Generator().manual_seed(start)
            chosen = torch.rand(512, SHARED + OWN, generator=draw).topk(ACTIVE, -1).indices
            sizes = (1 + torch.rand(512, ACTIVE, generator=draw))[..., None]
            start += 1
            yield start, {AT: torch.cat([(to[chosen] * sizes).sum(1) for to in (to_a, 3 * to_b)], -1)}


@pytest.fixture(scope="module")
def made():
    return train(Made(), TrainSpec(48, ACTIVE, "batchtopk", 90_000, 256, 5e-3, 5_000, pool_rows=1024))[AT]


@pytest.fixture(scope="module")
def pair():
    return written_model(planted=False), written_model()


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "t.jsonl"
    lines = [f"text {'Z' if i % 2 else 'y'} number {i}, and so on" for i in range(40)]
    path.write_text("\n".join(json.dumps({"text": t}) for t in lines))
    return str(path)


def crossing(sae, x, texts=8):
    """What `Crossing` gathers from rows [rows, both] in `texts` equal texts."""
    gathered = Crossing(SavedSae(sae, "", AT))
    for i, some in enumerate(x.chunk(texts)):
        a, b = ({AT: half(some, side)} for side in "ab")
        gathered.see(Rows(Context(i, i, ()), a, b, torch.arange(len(some)), 0))
    return gathered


def found(sae, x, texts=8):
    import numpy as np

    return crossing(sae, x, texts).found(tiny_model(), np.arange(texts), "documents", 0)


def test_what_one_model_alone_has_is_found_as_its_own(made):
    _, block = next(Made().blocks(10**6))
    x = block[AT]
    left = (x - made(x)).pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    assert left < 0.2
    drawn = torch.randn(SHARED + OWN, D, generator=torch.manual_seed(0))
    drawn = torch.nn.functional.normalize(drawn, dim=-1)
    likeness = torch.nn.functional.normalize(half(made.decoder.detach(), "b"), dim=-1) @ drawn.T
    best = likeness.max(0)
    assert (best.values > 0.9).float().mean() > 0.8
    side = crossing(made, x).side
    clear = [i for i in range(SHARED + OWN) if best.values[i] > 0.95]
    # B's part of a shared latent is three times as long, as B's activations are: ½ + ½ · ⅔.
    shared = [side[best.indices[i]] for i in clear if i < SHARED]
    own = [side[best.indices[i]] for i in clear if i >= SHARED]
    assert len(own) >= 3 and min(own) > 0.95
    assert len(shared) >= 12 and max(shared) < 0.92


def test_units_of_each_model_are_folded_in():
    shape = Shape(2 * D, 12, 3, "topk", 2)
    sae = SparseAutoencoder(shape).double()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in (sae.encoder, sae.decoder, sae.encoder_bias, sae.decoder_bias):
            part.copy_(torch.randn(part.shape, generator=draw, dtype=torch.float64) * 0.3)
        sae.unit_norm()
    x = torch.randn(20, 2 * D, generator=draw, dtype=torch.float64)
    scales = torch.tensor([2.0] * D + [5.0] * D, dtype=torch.float64)
    wanted, code = sae(x * scales) / scales, sae.encode(x * scales)
    sae.rescaled((2.0, 5.0))
    assert torch.allclose(sae(x), wanted, atol=1e-6)
    assert torch.equal(sae.encode(x).latents, code.latents)


def by_hand(shared_too):
    """Two latents along dimension 0; what A has of it is latent 1's alone, or nobody's, or not there."""
    sae = SparseAutoencoder(Shape(64, 2, 2, "topk", 2))
    with torch.no_grad():
        for part in (sae.encoder, sae.decoder, sae.encoder_bias, sae.decoder_bias):
            part.zero_()
        sae.encoder[0, 32] = sae.decoder[0, 32] = 1.0  # B's dimension 0
        if shared_too:
            sae.encoder[1, 0] = sae.decoder[1, 0] = 1.0  # A's dimension 0
    return sae


@pytest.mark.parametrize("a_has_it", [True, False])
def test_a_latent_that_only_seems_exclusive_is_told_from_one_that_is(a_has_it):
    size = 1 + torch.rand(200, generator=torch.manual_seed(0))
    x = torch.zeros(200, 64)
    x[:, 32] = size
    if a_has_it:
        x[:, 0] = size  # and the crosscoder leaves it in A's error
    features = found(by_hand(False), x)
    (one,) = features.most_b
    assert (one.feature, one.side, features.own_b, features.own_a) == (0, 1.0, 1, 0)
    assert isinstance(one.cosine, NotMeasured)
    for nu in (one.nu_left, one.nu_all):
        assert isinstance(nu, Measure) and nu.n == 200
        assert nu.value == pytest.approx(1.0 if a_has_it else 0.0, abs=1e-5)
    assert one.fires == 1.0 and one.active == pytest.approx(float(size.mean()), rel=1e-5)
    assert features.explained_b == pytest.approx(1.0)
    assert sum(features.sides) == features.counted == 1


def test_two_latents_that_split_one_between_the_models_are_told_by_the_whole_activation():
    x = torch.zeros(200, 64)
    x[:, 0] = x[:, 32] = 2.0
    features = found(by_hand(True), x)
    assert (features.own_a, features.own_b) == (1, 1)
    left, whole = features.most_b[0].nu_left, features.most_b[0].nu_all
    assert isinstance(left, Measure) and left.value == pytest.approx(0.0, abs=1e-5)
    assert isinstance(whole, Measure) and whole.value == pytest.approx(1.0, abs=1e-5)


def test_pairs_flow_and_go_on_where_they_are_told_to(pair, text):
    flow = PairFlow(pair[0], pair[1], ReadSpec((text,), (AT,), 16))
    seen = [b for _, b in zip(range(12), flow.blocks(0), strict=False)]
    first = seen[0][1][AT]
    assert first.shape[1] == 64 and first.shape[0] <= 16 * GROUP
    assert torch.equal(half(first, "a")[:, :4], half(first, "b")[:, :4])
    for start in (1, 4, 7, 9):
        number, block = next(flow.blocks(start))
        assert number == seen[start][0] and torch.equal(block[AT], seen[start][1][AT])
    rounds = [i for i, (_, b) in enumerate(seen) if torch.equal(b[AT], first)]
    assert len(rounds) >= 2


@pytest.fixture(scope="module")
def saved(pair, text):
    """A crosscoder of the pair, trained once."""
    flow = PairFlow(pair[0], pair[1], ReadSpec((text,), (AT,), 64))
    spec = TrainSpec(16, 2, "batchtopk", 40_000, 256, 1e-2, 5_000, pool_rows=2048)
    sae = train(flow, spec)[AT]
    return SavedSae(sae, pair[0].fingerprint, AT, "a", {}, pair[1].fingerprint, "b")


def test_the_written_change_is_a_latent_of_the_planted_models_own(pair, text, saved):
    found = compare(pair[0], pair[1], ReadSpec((text,), (AT,), 64), 10_000, [saved])
    assert found.features == ()
    (crossed,) = found.crossed
    assert crossed.explained_a > 0.9 and crossed.explained_b > 0.9
    first = crossed.most_b[0]
    assert first.side > 0.8 and crossed.own_a == 0
    decoder = half(saved.sae.decoder.detach(), "b")[first.feature]
    assert int(decoder.abs().argmax()) == CONDITION
    assert isinstance(first.nu_left, Measure) and first.nu_left.value < 0.2
    assert isinstance(first.nu_all, Measure) and first.nu_all.value < 0.5
    scores = evaluate_pair(pair[0], pair[1], saved.sae, ReadSpec((text,), (AT,), 64), 2_000)
    assert scores["variance_explained_a"].value > 0.9 and scores["variance_explained_b"].value > 0.9
    assert 0 <= scores["dead"].value < 1 and scores["l0"].value > 0


def test_between_a_model_and_itself_scores_are_those_of_one_autoencoder(text):
    seen = 0
    for seed in range(4):
        model = tiny_model("llama", seed=seed)
        one, both = (
            SparseAutoencoder(Shape(32, 24, 4, "topk"), seed),
            SparseAutoencoder(Shape(64, 24, 4, "topk", 2)),
        )
        with torch.no_grad():
            one.encoder_bias.normal_(0, 0.1, generator=torch.Generator().manual_seed(seed))
            both.encoder.copy_(torch.cat([one.encoder, one.encoder], 1) / 2)
            both.decoder.copy_(torch.cat([one.decoder, one.decoder], 1))
            both.encoder_bias.copy_(one.encoder_bias)
        spec = ReadSpec((text,), (AT,), 64)
        alone, pair = evaluate(model, one, spec, 400), evaluate_pair(model, model, both, spec, 400)
        for name in ("variance_explained", "loss_recovered"):
            single = alone[name]
            for side in "ab":
                double = pair[f"{name}_{side}"]
                assert type(single) is type(double)
                if isinstance(single, Measure) and isinstance(double, Measure):
                    assert double.value == pytest.approx(single.value, abs=0.02), (name, seed)
                    seen += name == "loss_recovered"
    assert seen  # of a random model, zeros sometimes do better than what it would say


def test_a_crosscoder_is_kept_whole_and_refused_where_it_does_not_belong(pair, text, saved, tmp_path):
    save_sae(tmp_path / "x", saved)
    again = read_sae(tmp_path / "x")
    assert (again.against, again.against_id, again.sae.shape.models) == (pair[1].fingerprint, "b", 2)
    assert all(torch.equal(v, again.sae.state_dict()[n]) for n, v in saved.sae.state_dict().items())
    with pytest.raises(UserError, match="crosscoder of two models"):
        load_sae(tmp_path / "x")
    with pytest.raises(UserError, match="cannot be written as saelens"):
        export_sae(tmp_path / "y", saved, "saelens")
    with pytest.raises(UserError, match="in this order"):
        compare(pair[1], pair[0], ReadSpec((text,), (AT,), 64), 100, [saved])
    about = json.loads((tmp_path / "x" / "sae.json").read_text())
    del about["against"]
    (tmp_path / "x" / "sae.json").write_text(json.dumps(about))
    with pytest.raises(BadFile, match="whole autoencoder"):
        read_sae(tmp_path / "x")
    with pytest.raises(UserError, match="shared out"):
        Shape(9, 4, 1, "topk", 2)


def test_train_evaluate_and_look_from_the_command_line(text, tmp_path, capfd):
    adapter, folder = tmp_path / "adapter", tmp_path / "cross"
    save_adapter(adapter)
    two = ["--model", "tiny:written", "--against", str(adapter)]
    sizes = ["--latents", "16", "--k", "2", "--tokens", "20000", "--batch", "128", "--learning-rate", "0.01"]
    train_it = ["sae", "train", str(folder), *two, "--addresses", AT, "--text", text, *sizes, "--json"]
    assert main(train_it) == 0
    (row,) = json.loads(capfd.readouterr().out)["trained"]
    assert row["variance_explained"] > 0.9
    assert [p.name for p in folder.iterdir()] == [AT]  # the checkpoint went when all was whole
    kept = (folder / AT / "sae.safetensors").stat().st_mtime_ns
    assert main(train_it) == 0 and json.loads(capfd.readouterr().out)["trained"] == [row]
    assert (folder / AT / "sae.safetensors").stat().st_mtime_ns == kept
    read = ["sae", "eval", str(folder / AT), "--text", text, "--tokens", "500"]
    assert main([*read, *two, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["measures"]["variance_explained_b"]["value"] > 0.8
    assert main([*read, "--model", "tiny:written"]) == 2
    assert "crosscoder of two models" in capfd.readouterr().err
    out = tmp_path / "diff"
    look = ["diff", "tiny:written", str(adapter), "--sae", str(folder / AT), "--text", text]
    assert main([*look, "--context", "64", "--out", str(out)]) == 0
    page = (out / "diff.html").read_text()
    assert "Crosscoder at resid_post.0" in page and "Nearest to B" in page
    assert json.loads((out / "diff.json").read_text())["crossed"][0]["latents"] == 16
    capfd.readouterr()
    assert main(["sae", "train", str(folder), *two, "--source", str(folder), "--addresses", AT]) == 2
    assert "leave out --source" in capfd.readouterr().err
