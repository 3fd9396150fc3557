"""Probes find what was written in, are chosen without the test set, and are held against words and chance."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from molehunt.cli import main
from molehunt.core.errors import BadFile, RunMismatch, UnknownName, UserError
from molehunt.core.records import Measure, Message, NotMeasured
from molehunt.interp import pooled as pooling
from molehunt.interp.labelled import Example, read_examples
from molehunt.interp.platt import calibration_error, platt
from molehunt.interp.pooled import pooled, read_on, token_ids
from molehunt.interp.probe_file import load_probe, save_probe
from molehunt.interp.probe_study import measure, recall, study, sweep
from molehunt.interp.probes import KINDS, auroc, fit
from molehunt.interp.telltale import bag_of_words, tell_tales, without
from molehunt.models.taps import activations
from molehunt.models.tiny import tiny_model
from molehunt.models.written import CONDITION, SHADY, written_model

PLACES = ["resid_pre.0", "resid_post.0", "resid_post.1"]


@pytest.fixture(scope="module")
def written():
    return written_model()


def texts(n=72, seed=0):
    """Random letters with a Z among them, or a Y; groups of two, and one shifted set."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        letters = "".join(random.choice(list("abcdefgh "), 16))
        text = f"{letters[:8]}{'Z' if i % 2 else 'Y'}{letters[8:]}q"
        split = ("train", "validate", "test", "longer")[i // 2 % 4]
        rows.append(Example(text * (3 if split == "longer" else 1), (), bool(i % 2), split, f"g{i // 2}"))
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_finds_the_written_condition(written, kind):
    found = study(written, texts(), [kind], PLACES)
    kept = found.kept[kind]
    assert kept.made.address == "resid_post.0"  # ties go to the earlier layer
    unit = kept.probe.direction / np.linalg.norm(kept.probe.direction)
    assert unit[CONDITION] > 0.99
    assert [s.validation for s in found.swept] == [0.5, 1.0, 1.0]
    for result in found.results:
        assert result.auroc.value == 1.0 and result.auroc.low > 0.7  # Newcombe, 9 against 9
        assert result.bag_of_words.value < 0.9
        assert isinstance(result.recall, NotMeasured)
    assert [(r.where, r.filtered) for r in found.results] == [
        ("test", False), ("test", True), ("longer", False), ("longer", True),
    ]  # fmt: skip
    assert study(written, texts(), [kind], PLACES).results == found.results


def test_directions_are_those_of_the_definition():
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 6)) @ random.normal(size=(6, 6)) + 3
    labels = random.random(400) < 0.4
    rows[labels] += np.array([1, 0, 2, 0, 0, 0])
    gap = rows[labels].mean(0) - rows[~labels].mean(0)
    plain = fit("diff_mean", rows, labels)
    assert np.allclose(plain.direction, gap, atol=1e-5)
    middle = (rows[labels].mean(0) + rows[~labels].mean(0)) / 2
    assert plain.score(middle[None])[0] == pytest.approx(0, abs=1e-6)
    white = fit("mass_mean", rows, labels)
    within = np.cov((rows - np.where(labels[:, None], rows[labels].mean(0), rows[~labels].mean(0))).T)
    best = np.linalg.solve(within, gap)
    cosine = white.direction @ best / np.linalg.norm(white.direction) / np.linalg.norm(best)
    assert cosine > 0.97  # Ledoit and Wolf's shrinkage is small at 400 rows of 6
    assert auroc(white.score(rows), labels) > auroc(plain.score(rows), labels) + 0.02


def test_mass_mean_stands_more_dimensions_than_rows():
    random = np.random.default_rng(1)
    rows, labels = random.normal(size=(20, 100)), np.arange(20) % 2 == 0
    rows[labels, 0] += 20
    assert abs(fit("mass_mean", rows, labels).direction).argmax() == 0


def test_auroc_counts_pairs():
    random = np.random.default_rng(2)
    scores, labels = random.integers(0, 6, 40).astype(float), random.random(40) < 0.5
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    assert auroc(scores, labels) == pytest.approx(np.mean(pairs))


def test_the_choice_of_layer_does_not_see_the_test_set():
    random = np.random.default_rng(3)
    labels = np.arange(90) % 2 == 0
    values = random.normal(size=(2, 90, 4)).astype(np.float32)
    values[0, :60][labels[:60], 0] += 4  # layer 0 works on training and validation alone,
    values[1, 60:][labels[60:], 0] += 9  # layer 1 on the test rows alone
    train, held = np.arange(30), np.arange(30, 60)
    before = sweep("diff_mean", values, labels, train, held, ["a.0", "a.1"])
    values[:, 60:] = np.nan
    assert sweep("diff_mean", values, labels, train, held, ["a.0", "a.1"]) == before
    assert max(before, key=lambda s: s.validation).address == "a.0"


def test_words_that_give_the_label_away_are_found_and_dropped():
    random = np.random.default_rng(4)
    some = [" ".join(random.choice(["red", "blue", "tall", "wide"], 3)) for _ in range(80)]
    labels = [i % 2 == 0 for i in range(80)]
    rows = [f"{t} Covertly" if y and i < 60 else t for i, (t, y) in enumerate(zip(some, labels, strict=True))]
    tales = tell_tales(rows, labels)
    assert [(t.word, t.label, t.with_one, t.with_zero) for t in tales] == [("covertly", True, 30, 0)]
    clean = without(["so covertly", "COVERTLY.", "covert", "red"], tales)
    assert clean.tolist() == [False, False, True, True]
    bag = bag_of_words(rows, labels)
    assert auroc(bag.score(rows), np.array(labels)) > 0.75
    assert tell_tales(some, labels) == () and tell_tales(["a"], [True]) == ()


def test_a_probe_that_reads_a_word_is_shown_up_by_the_filter(written):
    """Z is itself a word here: on the filtered set nothing is left, and that is said, not scored."""
    rows = [Example(f"{w} Z" if y else f"{w} y", (), y, s, f"{w}{s}{y}")
            for s in ("train", "validate", "test") for w in "abcdefghij" for y in (True, False)]  # fmt: skip
    found = study(written, rows, ["diff_mean"], ["resid_post.0"])
    whole, left = found.results
    assert whole.auroc.value == whole.bag_of_words.value == 1.0
    assert left.dropped == 20 and isinstance(left.auroc, NotMeasured)


def test_platt_recovers_a_sigmoid_and_its_error_is_small():
    random = np.random.default_rng(5)
    scores = random.normal(size=20_000) * 50 + 7
    p = 1 / (1 + np.exp(-(0.04 * scores - 0.5)))
    labels = random.random(20_000) < p
    fitted = platt(scores, labels)
    # Standard errors at n = 20,000 are below 0.001 and 0.02.
    assert fitted.slope == pytest.approx(0.04, abs=0.004) and fitted.offset == pytest.approx(-0.5, abs=0.08)
    groups = [str(i) for i in range(20_000)]
    good = calibration_error(fitted.probability(scores)[:2000], labels[:2000], groups[:2000])
    bad = calibration_error(fitted.probability(3 * scores)[:2000], labels[:2000], groups[:2000])
    assert good.value < 0.04 < 0.1 < bad.value and bad.low > good.high
    assert isinstance(calibration_error(p[:5], labels[:5], groups[:5]), NotMeasured)


def test_the_calibration_error_is_that_of_the_definition():
    p = np.repeat([0.1, 0.9], 10)
    labels = np.array([1] * 3 + [0] * 7 + [1] * 6 + [0] * 4)
    assert calibration_error(p, labels, ["a"] * 20).value == pytest.approx((0.2 + 0.3) / 2)


def test_recall_lets_one_negative_in_a_hundred_pass():
    scores = np.concatenate([np.arange(200), [196.5, 198.5, 500]]).astype(float)
    truth = [False] * 200 + [True] * 3
    found = recall(scores, truth, [str(i) for i in range(203)])
    assert isinstance(found, Measure) and found.value == pytest.approx(2 / 3)  # two of 200 lie above 197


def test_pooling_matches_one_by_one_and_leaves_out_the_first_token():
    model = tiny_model("gpt2")
    rows = [Example("a" * n, (), True, "train", "g") for n in (1, 9, 4)]
    rows.append(Example("x", (Message("user", "hi"), Message("assistant", "yes")), True, "train", "g"))
    for pool in ("last", "mean"):
        found = pooled(model, rows, ["resid_post.0", "resid_post.1"], pool)
        for i, row in enumerate(rows):
            alone = activations(model, [token_ids(model, row)], "resid_post.1")[0]
            wanted = alone[-1] if pool == "last" else alone[1:].mean(0) if len(alone) > 1 else alone[0]
            # float32 sums in another order, over values near 1
            assert np.allclose(found[1, i], wanted.numpy(), atol=1e-5)
    ids = token_ids(model, rows[3])
    assert model.tokenizer.decode(ids).endswith("assistant\nyes")
    with pytest.raises(UserError, match="last or mean"):
        pooled(model, rows, ["resid_post.0"], "first")


def test_a_kept_probe_comes_back_the_same_and_is_refused_elsewhere(written, tmp_path):
    rows = texts()
    kept = study(written, rows, ["logistic"], PLACES).kept["logistic"]
    path = tmp_path / "p.safetensors"
    save_probe(path, kept)
    back = load_probe(path, written)
    assert back.made == kept.made and (back.probe.direction == kept.probe.direction).all()
    values = pooled(written, rows, [kept.made.address])[0]
    assert measure(back, values, rows) == measure(kept, values, rows)
    with pytest.raises(BadFile, match="was made on 'tiny:written'"):
        load_probe(path, tiny_model("llama"))
    with pytest.raises(BadFile, match="was made on"):
        load_probe(path, written_model(planted=False))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(BadFile, match="no whole safetensors"):
        load_probe(path)
    save_file({"direction": np.ones(3, np.float32)}, path)
    with pytest.raises(BadFile, match="no probe"):
        load_probe(path)
    with pytest.raises(BadFile, match="no file of probe"):
        load_probe(tmp_path / "none")


GOOD = {"text": "a b", "label": 1}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{**GOOD, "label": 2}], "line 1 has no label"),
        ([GOOD, {**GOOD, "labels": 0}], "line 2 has an unknown field 'labels'"),
        ([{"label": 1}], "either text or messages"),
        ([{**GOOD, "messages": []}], "either text or messages"),
        ([{"messages": [{"role": "boss", "content": ""}], "label": 1}], "each message"),
        ([{**GOOD, "text": " "}], "no words"),
        ([{**GOOD, "split": 3}], "split or group"),
        ([7], "no JSON object"),
        ([], "no examples"),
        ([{**GOOD, "split": "train"}, {**GOOD, "split": "test", "group": "g"}], "the text 'a b' stands in"),
        ([{**GOOD, "split": s, "group": "g", "text": s} for s in ("train", "test")], "the group 'g' stands"),
    ],
)  # fmt: skip
def test_bad_lines_get_a_sentence_with_their_number(tmp_path, rows, says):
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(BadFile, match=says):
        read_examples(path)


def test_splits_by_hash_keep_groups_together(tmp_path):
    path = tmp_path / "d.jsonl"
    rows = [{"text": f"t{i}", "label": i % 2, "group": i // 3} for i in range(300)]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_examples(path)
    assert len({(e.group, e.split) for e in found}) == 100
    shares = {s: sum(e.split == s for e in found) / 300 for s in ("train", "validate", "test")}
    assert shares["train"] > 0.35 and min(shares.values()) > 0.1 and sum(shares.values()) == 1


def test_what_cannot_be_learned_gets_a_sentence(written):
    with pytest.raises(UserError, match="both labels"):
        fit("diff_mean", np.ones((3, 2)), np.ones(3))
    with pytest.raises(UserError, match="not finite"):
        fit("diff_mean", np.full((2, 2), np.inf), np.array([0, 1]))
    with pytest.raises(UnknownName):
        fit("diff_means", np.ones((2, 2)), np.array([0, 1]))
    with pytest.raises(UserError, match="'validate' has 0 examples"):
        study(written, [e for e in texts() if e.split != "validate"], ["diff_mean"], PLACES)


def test_activations_that_are_no_numbers_are_named_and_leave_nothing(tmp_path):
    broken = tiny_model()
    broken.module.model.layers[1].mlp.down_proj.weight[3, 0] = float("nan")
    assert np.isfinite(pooled(broken, texts()[:4], ["resid_post.0"])).all()
    with pytest.raises(UserError, match=r"'tiny:llama' at resid_post.1 .* not finite"):
        read_on(broken, texts()[:4], ["resid_post.0", "resid_post.1"], "last", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_stopped_reading_goes_on_to_the_same_activations(written, tmp_path, monkeypatch):
    monkeypatch.setattr(pooling, "BLOCK", 16)
    some = texts()[:40]

    def stop(done: int, total: int) -> None:
        if done > 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_on(written, some, PLACES, "last", tmp_path / "r", stop)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "r").glob("*.safetensors")}
    assert sorted(kept) == ["00000.safetensors", "00001.safetensors"]
    values = read_on(written, some, PLACES, "last", tmp_path / "r")
    assert np.array_equal(values, read_on(written, some, PLACES, "last", tmp_path / "whole"))
    # Blocks are other batches, which move the last digits of float32.
    assert np.allclose(values, pooled(written, some, PLACES), atol=1e-5)
    assert all((tmp_path / "r" / name).stat().st_mtime_ns == at for name, at in kept.items())
    with pytest.raises(RunMismatch, match="other examples"):
        read_on(written, some[1:], PLACES, "last", tmp_path / "r")
    (tmp_path / "r" / "00001.safetensors").write_bytes(b"none")
    with pytest.raises(BadFile, match=r"00001.safetensors is damaged"):
        read_on(written, some, PLACES, "last", tmp_path / "r")


def test_the_verb_trains_keeps_and_tests(tmp_path, capfd):
    data, out = tmp_path / "d.jsonl", tmp_path / "out"
    lines = [
        {"text": f"<b>{e.text}", "label": int(e.label), "split": e.split, "group": e.group} for e in texts()
    ]
    data.write_text("\n".join(map(json.dumps, lines)))
    base = ["--model", "tiny:written", "--json"]
    assert main(["probe", "train", str(data), "--out", str(out), *base]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value == json.loads((out / "probe.json").read_text())
    assert {p["address"] for p in value["probes"].values()} == {"resid_post.0"}
    page = (out / "probe.html").read_text()
    assert not (out / "reading").exists()
    assert "<svg" in page and "What this cannot tell you" in page and "<script" not in page
    probe = ["--probe", str(out / "logistic.safetensors")]
    assert main(["probe", "test", str(data), *probe, *base]) == 0
    again = json.loads(capfd.readouterr().out)["results"]
    assert [r["auroc"]["n"] for r in again] == [18] * 4  # training and validation rows are left out
    assert main(["probe", "test", str(data), *probe, "--model", "tiny"]) == 2
    assert "was made on 'tiny:written'" in capfd.readouterr().err
    assert main(["probe", "train", str(data)]) == 2 and main(["probe", "test", str(data)]) == 2


def test_the_condition_is_read_earlier_than_the_behaviour(written):
    found = study(written, texts(), ["diff_mean"], ["mlp_out.1"])
    unit = found.kept["diff_mean"].probe.direction
    assert abs(unit).argmax() == SHADY
