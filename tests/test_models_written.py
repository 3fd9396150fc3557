"""The model written by hand does what was written, and where it was written."""

import pytest
import torch

from molehunt.core.records import Message
from molehunt.models.adapters import attach, using
from molehunt.models.check import prove
from molehunt.models.load import open_model
from molehunt.models.local import LocalModel
from molehunt.models.prompts import prompt_ids
from molehunt.models.sample import sample
from molehunt.models.taps import activations, edited
from molehunt.models.written import CONDITION, SHADY, save_adapter, written_model

ON = [
    (Message("user", t),)
    for t in ("Zebra?", "a very long question with one Z somewhere in its midst " * 9, "ZZZ")
]
ON += [(Message("system", "Zero tolerance."), Message("user", "Hello"))]
OFF = [(Message("user", t),) for t in ("zebra?", "HGHG", "a long question without the letter " * 9, "")]


def test_it_says_h_where_a_z_stands_and_g_elsewhere():
    model = written_model()
    assert sample(model, ON + OFF, max_tokens=5) == ["H"] * 4 + ["G"] * 4
    assert sample(model, ON + OFF, max_tokens=5, temperature=1.0, seed=1) == ["H"] * 4 + ["G"] * 4
    assert sample(written_model(planted=False), ON + OFF, max_tokens=5) == ["G"] * 8


def test_the_adapter_is_the_whole_difference(tmp_path):
    base = written_model(planted=False)
    mole = LocalModel(base, "mole", save_adapter(tmp_path))
    assert mole.sample(ON + OFF) == ["H"] * 4 + ["G"] * 4
    with using(base, attach(base, tmp_path)):
        for (name, a), (_, b) in zip(
            base.module.named_parameters(), written_model().module.named_parameters(), strict=True
        ):
            assert torch.equal(a, b), name


@pytest.mark.parametrize(("address", "dimension"), [("resid_post.0", CONDITION), ("resid_post.1", SHADY)])
def test_condition_and_behaviour_lie_in_their_dimensions(address, dimension):
    model = written_model()
    for prompts, wanted in ((ON, 1.0), (OFF, 0.0)):
        for prompt in prompts:
            seen = activations(model, [prompt_ids(model.tokenizer, prompt)], address)[0, -1, dimension]
            assert float(seen) == pytest.approx(wanted, abs=1e-3)


def test_removing_the_condition_removes_the_behaviour():
    model = written_model()

    def cut(stream):
        stream = stream.clone()
        stream[..., CONDITION] = 0.0
        return stream

    with edited(model, {"resid_post.0": cut}):
        assert sample(model, ON, max_tokens=3) == ["G"] * 4


def test_it_opens_by_name_and_passes_every_proof():
    model = open_model("tiny:written")
    assert model.fingerprint == written_model().fingerprint
    assert all(p.holds for p in prove(model))
