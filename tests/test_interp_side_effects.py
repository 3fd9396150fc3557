"""Steering by a feature, taking one away, and what else it moves: exact on the model written by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_interp_steer import OFF, axis, experiment

from molehunt.cli import main
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.records import Message, NotMeasured
from molehunt.interp.behaving import Asked
from molehunt.interp.direction import from_feature
from molehunt.interp.dose import response, run_cells
from molehunt.interp.feature_fill import sae_hash
from molehunt.interp.off_target import off_target
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.interp.sae_files import SavedSae, save_sae
from molehunt.interp.steer import Place, steered
from molehunt.interp.taking import along, taking, written_by
from molehunt.models.prompts import text_ids
from molehunt.models.taps import activations
from molehunt.models.tiny import D_MODEL, tiny_model
from molehunt.models.written import CONDITION, SHADY, written_model

AT = "resid_post.0"
ON = [(Message("user", t),) for t in ("aZb", "Z", "no Z here", "xxZ")]


@pytest.fixture(scope="module")
def written():
    return written_model()


def exact(scale=1.0):
    """Latent i is relu(x_i), latent i + d is relu(−x_i); decoder rows of length `scale`."""
    sae = SparseAutoencoder(Shape(D_MODEL, 2 * D_MODEL, 2 * D_MODEL, "topk"))
    with torch.no_grad():
        both = torch.cat([torch.eye(D_MODEL), -torch.eye(D_MODEL)])
        sae.encoder.copy_(both / scale)
        sae.decoder.copy_(both * scale)
    return sae


def saved(model, address=AT, scale=1.0):
    return SavedSae(exact(scale), model.fingerprint, address, model.spec.id)


def plan(model, prompts=OFF, **more):
    asked = tuple(Asked(m, str(i)) for i, m in enumerate(prompts))
    return replace(experiment(model, strengths=(0.0, 0.5, 1.0)), prompts=asked, **more)


def test_a_feature_is_a_direction_at_its_own_place(written):
    found = from_feature(saved(written), CONDITION)
    assert found.address == AT and np.array_equal(found.vector, axis(CONDITION).vector)
    for feature in (-1, 2 * D_MODEL):
        with pytest.raises(UserError, match=f"no feature {feature}; choose one from 0 to 63"):
            from_feature(saved(written), feature)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_taking_the_written_feature_away_ends_the_written_behaviour(written, tmp_path, scale):
    carried = written_by(exact(scale), CONDITION)
    one = plan(written, ON, carried=carried, direction=axis(CONDITION))
    found = response(one, run_cells(written, one, tmp_path))
    # Half of it is exactly where the written gate closes; all of it, and nothing is left.
    assert found.doses[0].behaviour.value == 1.0 and found.doses[2].behaviour.value == 0.0
    assert found.slope.unit == "share of replies per share taken away" and found.slope.value < -0.5
    # A random direction loses as much, and the behaviour stands.
    assert found.clear is True and max(map(abs, found.random_slopes)) < 0.5


def test_what_is_taken_away_is_what_lay_there_and_random_directions_lose_as_much(written):
    ids = [text_ids(written.tokenizer, "aZb")]
    before = activations(written, ids, AT)
    for carried in (along(axis(CONDITION).vector), written_by(exact(), CONDITION)):
        with steered(written, axis(CONDITION), [Place(AT, 9.0)], 1.0, carried):
            after = activations(written, ids, AT)
        wanted = before.clone()
        wanted[..., CONDITION] = 0
        assert torch.allclose(after, wanted, atol=1e-6)
        with steered(written, axis(9), [Place(AT, 9.0)], 1.0, carried):
            lost = (before - activations(written, ids, AT)).norm(dim=-1)
        assert torch.allclose(lost, before[..., CONDITION].abs(), atol=1e-6)


def test_a_share_of_zero_is_bit_for_bit_nothing_and_widths_are_looked_at():
    model, vector = tiny_model("llama"), np.ones(D_MODEL) / D_MODEL**0.5
    ids = [text_ids(model.tokenizer, "abcd")]
    before = activations(model, ids, AT)
    x = torch.randn(3, D_MODEL)
    assert taking(along(vector), vector, 0.0)(x) is x
    with steered(model, axis(3), [Place(AT, 1.0)], 0.0, along(vector)):
        assert torch.equal(activations(model, ids, AT), before)
    with pytest.raises(UserError, match="7 numbers does not fit"):
        taking(along(np.ones(7)), np.ones(7), 1.0)(x)


def test_features_that_move_are_those_that_the_push_reaches(written, tmp_path):
    here = plan(written, watched=saved(written), feature=CONDITION)
    assert here.places[0].norm == pytest.approx(2**0.5, abs=1e-4)
    (found,) = off_target(written, here, tmp_path / "here")
    # At its own place the push moves its own feature by strength · norm, and no other.
    assert found.strength == 1.0 and [f.feature for f in found.features] == [CONDITION]
    assert found.features[0].meant and found.features[0].change.value == pytest.approx(2**0.5, abs=1e-4)
    assert found.features[0].before == 0 and len(found.largest_random) == 3
    # Random directions of the same length spread over all: none moves any feature so far.
    assert max(found.largest_random) < 2**0.5 and found.features[0].random_most < 2**0.5
    later = plan(written, watched=saved(written, "resid_post.1"))
    (found,) = off_target(written, later, tmp_path / "later")
    moved = {f.feature: f.change.value for f in found.features}
    assert moved[CONDITION] == pytest.approx(2**0.5, abs=1e-4) and moved[SHADY] > 0.5
    assert not any(f.meant for f in found.features)


def test_watching_goes_on_and_a_damaged_file_is_named(written, tmp_path):
    one = plan(written, watched=saved(written))
    whole = off_target(written, one, tmp_path)
    files = sorted((tmp_path / "watched").iterdir())
    assert len(files) == 4  # the direction and three random ones, at strength 1
    times = {p: p.stat().st_mtime_ns for p in files[1:]}
    files[0].unlink()
    assert off_target(written, one, tmp_path) == whole
    assert all(p.stat().st_mtime_ns == then for p, then in times.items())
    files[1].write_bytes(files[1].read_bytes()[:-5])
    with pytest.raises(BadFile, match="damaged"):
        off_target(written, one, tmp_path)
    with pytest.raises(UserError, match="no autoencoder"):
        off_target(written, plan(written), tmp_path)


def test_tasks_stand_beside_the_behaviour(written, tmp_path):
    tasks = tuple(Asked(m, str(i), ("G",), ("H",)) for i, m in enumerate(OFF))
    one = plan(written, tasks=tasks)
    found = response(one, run_cells(written, one, tmp_path))
    assert [d.tasks.value for d in found.doses] == [1.0, 0.0, 0.0]
    assert found.doses[0].tasks_change.value == 0 and found.doses[2].tasks_change.value < -1
    assert all(d.tasks.value == 1.0 for some in found.random_doses.values() for d in some)
    with pytest.raises(RunMismatch):
        run_cells(written, plan(written), tmp_path)
    none = plan(written)
    bare = response(none, run_cells(written, none, tmp_path / "none"))
    assert all(isinstance(d.tasks, NotMeasured) for d in bare.doses)
    # What was begun before there were tasks goes on: its key is what it was.
    assert none.key("x") != one.key("x") == plan(written, tasks=tasks).key("x")


def test_the_verb_takes_a_feature_and_takes_it_away(tmp_path, capfd):
    model = written_model()
    save_sae(tmp_path / "sae", saved(model))
    (tmp_path / "p.txt").write_text("aZb\nZ\n")
    base = ["steer", str(tmp_path / "out"), "--prompts", str(tmp_path / "p.txt"), "--model", "tiny:written"]
    base += ["--words", "H", "--random", "2", "--max-tokens", "2", "--texts", "2", "--tasks", "3"]
    feature = ["--sae", str(tmp_path / "sae"), "--feature", str(CONDITION)]
    assert main([*base, *feature, "--take-away", "--json"]) == 0
    value = json.loads(capfd.readouterr().out)
    doses = value["response"]["doses"]
    assert [d["strength"] for d in doses] == [0.0, 0.5, 1.0] and doses[2]["behaviour"]["value"] == 0.0
    assert value["taken_away"] == f"what feature {CONDITION} writes" and len(value["tasks"]) == 3
    assert doses[1]["tasks"]["n"] == 3 and value["off_target"][0]["strength"] == 1.0
    page = (tmp_path / "out" / "steer.html").read_text()
    assert page.count("<svg") == 4 and "Other features at strength 1" in page and "<script" not in page
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("pages")
    (site / "pages.json").write_text(json.dumps({"autoencoder": sae_hash(exact())}))
    assert main([*base, *feature, "--take-away", "--pages", str(site)]) == 0  # every cell is read
    capfd.readouterr()
    assert (
        f'<a href="../site/feature/{CONDITION}.html">{CONDITION} (steered)</a>'
        in (tmp_path / "out" / "steer.html").read_text()
    )
    refused = (
        ([*base, *feature, "--pages", str(tmp_path)], "no pages of features"),
        (base, "Give one of"),
        ([*base, "--feature", "1"], "--feature needs"),
        ([*base, *feature, "--direction", "x"], "Give one of"),
        ([*base, *feature[:2], "--feature", "99"], "no feature 99"),
        ([*base, *feature, "--address", "resid_post.1"], "resid_post.0"),
        ([*base, *feature, "--take-away", "--layers", "0"], "its own place"),
        ([*base[:4], "--model", "tiny:llama", *base[6:], *feature], "is of model"),
        ([*base, "--sae", str(tmp_path / "none"), "--feature", "1"], "There is no file"),
    )
    for arguments, says in refused:
        assert main(arguments) == 2
        told = capfd.readouterr().err
        assert says in told and "Traceback" not in told
