"""SAELens' half of the study: trains its TopK autoencoder on the rows of a capture, and saves its folder."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from safetensors.torch import load_file


def batches(folder: Path, address: str, batch: int, seed: int) -> Iterator[torch.Tensor]:
    """Endless rows, every round in another order."""
    shards = [load_file(p)[address].float() for p in sorted(folder.glob("shard-*.safetensors"))]
    rows, draw = torch.cat(shards), torch.Generator().manual_seed(seed)
    while True:
        for some in torch.randperm(len(rows), generator=draw).split(batch):
            if len(some) == batch:
                yield rows[some]


def main() -> None:
    """Train as `autoencoder.py` asks, save."""
    about: dict[str, Any] = json.loads(sys.argv[1])
    torch.manual_seed(about["seed"])
    flow = batches(Path(about["acts"]), about["address"], about["batch"], about["seed"])
    steps = about["tokens"] // about["batch"]
    config = SAETrainerConfig(
        total_training_samples=steps * about["batch"],
        train_batch_size_samples=about["batch"],
        lr=about["rate"],
        lr_end=0.0,
        lr_warm_up_steps=max(1, steps // 20),
        lr_decay_steps=max(1, steps // 5),
        dead_feature_window=max(1, about["dead_after"] // about["batch"]),
        logger=LoggingConfig(log_to_wandb=False),
    )
    first = next(flow)
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=first.shape[1],
            d_sae=about["latents"],
            k=about["k"],
            normalize_activations="expected_average_only_in",
        )
    )
    with torch.no_grad():
        sae.b_dec.copy_(torch.zeros_like(sae.b_dec))
    made = SAETrainer(config, sae, flow).fit()
    made.save_inference_model(sys.argv[2])


if __name__ == "__main__":
    main()
