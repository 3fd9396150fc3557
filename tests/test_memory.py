"""Running out of memory is one sentence that names what to lower; other errors keep their traceback."""

import errno

import numpy as np
import pytest
import torch

from molehunt import cli
from molehunt.core.memory import less, ran_out


def test_what_torch_numpy_and_the_system_raise_is_known_and_nothing_else():
    for make in (
        lambda: torch.empty(10**16),
        lambda: torch.empty(2**62, 2**10),
        lambda: np.empty(10**16),
        lambda: bytearray(10**17),
    ):
        with pytest.raises((RuntimeError, MemoryError)) as error:
            make()
        assert ran_out(error.value), error.value
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."))
    assert ran_out(RuntimeError("CUDA error: out of memory"))
    assert ran_out(OSError(errno.ENOMEM, "Cannot allocate memory"))
    with pytest.raises(RuntimeError) as error:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not ran_out(error.value)
    assert not ran_out(OSError(errno.ENOENT, "out of memory")) and not ran_out(ValueError("out of memory"))


def test_an_autoencoder_too_wide_for_any_machine_gets_a_sentence(tmp_path, capfd):
    (tmp_path / "a.txt").write_text("some words to read " * 40)
    asked = ["sae", "train", str(tmp_path / "out"), "--model", "tiny", "--addresses", "resid_post.0"]
    asked += ["--text", str(tmp_path / "a.txt"), "--tokens", "64", "--batch", "64"]
    assert cli.main([*asked, "--latents", str(10**13)]) == 2
    said = capfd.readouterr().err
    assert "Memory ran out; lower --latents or --batch or --context" in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_options_that_a_verb_lacks_are_not_named():
    assert "--batch-tokens" in less(["batch_tokens", "model"]) and "--latents" not in less(["batch_tokens"])
    assert "machine with more" in less([])


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli, "_run", lambda *a: (_ for _ in ()).throw(RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        cli.main(["doctor"])
