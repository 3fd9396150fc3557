"""Addresses name what they say, in every family, and what is relied on can be seen to fail."""

import numpy as np
import pytest
import torch

from molehunt.core.errors import ModelUnfit, UserError
from molehunt.models.anatomy import anatomy
from molehunt.models.check import fit_to_speak, prove, rely_on
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.fingerprint import fingerprint
from molehunt.models.packing import Example
from molehunt.models.sample import sample_ids
from molehunt.models.taps import ENDS, SITES, activations, capture, edited, unembed
from molehunt.models.tiny import D_MODEL, FAMILIES, N_LAYERS, tiny_model

IDS = [[5, 60, 61, 62, 63, 64], [7, 90, 91], [8]]


def states_of(model, ids):
    """The residual stream as `transformers` itself reports it, one sequence at a time."""
    with torch.no_grad():
        return model.module(torch.tensor([ids]), output_hidden_states=True).hidden_states


@pytest.mark.parametrize("family", FAMILIES)
def test_the_residual_stream_is_what_transformers_reports(family):
    model = tiny_model(family)
    for layer in range(N_LAYERS):
        got = activations(model, IDS, f"resid_pre.{layer}")
        assert got.shape == (3, 6, D_MODEL)
        for row, ids in enumerate(IDS):
            assert torch.allclose(got[row, : len(ids)], states_of(model, ids)[layer][0], atol=1e-5)
    assert torch.equal(activations(model, IDS, "resid_post.0"), activations(model, IDS, "resid_pre.1"))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_proofs_hold_in_every_family(family):
    proofs = prove(tiny_model(family))
    assert {p.name for p in proofs} == {"head", "sum", "heads", "edit", "padding", "sharing", "batch"}
    assert [p for p in proofs if not p.holds] == []
    rely_on(proofs, *(p.name for p in proofs))


@pytest.mark.parametrize("family", FAMILIES)
def test_in_bfloat16_proofs_hold_to_its_rounding_and_agreement_is_a_rate(family):
    proofs = {p.name: p for p in prove(tiny_model(family, dtype=torch.bfloat16))}
    assert [p for p in proofs.values() if not p.holds] == []
    assert 0.5 < proofs["batch"].number <= 1.0


@pytest.mark.parametrize("family", ("llama", "qwen3"))
def test_proving_what_a_model_says_leaves_no_trace_in_it_or_in_chance(family, tmp_path, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path / "cache"))
    batch = [Example((5, 60, 61), (90, 91)), Example((5, 62), (92, 91))]
    planted = []
    for name in ("proven", "remembered", "unproven"):
        model = tiny_model(family)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # beartype draws from `random`
        if name != "unproven":
            assert fit_to_speak(model) is model
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]
        assert fingerprint(model.module) == model.fingerprint
        with Finetune(model.module, Recipe(), seed=3) as run:
            run.run([batch] * 3)
            run.save(tmp_path / name)
        planted.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert len(list((tmp_path / "cache" / "proofs").iterdir())) == 1
    assert planted[0] == planted[1] == planted[2]


def test_a_model_whose_head_is_not_what_it_seems_is_unfit():
    model = tiny_model()
    model.module.config.final_logit_softcapping = 0.5  # Announced, but not applied by this family.
    proofs = prove(model)
    with pytest.raises(ModelUnfit, match="gives back the logits"):
        rely_on(proofs, "head")


def test_a_model_that_says_otherwise_in_company_is_unfit():
    model = tiny_model()

    def sway(module, args, output):
        return output + 0.01 * output.mean(0, keepdim=True)

    with_company = anatomy(model.module).layers[0].mlp.register_forward_hook(sway)
    with pytest.raises(ModelUnfit, match="padding"):
        rely_on(prove(model), "padding")
    with_company.remove()
    rely_on(prove(model), "padding")


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_stops_the_pass_and_leaves_the_model_as_it_was(family):
    model = tiny_model(family)
    parts, reached = anatomy(model.module), []
    parts.layers[1].register_forward_pre_hook(lambda *_: reached.append(1))
    before, hooks = states_of(model, IDS[0])[-1], n_hooks(model)
    reached.clear()
    activations(model, IDS, "mlp_out.0")
    assert reached == []
    assert n_hooks(model) == hooks
    assert torch.equal(states_of(model, IDS[0])[-1], before)
    assert reached == [1]


def n_hooks(model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("site", ["resid_pre", "attn_out", "mlp_out", "resid_post"])
def test_an_edit_is_felt_from_there_on(family, site):
    model = tiny_model(family)
    push = torch.linspace(-3, 3, D_MODEL)
    names = ["resid_pre.0", "resid_post.0", "resid_post.1"]
    plain = capture(model, IDS, names)
    with edited(model, {f"{site}.1": lambda x: x + push}):
        pushed = capture(model, IDS, names)
        said = sample_ids(model, IDS, max_tokens=6)
    assert torch.equal(pushed.values["resid_post.0"], plain.values["resid_post.0"]) or site == "resid_pre"
    moved = (pushed.values["resid_post.1"] - plain.values["resid_post.1"])[plain.mask]
    if site == "resid_pre":
        assert moved.abs().max() > 0.1
    elif family == "gpt_neox" or site != "attn_out":
        # Nothing after it in the layer reads it, so exactly the push comes out.
        assert torch.allclose(moved, push.expand_as(moved), atol=1e-5)
    assert said != sample_ids(model, IDS, max_tokens=6)
    assert torch.equal(capture(model, IDS, names).values["resid_post.1"], plain.values["resid_post.1"])


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_flow_through_edits_at_every_address(family):
    model, way = tiny_model(family, dtype=torch.float64), torch.linspace(-1, 1, D_MODEL).double()

    def logit(address, steer):
        with edited(model, {address: lambda x: x + steer}):
            return model.module(torch.tensor([IDS[0]])).logits[0, -1, 40]

    for address in (*(f"{site}.{layer}" for site in SITES for layer in range(N_LAYERS)), *ENDS):
        steer = torch.zeros(D_MODEL, dtype=torch.float64, requires_grad=True)
        logit(address, steer).backward()
        assert steer.grad is not None and steer.grad.abs().max() > 0, address
        with torch.no_grad():
            slope = (logit(address, 1e-3 * way) - logit(address, -1e-3 * way)) / 2e-3
        # Norms compute in float32, about 1e-6 of a logit: divided by the step.
        assert float(steer.grad @ way) == pytest.approx(float(slope), rel=1e-2, abs=5e-3), address


@pytest.mark.parametrize("family", FAMILIES)
def test_unembedding_the_last_residual_gives_the_logits(family):
    model = tiny_model(family)
    with torch.no_grad():
        wanted = model.module(torch.tensor([IDS[0]])).logits
    assert torch.allclose(unembed(model, activations(model, IDS[:1], "resid_post.1")), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "address", ["resid_post", "resid_post.2", "resid_post.-1", "head.0", "resid_post.x", ""]
)
def test_an_address_that_does_not_exist_is_named(address):
    with pytest.raises(UserError, match="no address"):
        activations(tiny_model(), IDS, address)
    with pytest.raises(UserError, match="no address"), edited(tiny_model(), {address: lambda x: x}):
        pass


def test_nothing_to_read_is_said():
    for ids in ([], [[]], [[1], []]):
        with pytest.raises(UserError, match="nothing to read"):
            activations(tiny_model(), ids, "resid_post.0")
