"""The peers' half of `run.py`: holds each tool ready and does a piece of work when it is told to.

Reads one JSON object a line, `{"do": NAME}`, does the work and answers `{"seconds": S}`; what a tool could
not be made to do is answered once, at the start, as `{"failed": {NAME: WHY}}`. Runs in an environment of
its own (see `run.py`), with the same model folder, token ids, rows and number of threads.
"""

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

Work = Callable[[], Any]
PACKAGES = (
    "nnsight",
    "transformer-lens",
    "sae-lens",
    "eai-sparsify",
    "dictionary-learning",
    "torch",
    "transformers",
)


def main() -> None:
    """Make ready, say what failed, then serve."""
    about = json.loads(sys.argv[1])
    torch.set_num_threads(about["threads"])
    torch.manual_seed(0)
    data = load_file(Path(about["data"]))
    makers: dict[str, Callable[[], Work]] = {
        "capture_nnsight": lambda: capture_nnsight(about, data["ids"]),
        "capture_transformer_lens": lambda: capture_transformer_lens(about, data["ids"]),
        "sae_saelens_dense": lambda: sae_saelens(about, data["rows"], False),
        "sae_saelens_sparse": lambda: sae_saelens(about, data["rows"], True),
        "sae_sparsify": lambda: sae_sparsify(about, data["rows"]),
        "sae_dictionary_learning": lambda: sae_dictionary_learning(about, data["rows"]),
    }
    ready, failed, shown = {}, {}, {}
    for name, make in makers.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                ready[name] = make()
                shown[name] = ready[name]()  # once, so that nothing is measured while it warms up
        except Exception as error:
            ready.pop(name, None)
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
    print(json.dumps({"failed": failed, "shown": shown, "versions": versions()}), flush=True)
    for line in sys.stdin:
        work = ready[json.loads(line)["do"]]
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.perf_counter()
            work()
            spent = time.perf_counter() - start
        print(json.dumps({"seconds": spent}), flush=True)


def _model(about: dict[str, Any]) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(about["model"], dtype=getattr(torch, about["dtype"])).eval()
    model.config.use_cache = False
    return model


def capture_nnsight(about: dict[str, Any], ids: torch.Tensor) -> Work:
    """The layer's output by a trace that stops there."""
    from nnsight import NNsight

    model = NNsight(_model(about))
    layer = model.model.layers[about["layer"]]

    @torch.no_grad()
    def work() -> list[float]:
        with model.trace(ids) as tracer:
            seen = layer.output.save()
            tracer.stop()
        return _sample(seen[0] if isinstance(seen, tuple) else seen)

    return work


def capture_transformer_lens(about: dict[str, Any], ids: torch.Tensor) -> Work:
    """The layer's output by `run_with_cache`, stopped after it."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(about["model"])
    bridge = TransformerBridge.boot_transformers(
        about["model"], hf_model=_model(about), tokenizer=tokenizer, dtype=getattr(torch, about["dtype"])
    )
    name = f"blocks.{about['layer']}.hook_out"

    @torch.no_grad()
    def work() -> list[float]:
        _, cache = bridge.run_with_cache(ids, names_filter=name, stop_at_layer=about["layer"] + 1)
        return _sample(cache[name])

    return work


def _sample(value: torch.Tensor) -> list[float]:
    """A few numbers of every sequence, by which all are held to read the same."""
    return value[:, -1, :4].float().flatten().tolist()


def _batches(about: dict[str, Any], rows: torch.Tensor) -> list[torch.Tensor]:
    return list(rows.split(about["batch"]))


def sae_saelens(about: dict[str, Any], rows: torch.Tensor, sparse: bool) -> Work:
    """Steps of SAELens' own trainer on a TopK autoencoder, with dense or with sparse activations."""
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    batches = _batches(about, rows)
    config = SAETrainerConfig(
        total_training_samples=10**9,
        train_batch_size_samples=about["batch"],
        lr=about["rate"],
        lr_end=about["rate"],
        logger=LoggingConfig(log_to_wandb=False),
    )
    shape = TopKTrainingSAEConfig(
        d_in=rows.shape[1], d_sae=about["latents"], k=about["k"], use_sparse_activations=sparse
    )
    sae = TopKTrainingSAE(shape)
    trainer = SAETrainer(config, sae, iter(()))

    def work() -> None:
        for batch in batches:
            trainer.step(batch)
            trainer.n_training_steps += 1

    return work


def sae_sparsify(about: dict[str, Any], rows: torch.Tensor) -> Work:
    """sparsify's step on a batch of activations, written out after its trainer, with Adam."""
    from sparsify import SparseCoder, SparseCoderConfig

    config = SparseCoderConfig(num_latents=about["latents"], k=about["k"])
    sae, batches = SparseCoder(rows.shape[1], config, dtype=torch.float32), _batches(about, rows)
    adam = torch.optim.Adam(sae.parameters(), lr=about["rate"])
    silent = torch.zeros(about["latents"], dtype=torch.long)

    def work() -> None:
        for batch in batches:
            sae.set_decoder_norm_to_unit_norm()
            out = sae(batch, batch, dead_mask=silent > 10_000_000)
            (out.fvu + out.auxk_loss / 32).backward()
            silent.add_(len(batch))
            silent[out.latent_indices.flatten()] = 0
            sae.remove_gradient_parallel_to_decoder_directions()
            adam.step()
            adam.zero_grad()

    return work


def sae_dictionary_learning(about: dict[str, Any], rows: torch.Tensor) -> Work:
    """Updates of dictionary_learning's TopK trainer."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    batches = _batches(about, rows)
    trainer = TopKTrainer(
        steps=10**6,
        activation_dim=rows.shape[1],
        dict_size=about["latents"],
        k=about["k"],
        layer=about["layer"],
        lm_name="default",
        lr=about["rate"],
        warmup_steps=1,
        device="cpu",
    )
    step = 0

    def work() -> None:
        nonlocal step
        for batch in batches:
            trainer.update(step, batch)
            step += 1

    return work


def versions() -> dict[str, str]:
    """What is installed there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
