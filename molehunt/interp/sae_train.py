"""Training sparse autoencoders: several sites in one pass over a flow of activations, kept as it goes.

What one step does stands in `interp.sae_site`. The scale that activations get there is folded into the
weights at the end. The state is kept between pools of rows, and a training that was broken off goes on there.

What this cannot tell you: whether a latent is one thing. Training asks for few latents and a small error;
another seed, width or k cuts the same activations otherwise, and nothing here prefers one cut. What a step
shows (variance explained, dead) is of its own batch; `interp.sae_eval` measures on text that you choose.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from molehunt.core.atomic import canonical, write_bytes
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.interp.flows import Flow, pools
from molehunt.interp.sae import SparseAutoencoder
from molehunt.interp.sae_loss import Room
from molehunt.interp.sae_site import Site, Step, TrainSpec, new_site, site_of

CHECKPOINT = "checkpoint.safetensors"

Report = Callable[[int, int, float, Mapping[str, Step]], None]
"""Called each step with steps done, steps in all, rows a second (0 where all was done before), and what
each site shows."""


def train(
    flow: Flow,
    spec: TrainSpec,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    every: float = 60.0,
    report: Report | None = None,
) -> dict[str, SparseAutoencoder]:
    """Train one autoencoder an address, in units of the model's own activations.

    Args:
        checkpoint: folder that keeps the state between pools, at most every `every` seconds; a training
            that was broken off goes on from there.

    Raises:
        UserError: sizes that cannot be, or activations that are not finite.
        RunMismatch: the checkpoint is of another training.
    """
    if spec.batch < 1 or spec.tokens < 1:
        raise UserError("An autoencoder needs at least one token and batches of at least one.")
    about = {"spec": asdict(spec), "model": flow.model, "addresses": flow.addresses, "origin": flow.origin}
    key = canonical(about).decode()
    sites: dict[str, Site] = {}
    done, start = _resume(checkpoint, key, sites, spec, device)
    sites = {a: sites[a] for a in flow.addresses if a in sites}  # in the order that was asked for
    room = Room()
    for site in sites.values():
        site.room = room
    saved, began, first = time.monotonic(), time.monotonic(), done
    dealt = pools(flow, min(spec.pool_rows, spec.tokens), spec.batch, spec.seed, start)
    while done < spec.steps:
        start, batches = next(dealt)
        for number in range(min(len(batches), spec.steps - done)):
            for address, x in batches[number].items():
                if address not in sites:
                    sites[address] = site_of(x, spec, device, flow.models)
                    sites[address].room = room
                sites[address].step(x, spec, spec.rate(done))
            done += 1
            if report is not None:
                speed = (done - first) * spec.batch / max(1e-9, time.monotonic() - began)
                report(done, spec.steps, speed, {a: s.shown for a, s in sites.items()})
        shown = [s.shown.variance_explained for s in sites.values()]
        if not all(e is None or math.isfinite(e) for e in shown):
            broken = [a for batch in batches for a, x in batch.items() if not bool(x.isfinite().all())]
            if not broken:
                raise UserError(
                    "The training came apart on finite activations; choose a smaller --learning-rate."
                )
            raise UserError(
                f"The activations at {broken[0]} hold numbers that are not finite; read them in float32."
            )
        if checkpoint is not None and (time.monotonic() - saved >= every or done >= spec.steps):
            _save(checkpoint, key, done, start, sites)
            saved = time.monotonic()
    if report is not None and done == first:
        report(done, spec.steps, 0.0, {a: s.shown for a, s in sites.items()})
    for site in sites.values():
        site.sae.rescaled(site.scales)
    return {address: site.sae for address, site in sites.items()}


def _save(folder: Path, key: str, done: int, start: tuple[int, int], sites: Mapping[str, Site]) -> None:
    tensors: dict[str, Tensor] = {}
    for address, site in sites.items():
        tensors |= {f"{address}/sae/{n}": t for n, t in site.sae.state_dict().items()}
        tensors[f"{address}/silent"] = site.silent
        tensors[f"{address}/scales"] = torch.tensor(site.scales, dtype=torch.float64)
        for name, part in site.sae.named_parameters():
            for moment, value in site.optimizer.state[part].items():
                tensors[f"{address}/adam/{name}/{moment}"] = value
    shown = json.dumps({a: asdict(s.shown) for a, s in sites.items()})
    said = {"key": key, "done": str(done), "block": str(start[0]), "pool": str(start[1]), "shown": shown}
    write_bytes(folder / CHECKPOINT, save({n: t.contiguous().cpu() for n, t in tensors.items()}, said))


def _resume(
    folder: Path | None, key: str, sites: dict[str, Site], spec: TrainSpec, device: str
) -> tuple[int, tuple[int, int]]:
    if folder is None or not (folder / CHECKPOINT).is_file():
        return 0, (0, 0)
    try:
        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            said = file.metadata()
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if said["key"] != key:
            raise RunMismatch(
                f"{folder} holds a training of something else; give another folder, or the same command."
            )
        shown = json.loads(said["shown"])
        for address in dict.fromkeys(name.split("/")[0] for name in held):
            width = held[f"{address}/sae/decoder_bias"].shape[0]
            site = new_site(width, spec, device, tuple(held[f"{address}/scales"].tolist()))
            site.shown = Step(**shown[address])
            head = f"{address}/sae/"
            site.sae.load_state_dict({n.removeprefix(head): t for n, t in held.items() if n.startswith(head)})
            site.silent.copy_(held[f"{address}/silent"])
            for name, part in site.sae.named_parameters():
                site.optimizer.state[part] = {
                    m: held[f"{address}/adam/{name}/{m}"].to(device)  # a fused Adam counts where it steps
                    for m in ("step", "exp_avg", "exp_avg_sq")
                }
            sites[address] = site
        return int(said["done"]), (int(said["block"]), int(said["pool"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadFile(
            f"{folder / CHECKPOINT} is damaged ({str(error)[:80]}); delete it to begin anew."
        ) from None
