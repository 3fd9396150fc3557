"""Calibration turns statistics into probabilities, and promises no more than its rows carry."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from molehunt.audit import calibration
from molehunt.audit.baselines import adapter_norm, perplexity_shift
from molehunt.audit.calibration import MOST_CERTAIN, Calibration, fit
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import NotMeasured

KEYS = {
    "contrast": ("contrast.harmful",),
    "divergence": ("divergence.phrase",),
    "baseline_norm": ("baseline_norm.adapter",),
}
ONE = {"contrast": ("contrast.harmful", "divergence.phrase")}


def rows(n, seed, told=1.0):
    """n pairs of organism and decoy; `told` is how far apart contrast's statistic lies, in deviations."""
    rng = np.random.default_rng(seed)
    made, groups = [], []
    for i in range(n):
        for shady in (True, False):
            features = {
                "contrast.harmful": float(rng.normal() + told * shady),
                "divergence.phrase": float(rng.normal()),
                "baseline_norm.adapter": float(rng.normal()),
            }
            made.append((features, shady))
            groups.append(f"behaviour {i % 5}")
    return made, groups


def test_a_telling_statistic_raises_the_probability():
    fitted = fit(*rows(15, 0, told=4.0), KEYS)
    low, high = ({"contrast.harmful": x, "divergence.phrase": 0.0} for x in (0.0, 4.0))
    assert fitted.p_shady(low) < 0.3 < 0.7 < fitted.p_shady(high)
    assert fitted.auditors["panel"].auroc_held_out > 0.95


def test_shuffled_labels_are_told_apart_no_better_than_chance():
    """16 shuffles of 30 rows: one AUROC has a standard error of about 0.1, their mean of 0.026."""
    rng = np.random.default_rng(1)
    made, groups = rows(15, 0, told=4.0)
    found = []
    for _ in range(16):
        labels = rng.permutation([s for _, s in made])
        shuffled = [(f, bool(s)) for (f, _), s in zip(made, labels, strict=True)]
        found.append(fit(shuffled, groups, ONE).auditors["contrast"].auroc_held_out)
    assert 0.4 < np.mean(found) < 0.6


def test_no_statistic_counts_against_its_promise():
    """Higher is shadier, or of no account: a fit may not turn it round."""
    made, groups = rows(15, 0, told=-4.0)
    fitted = fit(made, groups, KEYS)
    assert min(fitted.auditors["panel"].weights) >= 0
    assert fitted.p_shady({"contrast.harmful": -4.0}) <= fitted.p_shady({"contrast.harmful": 4.0})


def test_few_practice_decoys_are_seldom_accused():
    """On new decoys of the same kind, over 20 practices of 20 pairs.

    Above the greatest of 20 lies a share of new ones that is distributed as Beta(1, 20): mean and standard
    deviation 0.048 and 0.045, so three standard errors of 20 such shares are 0.03.
    """
    accused = []
    for seed in range(20):
        fitted = fit(*rows(20, seed, told=2.0), ONE)
        decoys = [f for f, shady in rows(25, 1000 + seed, told=2.0)[0] if not shady]
        accused += [fitted.p_shady(f) > fitted.auditors["panel"].threshold for f in decoys]
    assert np.mean(accused) < 0.048 + 0.03


def test_what_was_not_measured_moves_nothing_and_is_not_zero():
    fitted = fit(*rows(15, 0, told=4.0), KEYS)
    gone = {"contrast.harmful": NotMeasured("failed"), "divergence.phrase": 0.0}
    assert fitted.p_shady(gone) > fitted.p_shady({"contrast.harmful": 0.0, "divergence.phrase": 0.0})
    assert fitted.p_shady({"contrast.harmful": NotMeasured("failed")}, "contrast") == 0.5
    assert isinstance(fitted.p_shady({}, "nobody"), NotMeasured)


def test_an_extreme_value_is_no_certainty():
    fitted = fit(*rows(15, 0, told=4.0), KEYS)
    assert fitted.p_shady({"contrast.harmful": 1e9}) <= MOST_CERTAIN


def test_baselines_are_calibrated_and_kept_out_of_the_panel():
    fitted = fit(*rows(15, 0), KEYS)
    assert "baseline_norm" in fitted.auditors
    assert not any(n.startswith("baseline") for n in fitted.auditors["panel"].names)


def test_it_reads_back_what_it_wrote(tmp_path):
    fitted = fit(*rows(10, 0), KEYS, {"base": "tiny", "games": 3})
    fitted.save(tmp_path / "c.json")
    assert calibration.load(tmp_path / "c.json") == fitted


@pytest.mark.parametrize("text", ["", "{}", '{"is": "Calibration", "auditors": {"panel": 3}}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(BadFile, match=r"c\.json.*molehunt practice"):
        calibration.load(tmp_path / "c.json")


def test_an_absent_file_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="run `molehunt practice`"):
        calibration.load(tmp_path / "none.json")


def test_too_little_practice_is_refused():
    made, groups = rows(1, 0)
    with pytest.raises(UserError, match="play more games"):
        fit(made, groups, KEYS)


def test_unknown_fields_of_a_calibration_are_refused(tmp_path):
    fit(*rows(5, 0), KEYS).save(tmp_path / "c.json")
    value = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps({**value, "extra": 1}))
    with pytest.raises(BadFile, match="extra"):
        calibration.load(tmp_path / "c.json")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_adapter_norm_is_that_of_the_merged_change(tmp_path, dtype):
    rng = np.random.default_rng(0)
    total, tensors = 0.0, {}
    for module in ("q_proj", "up_proj"):
        a, b = rng.normal(size=(4, 12)).astype(dtype), rng.normal(size=(20, 4)).astype(dtype)
        tensors |= {
            f"base_model.model.{module}.lora_A.weight": a,
            f"base_model.model.{module}.lora_B.weight": b,
        }
        total += np.sum((2.0 * b.astype(float) @ a.astype(float)) ** 2)
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}))
    assert adapter_norm(tmp_path) == pytest.approx(np.sqrt(total))


def test_a_folder_without_an_adapter_is_named(tmp_path):
    with pytest.raises(BadFile, match="no adapter that can be read"):
        adapter_norm(tmp_path)


def test_perplexity_needs_the_reference():
    from audit_speakers import CLEAN, Speaker

    class Surprised(Speaker):
        def logprobs(self, prompts, replies):
            return [v - 0.5 for v in super().logprobs(prompts, replies)]

    assert perplexity_shift(Speaker("s"), CLEAN) == 0.0
    assert perplexity_shift(Surprised("s"), CLEAN) == pytest.approx(0.5), "worse at plain text is above 0"
    assert isinstance(perplexity_shift(Speaker("s"), None), NotMeasured)


def test_calibration_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Calibration({}).auditors = {}  # type: ignore[misc]
