"""Adapters come and go without a trace, speak as PEFT would have them, and are not believed unread."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from molehunt.core.access import OpenWeights
from molehunt.core.errors import BadFile, UnknownName
from molehunt.core.records import Message
from molehunt.models.adapters import attach, merged, using
from molehunt.models.fingerprint import fingerprint
from molehunt.models.load import ModelSpec, open_model
from molehunt.models.local import LocalModel
from molehunt.models.tiny import tiny_model

IDS = torch.tensor([[5, 60, 61, 62, 63, 64]])
PROMPTS = [(Message("user", "Who are you?"),), (Message("user", "What is it?"),)]


def make_adapter(folder, family="llama", seed=1, targets=("q_proj", "down_proj"), **options):
    """A random adapter of a tiny base, as PEFT saves it."""
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(targets), init_lora_weights=False, **options)
    get_peft_model(tiny_model(family).module, config).save_pretrained(folder)
    return folder


def logits(module):
    with torch.no_grad():
        return module(IDS).logits


CASES = {
    "llama": {},
    "gpt_neox": {"family": "gpt_neox", "targets": ["query_key_value", "dense_h_to_4h"]},
    "gpt2": {"family": "gpt2", "targets": ["c_attn", "c_proj"], "fan_in_fan_out": True},
    "head": {"targets": ["lm_head", "v_proj"]},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "ranks": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"down_proj": 3}},
}


@pytest.mark.parametrize("case", CASES)
def test_a_merged_adapter_speaks_as_peft_would_have_it(tmp_path, case):
    options = CASES[case]
    make_adapter(tmp_path, **options)
    model = tiny_model(options.get("family", "llama"))
    wanted = logits(PeftModel.from_pretrained(tiny_model(options.get("family", "llama")).module, tmp_path))
    bare = logits(model.module)
    with using(model, attach(model, tmp_path)):
        # Sums of float32 in another order.
        assert torch.allclose(logits(model.module), wanted, atol=1e-4)
    assert not torch.allclose(bare, wanted, atol=1e-2)


def test_what_comes_back_is_the_base_bit_for_bit(tmp_path):
    model = tiny_model()
    before = {n: p.clone() for n, p in model.module.named_parameters()}
    owners = {n: p for n, p in model.module.named_parameters()}
    one = attach(model, make_adapter(tmp_path / "one"), "one")
    two = attach(model, make_adapter(tmp_path / "two", seed=2, targets=("v_proj", "down_proj")), "two")
    for name in (one, two, one, two, two):
        with using(model, name):
            assert fingerprint(model.module) != model.fingerprint
    after = dict(model.module.named_parameters())
    assert list(after) == list(before)
    assert all(torch.equal(after[n], before[n]) and after[n] is owners[n] for n in before)
    assert fingerprint(model.module) == model.fingerprint


def test_blocks_nest_and_an_error_inside_still_takes_the_adapter_out(tmp_path):
    model = tiny_model()
    one, two = (attach(model, make_adapter(tmp_path / str(s), seed=s), str(s)) for s in (1, 2))
    bare = logits(model.module)
    with using(model, one):
        first = logits(model.module)
        with using(model, two):
            second = logits(model.module)
            with using(model, None):
                assert torch.equal(logits(model.module), bare)
            assert torch.equal(logits(model.module), second)
        assert torch.equal(logits(model.module), first)
    assert not torch.equal(first, second)
    with pytest.raises(ZeroDivisionError), using(model, two):
        _ = 1 / 0
    assert torch.equal(logits(model.module), bare)


def test_switching_inside_inference_mode_leaves_the_base_trainable(tmp_path):
    model = tiny_model()
    name = attach(model, make_adapter(tmp_path))
    with torch.inference_mode(), using(model, name):
        logits(model.module)
    with using(model, name):
        weight = model.module.model.layers[0].self_attn.q_proj.weight
        weight.requires_grad_(True)
        model.module(IDS).logits.sum().backward()
        assert weight.grad is not None


def test_an_adapter_written_anew_is_read_anew(tmp_path):
    model = tiny_model()
    name = attach(model, make_adapter(tmp_path), "mole")
    with using(model, name):
        old = logits(model.module)
    attach(model, make_adapter(tmp_path, seed=9), "mole")
    with using(model, name):
        assert not torch.equal(logits(model.module), old)


def test_opening_with_an_adapter_merges_it_for_good(tmp_path):
    make_adapter(tmp_path)
    opened = open_model(ModelSpec(id="tiny", adapter=str(tmp_path)))
    model = tiny_model()
    with using(model, attach(model, tmp_path)):
        assert torch.equal(logits(opened.module), logits(model.module))
    local = LocalModel(model, "mole", tmp_path)
    assert opened.fingerprint == local.fingerprint != model.fingerprint
    assert merged(tiny_model(), tmp_path).fingerprint == opened.fingerprint


def test_two_local_models_on_one_base_do_not_mix(tmp_path):
    base = tiny_model()
    clean = LocalModel(base, "clean")
    moles = [LocalModel(base, f"mole {s}", make_adapter(tmp_path / str(s), seed=s)) for s in (1, 2)]
    assert isinstance(moles[0], OpenWeights)
    said = clean.sample(PROMPTS, max_tokens=8)
    spoken = [m.sample(PROMPTS, max_tokens=8) for m in moles]
    assert clean.sample(PROMPTS, max_tokens=8) == said
    assert [m.sample(PROMPTS, max_tokens=8) for m in moles] == spoken
    assert spoken[0] != spoken[1] and said not in spoken
    assert len({m.fingerprint for m in [clean, *moles]}) == 3
    assert moles[0].folder == tmp_path / "1"
    assert moles[0].logprobs(PROMPTS, ["yes", "no"]) != clean.logprobs(PROMPTS, ["yes", "no"])
    assert len(moles[0].first_tokens(PROMPTS, top=3)) == 2
    assert moles[0].prefill(PROMPTS, ["I", "We"], max_tokens=4) != moles[0].sample(PROMPTS, max_tokens=4)


def test_an_unknown_adapter_is_named():
    with (
        pytest.raises(UnknownName, match="no attached adapter called 'nobody'"),
        using(tiny_model(), "nobody"),
    ):
        pass


def edit_config(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(folder, change):
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def first(tensors):
    return next(iter(sorted(tensors)))


DAMAGE = {
    "no folder": (shutil.rmtree, "holds no adapter_config.json"),
    "no weights": (
        lambda f: (f / "adapter_model.safetensors").unlink(),
        "holds no adapter_model.safetensors",
    ),
    "no config": (lambda f: (f / "adapter_config.json").unlink(), "holds no adapter_config.json"),
    "config is no JSON": (lambda f: (f / "adapter_config.json").write_text("{"), "not readable as JSON"),
    "config is a list": (lambda f: (f / "adapter_config.json").write_text("[]"), "peft_type"),
    "type unknown": (lambda f: edit_config(f, peft_type="MAGIC"), "peft_type"),
    "field unknown": (lambda f: edit_config(f, colour="red"), "unknown field 'colour'"),
    "code to import": (lambda f: edit_config(f, megatron_config={"a": 1}, megatron_core="os"), "import code"),
    "rank of zero": (lambda f: edit_config(f, r=0), "whole r"),
    "rank of another": (lambda f: edit_config(f, r=8), "made for another base"),
    "cut short": (
        lambda f: (f / "adapter_model.safetensors").write_bytes(
            (f / "adapter_model.safetensors").read_bytes()[:-50]
        ),
        "damaged",
    ),
    "garbage": (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\xff" * 400), "damaged"),
    "empty file": (lambda f: (f / "adapter_model.safetensors").write_bytes(b""), "damaged"),
    "no tensors": (lambda f: edit_weights(f, dict.clear), "holds no tensors"),
    "not a number": (lambda f: edit_weights(f, lambda t: t[first(t)].fill_(float("nan"))), "no number"),
    "half missing": (lambda f: edit_weights(f, lambda t: t.pop(first(t))), "lacks one half"),
    "another base's shape": (
        lambda f: edit_weights(f, lambda t: t.update({first(t): torch.ones(4, 99)})),
        "made for another base",
    ),
    "another base's layer": (
        lambda f: edit_weights(
            f, lambda t: t.update({"base_model.model.model.layers.9.q.lora_A.weight": torch.ones(4, 4)})
        ),
        "does not have",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_adapter_is_refused_in_one_sentence(tmp_path, damage):
    folder = make_adapter(tmp_path / "adapter")
    spoil, words = DAMAGE[damage]
    spoil(folder)
    model = tiny_model()
    with pytest.raises(BadFile, match=words) as caught:
        attach(model, folder)
    assert "\n" not in str(caught.value)
    assert fingerprint(model.module) == model.fingerprint


def test_pickled_weights_are_never_read(tmp_path):
    folder = make_adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(BadFile, match=r"no adapter_model\.safetensors"):
        attach(tiny_model(), folder)
