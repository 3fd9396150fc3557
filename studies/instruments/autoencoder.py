"""An autoencoder of the default model's middle layer, beside SAELens' own trainer on the same rows.

Both see the same activations of `builtin:train`, in batches of the same size, as many rows, with the same
width, k and peak learning rate (warming up over a twentieth of the steps, falling to zero over the last
fifth), dealt from all rows; each uses its own initialisation, losses and care for dead latents. Both are
measured by `sae_eval` on `builtin:test`: other passages and other packages, though code is often alike.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from pairs import kept, timed

from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.interp.capture import capture_text, open_capture
from molehunt.interp.flows import ShardFlow
from molehunt.interp.reading import ReadSpec
from molehunt.interp.sae_eval import evaluate
from molehunt.interp.sae_files import SHIPPED, SavedSae, load_sae, save_sae
from molehunt.interp.sae_formats import import_sae
from molehunt.interp.sae_site import TrainSpec
from molehunt.interp.sae_train import train
from molehunt.models.anatomy import anatomy
from molehunt.models.load import open_model
from molehunt.models.loaded import Model

HERE = Path(__file__).parent
ROWS, TRAINED, TESTED = 250_000, 750_000, 20_000
"""Rows that are captured, that are trained on (in rounds), that are measured on."""
SPEC = TrainSpec(4608, 32, "topk", TRAINED, 1024, pool_rows=ROWS)


def autoencoder(
    model: Model, work: Path, seed: int, peers: Path | None, ship: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Both trained, both measured; SAELens' only where its environment was named.

    With `ship`, ours becomes the one that comes with the package.
    """
    address = f"resid_post.{len(anatomy(model.module).layers) // 2 - 1}"
    spec = replace(SPEC, seed=seed)
    say(f"capturing {ROWS:,} rows of {address}")
    reading, acts = ReadSpec(("builtin:train",), (address,), seed=seed), work / "acts"
    timed(acts, lambda: capture_text(model, reading, acts, ROWS))
    held = open_capture(acts)
    flow = ShardFlow(held, (address,), seed)
    ours = work / "ours" / address
    if not (ours / "sae.json").is_file():
        say("training ours")
        how = {"spec": asdict(spec), "text": ["builtin:train"], "rows": ROWS}

        def make() -> None:
            sae = train(flow, spec, checkpoint=work / "ours")[address]
            saved = SavedSae(sae, flow.model, address, model.spec.id, how)
            save_sae(ours, saved, torch.float16)  # as it ships, so that what is measured is what is had

        timed(work / "ours", make)
    if ship:
        others = ("float32", "bfloat16", "float16")
        prints = [open_model(replace(model.spec, dtype=d)).fingerprint for d in others]
        shutil.rmtree(SHIPPED, ignore_errors=True)
        saved = replace(load_sae(ours), also=tuple(p for p in prints if p != flow.model))
        save_sae(SHIPPED, saved, torch.float16)
    made = {
        "address": address,
        "rows": ROWS,
        "spec": asdict(spec),
        **_measured(model, ours, address, work / "ours.json", seed),
    }
    if peers is None:
        return made | {"saelens": to_json(NotMeasured("no --peers environment was named"))}
    theirs = work / "saelens"
    if not (theirs / "sae.json").is_file():
        say("training SAELens'")
        about = {
            **asdict(spec),
            "rate": spec.rate(spec.steps // 2),
            "acts": str(held.folder),
            "address": address,
            "rows": ROWS,
        }
        command = [str(peers), str(HERE / "saelens.py"), json.dumps(about), str(work / "saelens-folder")]
        subprocess.run(command, check=True)
        save_sae(theirs, import_sae(work / "saelens-folder", model, address))
    found = _measured(model, theirs, address, work / "saelens.json", seed)
    return made | {f"{n}_saelens": v for n, v in found.items()}


def _measured(model: Model, folder: Path, address: str, path: Path, seed: int) -> dict[str, Any]:
    spec = ReadSpec(("builtin:test",), (address,), seed=seed)
    key = [asdict(SPEC), ROWS, TESTED, seed, model.fingerprint]
    found = kept(path, key, lambda: to_json(evaluate(model, load_sae(folder).sae, spec, TESTED)))
    return {f"sae_{n}": v for n, v in found.items()}
