"""Steering: nothing at strength 0, exactly what was written at the written place, honest beside random."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from molehunt.cli import main
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.records import Message
from molehunt.interp.behaving import (
    Asked,
    behaviour,
    divergence,
    first_token_logs,
    read_prompts,
    scores,
    texts_nll,
)
from molehunt.interp.direction import direction, from_file, from_texts, random_directions
from molehunt.interp.dose import Experiment, response, run_cells
from molehunt.interp.steer import Place, adding, median_norms, steered
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.sample import sample
from molehunt.models.score import text_nll
from molehunt.models.taps import activations, capture, edited
from molehunt.models.tiny import tiny_model
from molehunt.models.written import CONDITION, written_model

OFF = [(Message("user", t),) for t in ("zebra?", "HGHG", "no such letter", "what is this")]
CELLS = 5


@pytest.fixture(scope="module")
def written():
    return written_model()


def axis(dimension, address="resid_post.0"):
    vector = np.zeros(32)
    vector[dimension] = 3.0
    return direction(vector, address, "by hand")


def experiment(model, strengths=(0.0, 0.5, 1.0), randoms=3, **more):
    at = axis(CONDITION)
    places = (Place(at.address, median_norms(model, [at.address], ["abc", "def"])[at.address]),)
    prompts = tuple(Asked(m, str(i)) for i, m in enumerate(OFF))
    more = {"behaviour": behaviour(pattern="H", max_tokens=3), "texts": ("one text", "another"), **more}
    return Experiment(at, places, strengths, prompts, randoms=randoms, **more)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma"])
def test_strength_zero_is_bit_for_bit_nothing(family):
    model = tiny_model(family)
    push = direction(np.random.default_rng(0).normal(size=32), "resid_post.0", "random")
    ids = [prompt_ids(model.tokenizer, m) for m in OFF]
    before = capture(model, ids, ["resid_post.1"]).values["resid_post.1"]
    logs, said = first_token_logs(model, OFF), sample(model, OFF, max_tokens=8, temperature=1.0, seed=3)
    with steered(model, push, [Place("resid_post.0", 5.0)], 0.0):
        assert torch.equal(capture(model, ids, ["resid_post.1"]).values["resid_post.1"], before)
        assert torch.equal(first_token_logs(model, OFF), logs)
        assert sample(model, OFF, max_tokens=8, temperature=1.0, seed=3) == said
    with edited(model, {"resid_post.0": adding(push.vector, 0.0)}):
        assert torch.equal(first_token_logs(model, OFF), logs)
    with steered(model, push, [Place("resid_post.0", 5.0)], 1.0):
        assert not torch.equal(first_token_logs(model, OFF), logs)
    assert torch.equal(first_token_logs(model, OFF), logs)


def test_a_push_has_the_length_that_was_asked_for(written):
    push, norm = axis(7), median_norms(written, ["resid_post.0"], ["abcd"])["resid_post.0"]
    ids = [text_ids(written.tokenizer, "abcd")]
    # Every plain byte holds two ones, in dimensions 0 and 3.
    assert norm == pytest.approx(2**0.5, abs=1e-4)
    before = activations(written, ids, "resid_post.0")
    with steered(written, push, [Place("resid_post.0", norm)], 0.5):
        gap = activations(written, ids, "resid_post.0") - before
    assert torch.allclose(gap.norm(dim=-1), torch.tensor(0.5 * norm), atol=1e-6)


def test_steering_along_the_written_condition_makes_the_written_behaviour(written, tmp_path):
    plan = experiment(written)
    found = response(plan, run_cells(written, plan, tmp_path))
    assert [d.behaviour.value for d in found.doses] == [0.0, 1.0, 1.0]
    assert found.slope.value == pytest.approx(1.0)  # (0, 0), (½, 1), (1, 1)
    # All prompts agree on the steepest slope that there is; random directions must not get there.
    assert max(map(abs, found.random_slopes)) < 1 and found.clear is True
    assert 0 < found.slope.low < found.slope.high == 1, "four prompts are not certain"
    assert found.p == pytest.approx(1 / 4)
    assert found.doses[0].kl.value == 0.0 and found.doses[2].kl.value > 1
    assert found.doses[0].nll_change.value == 0.0


def test_a_direction_that_was_not_written_in_does_nothing(written, tmp_path):
    plan = experiment(written)
    dull = Experiment(**{**vars(plan), "direction": axis(9)})
    found = response(dull, run_cells(written, dull, tmp_path))
    assert found.slope.value == 0 and found.p == 1.0
    assert found.clear is not True


def test_every_address_can_be_pushed_in_its_own_unit():
    model = tiny_model()
    places = ("embed", "resid_pre.1", "attn_out.1", "mlp_out.0", "head_out.0", "resid_post.1", "final_norm")
    norms = median_norms(model, places, ["abcd", "efg"])
    assert norms["attn_out.1"] == norms["resid_post.1"] and norms["mlp_out.0"] == norms["resid_pre.1"]
    assert len(set(norms.values())) == 5 and min(norms.values()) > 0
    ids = [text_ids(model.tokenizer, "abcd")]
    plain = capture(model, ids, places).values
    for place in places:
        with steered(model, axis(7, place), [Place(place, norms[place])], 1.0):
            gap = activations(model, ids, place) - plain[place]
        assert torch.allclose(gap.norm(dim=-1), torch.tensor(norms[place]), rtol=1e-4), place
    narrow = direction(np.ones(7), "embed", "by hand")
    with pytest.raises(UserError, match="does not fit"), steered(model, narrow, [Place("embed", 1.0)], 1.0):
        capture(model, ids, ["final_norm"])


def test_a_difference_of_means_finds_the_written_direction(written):
    found = from_texts(written, ["aZbc", "Zdef"], ["aybc", "ydef"], "resid_post.0", "last")
    wanted = np.zeros(32)
    wanted[CONDITION] = 1
    assert np.allclose(found.vector, wanted, atol=1e-3)


def test_log_odds_and_kl_are_those_of_the_definition(written):
    model = tiny_model("llama")
    asked = [Asked(messages, "") for messages in OFF]
    found, replies = scores(model, asked, behaviour(toward=("a", "b"), away=("c",)))
    own = [Asked(m, "", ("a", "b") if i else ("c", "d"), ("c",)) for i, m in enumerate(OFF)]
    assert scores(model, own, behaviour(prompts=own))[0][1:] == pytest.approx(found[1:], abs=1e-4)
    assert scores(model, own, behaviour(prompts=own))[0][0] != pytest.approx(found[0], abs=1e-2)
    logs = first_token_logs(model, OFF)
    a, b, c = (model.tokenizer.convert_tokens_to_ids(x) for x in "abc")
    wanted = torch.logaddexp(logs[:, a], logs[:, b]) - logs[:, c]
    assert replies == [] and found == pytest.approx(wanted.tolist(), abs=1e-4)
    with steered(model, axis(3), [Place("resid_post.0", 1.0)], 2.0):
        now = first_token_logs(model, OFF)
    by_hand = torch.nn.functional.kl_div(logs, now, reduction="none", log_target=True).sum(-1)
    assert divergence(now, logs) == pytest.approx(by_hand.tolist(), rel=1e-4)
    assert divergence(logs, logs) == [0.0] * len(OFF)
    assert texts_nll(model, ["one text"])[0] == pytest.approx(text_nll(model, ["one text"]))


def test_a_stopped_run_goes_on_and_another_is_refused(written, tmp_path, monkeypatch):
    plan = experiment(written, randoms=1)
    whole = run_cells(written, plan, tmp_path / "whole")
    steps = []

    def stop(done, total):
        steps.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(written, plan, tmp_path / "half", stop)
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "half" / "cells").iterdir()}
    assert len(kept) == 2
    assert run_cells(written, plan, tmp_path / "half") == whole and len(whole) == CELLS
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())
    with pytest.raises(RunMismatch):
        run_cells(written, experiment(written, randoms=2), tmp_path / "half")
    with pytest.raises(UserError, match="one of them 0"):
        run_cells(written, experiment(written, strengths=(0.5, 1.0)), tmp_path / "none")
    for endless in (float("inf"), float("nan")):
        with pytest.raises(UserError, match="finite"):
            run_cells(written, experiment(written, strengths=(0.0, endless)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_random_directions_are_of_length_one_and_seeded():
    rows = np.stack([d.vector for d in random_directions(32, 5, "resid_post.0", 0)])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.abs(rows @ rows.T - np.eye(5)).max() < 0.9
    assert (rows == np.stack([d.vector for d in random_directions(32, 5, "resid_post.0", 0)])).all()


def test_files_that_are_no_direction_get_a_sentence(written, tmp_path):
    path = tmp_path / "v.safetensors"
    save_file({"a": np.ones(32, np.float32)}, path)
    assert np.allclose(from_file(path, written, "resid_post.0").vector, 32**-0.5)
    with pytest.raises(UserError, match="--address"):
        from_file(path, written)
    for tensors, says in (
        ({"a": np.ones(31, np.float32)}, "31 numbers"),
        ({"a": np.ones(32, np.float32), "b": np.ones(32, np.float32)}, "one vector"),
        ({"a": np.ones((4, 8), np.float32)}, "one vector"),
    ):
        save_file(tensors, path)
        with pytest.raises(BadFile, match=says):
            from_file(path, written, "resid_post.0")
    save_file({"a": np.zeros(32, np.float32)}, path)
    with pytest.raises(UserError, match="no finite vector"):
        from_file(path, written, "resid_post.0")
    path.write_bytes(b"not that")
    with pytest.raises(BadFile, match="safetensors"):
        from_file(path, written, "resid_post.0")
    for asked in ({}, {"pattern": "a", "words": ("b",)}, {"toward": ("a",)}, {"pattern": "(a"}):
        with pytest.raises(UserError):
            behaviour(**asked)
    bad = tmp_path / "p.jsonl"
    for line in ('{"text": ""}', "[1]", '{"text": "a", "x": 1}', '{"messages": [{"role": "user"}]}', ""):
        bad.write_text(line)
        with pytest.raises(BadFile):
            read_prompts(bad)


def test_the_verb_writes_json_and_a_page_that_escapes(tmp_path, capfd):
    (tmp_path / "p.txt").write_text("<script>alert(1)</script>\nno such letter\n")
    (tmp_path / "a.txt").write_text("aZbc\nZdef\n")
    (tmp_path / "b.txt").write_text("aybc\nydef\n")
    arguments = ["steer", str(tmp_path / "out"), "--prompts", str(tmp_path / "p.txt"), "--json"]
    arguments += ["--toward-texts", str(tmp_path / "a.txt"), "--away-texts", str(tmp_path / "b.txt")]
    arguments += ["--model", "tiny:written", "--address", "resid_post.0", "--words", "H", "--random", "2"]
    arguments += ["--strengths", "0", "2", "--max-tokens", "2", "--texts", "2", "--tasks", "2"]
    assert main(arguments) == 0
    value = json.loads(capfd.readouterr().out)
    assert value == json.loads((tmp_path / "out" / "steer.json").read_text())
    assert [d["behaviour"]["value"] for d in value["response"]["doses"]] == [0.0, 1.0]
    assert value["replies"]["2"] == ["H", "H"]
    page = (tmp_path / "out" / "steer.html").read_text()
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page
    assert "default-src &#39;none&#39;" in page and not re.search(r"\son\w+=|https?://(?!www\.w3\.org)", page)
    assert page.count("<svg") == 4
    assert main([*arguments[:-2], "--words", "H"]) == 2  # two settings differ: the folder is another run's
    assert "molehunt:" in capfd.readouterr().err
