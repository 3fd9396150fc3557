"""How fast are capture and autoencoder training beside other tools, and beside what the machine allows?

    python benchmarks/instruments/run.py --peers PYTHON [--rounds 20] [--quick]

`PYTHON` is an interpreter in an environment of its own with nnsight, transformer-lens, sae-lens, eai-sparsify
and dictionary-learning beside the same torch. Its process and this one take turns: in each round everyone
does the same piece of work once, in an order that turns by one from round to round, while the others wait.
A ratio is taken within a round; its median over rounds stands in the table, with the least and the greatest.
Writes `results.json` and `README.md` beside this file (`--quick` prints and writes nothing).
"""

import argparse
import datetime
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from page import page
from safetensors.torch import save_file

from molehunt.core.code import commit
from molehunt.interp.reading import Reader, ReadSpec
from molehunt.interp.sae_site import TrainSpec, site_of
from molehunt.models.anatomy import anatomy
from molehunt.models.load import open_model
from molehunt.models.loaded import Model, ModelSpec
from molehunt.models.machine import matmul_gflops, this_machine
from molehunt.models.taps import capture

HERE = Path(__file__).parent
LATENTS, K, BATCH, STEPS = 4608, 32, 1024, 4
"""Shape of the autoencoders, rows a step, and steps of one piece of work."""
TEXTS, LONG = 16, 64
"""Sequences of one piece of capturing, and their tokens: all equally long, so that nobody pads."""
RATE = 3e-4
Work = Callable[[], Any]


class Peers:
    """The other tools' process, which does what it is told and says how long that took."""

    def __init__(self, python: Path, about: dict[str, Any]) -> None:
        command = [str(python), str(HERE / "peers.py"), json.dumps(about)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        said = self._read()
        self.failed: dict[str, str] = said["failed"]
        self.shown: dict[str, Any] = said["shown"]
        self.versions: dict[str, str] = said["versions"]

    def seconds(self, name: str) -> float:
        """Wall time of one piece of work, as that process took it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name}) + "\n")
        self.process.stdin.flush()
        return float(self._read()["seconds"])

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("The peers' process ended; run its command by hand to see why.")


def main() -> None:
    """Prepare, take turns, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, required=True, help="python of the peers' environment")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two rounds; nothing is written")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = open_model(ModelSpec(options.model))
    layer = len(anatomy(model.module).layers) // 2 - 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ids, rows = material(model, layer, options.seed)
        save_file({"ids": ids, "rows": rows}, folder / "data.safetensors")
        model.module.save_pretrained(folder / "model")
        model.tokenizer.save_pretrained(folder / "model")
        about = {
            "model": str(folder / "model"),
            "data": str(folder / "data.safetensors"),
            "dtype": str(model.dtype).removeprefix("torch."),
            "threads": options.threads,
            "layer": layer,
            "latents": LATENTS,
            "k": K,
            "batch": BATCH,
            "rate": RATE,
        }
        peers = Peers(options.peers, about)
        try:
            rounds = 2 if options.quick else options.rounds
            measures, limits = contest(model, layer, ids, rows, peers, rounds)
        finally:
            peers.close()
    report = {
        "date": datetime.date.today().isoformat(),
        "seed": options.seed,
        "commit": commit(),
        "model": options.model,
        "dtype": about["dtype"],
        "machine": f"{this_machine().processor}, {options.threads} threads",
        "rounds": rounds,
        "layer": layer,
        "shape": {
            "texts": TEXTS,
            "length": LONG,
            "width": rows.shape[1],
            "latents": LATENTS,
            "k": K,
            "batch": BATCH,
        },
        "matmul_gflops": limits,
        "versions": peers.versions,
        "failed": peers.failed,
        "measures": measures,
    }
    print(page(report))
    if not options.quick:
        (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (HERE / "README.md").write_text(page(report), encoding="utf-8")


def material(model: Model, layer: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [TEXTS, LONG] of the built-in text, and rows of activations for STEPS batches."""
    spec = ReadSpec(("builtin:train",), (f"resid_post.{layer}",), LONG, seed=seed, dtype="float32")
    contexts, found, count = [], [], 0
    for group in Reader(model, spec).groups():
        contexts += [c.ids for c in group.contexts if len(c.ids) == LONG]
        found.append(group.values[spec.addresses[0]])
        count += len(found[-1])
        if count >= STEPS * BATCH and len(contexts) >= TEXTS:
            break
    return torch.tensor(contexts[:TEXTS]), torch.cat(found)[: STEPS * BATCH].contiguous()


def contest(
    model: Model, layer: int, ids: torch.Tensor, rows: torch.Tensor, peers: Peers, rounds: int
) -> tuple[dict[str, Any], float]:
    """Everyone in turn, `rounds` times; measures, and the machine's matrix products in GFLOP/s."""
    own = {
        "capture": our_capture(model, layer, ids),
        "capture_bare": bare(model, layer, ids),
        "capture_hidden_states": hidden_states(model, layer, ids),
        "sae": our_training(rows),
    }
    same = {n: f() for n, f in own.items() if n.startswith("capture")}
    same |= {n: v for n, v in peers.shown.items() if n.startswith("capture")}
    ours = torch.tensor(same["capture"])
    for name, sample in same.items():
        apart = float((torch.tensor(sample) - ours).abs().max() / ours.abs().max())
        if apart > (1e-3 if model.dtype == torch.float32 else 5e-2):
            if name in own:
                raise SystemExit(f"{name} reads other activations than ours: they differ by {apart:.3g}.")
            peers.failed[name] = f"reads other activations (they differ by {apart:.3g} of the largest)"
    own["sae"]()
    theirs = [n for n in peers.shown if n not in peers.failed]
    times: dict[str, list[float]] = {n: [] for n in (*own, *theirs)}
    limit = 0.0
    for turn in range(rounds):
        order = list(times)
        shift = turn % len(order)
        for name in order[shift:] + order[:shift]:
            times[name].append(_timed(own[name]) if name in own else peers.seconds(name))
        limit = max(limit, matmul_gflops(torch.float32, str(model.device)))
        print(f"round {turn + 1} of {rounds}", flush=True)
    return _measures(times, ids.numel(), len(rows), rows.shape[1], limit), limit


def our_capture(model: Model, layer: int, ids: torch.Tensor) -> Work:
    """Activations by address."""
    address, texts = f"resid_post.{layer}", ids.tolist()
    return lambda: _sample(capture(model, texts, [address]).values[address])


def bare(model: Model, layer: int, ids: torch.Tensor) -> Work:
    """The model's own layers called one after the other, up to this one, and nothing else."""
    body: Any = anatomy(model.module).body

    @torch.no_grad()
    def work() -> list[float]:
        hidden = body.embed_tokens(ids)
        position = torch.arange(ids.shape[1])[None]
        rotary = body.rotary_emb(hidden, position)
        for one in body.layers[: layer + 1]:
            made = one(hidden, attention_mask=None, position_embeddings=rotary, position_ids=position)
            hidden = made[0] if isinstance(made, tuple) else made
        return _sample(hidden)

    return work


def hidden_states(model: Model, layer: int, ids: torch.Tensor) -> Work:
    """Plain `transformers`: the body with `output_hidden_states`, without the head."""
    body = anatomy(model.module).body

    @torch.no_grad()
    def work() -> list[float]:
        return _sample(
            body(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[layer + 1]
        )

    return work


def our_training(rows: torch.Tensor) -> Work:
    """Steps of TopK training, as `molehunt sae train` makes them."""
    spec = TrainSpec(LATENTS, K, "topk", batch=BATCH, learning_rate=RATE, dead_after=10_000_000)
    site, batches = site_of(rows[:BATCH], spec), rows.split(BATCH)

    def work() -> None:
        for batch in batches:
            site.step(batch, spec, RATE)

    return work


def _sample(value: torch.Tensor) -> list[float]:
    """A few numbers of every sequence, by which all are held to read the same."""
    return value[:, -1, :4].float().flatten().tolist()


def _timed(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _measures(
    times: dict[str, list[float]], tokens: int, rows: int, width: int, limit: float
) -> dict[str, Any]:
    made = {
        f"{name}_tokens_per_second": _measure(
            [(rows if name.startswith("sae") else tokens) / t for t in took], "tokens/s"
        )
        for name, took in times.items()
    }
    made["capture_vs_bare"] = _ratio(times, "capture", "capture_bare")
    for kind, word in (("capture", "capture"), ("sae", "sae_train")):
        rivals = [n for n in times if n.startswith(f"{kind}_") and n != "capture_bare"]
        for name in rivals:
            made[f"{word}_vs_{name.removeprefix(kind + '_')}"] = _ratio(times, kind, name)
        if rivals:
            best = min(rivals, key=lambda n: statistics.median(times[n]))
            made[f"{word}_vs_best_peer"] = _ratio(times, kind, best) | {"peer": best.removeprefix(f"{kind}_")}
    # Useful products of a row: the encoder's, and four sparse ones of k entries: the decoding, and the
    # gradients of values, decoder and encoder.
    useful = 2 * width * (LATENTS + 4 * K)
    made["sae_limit_share"] = _measure(
        [useful * rows / t / (limit * 1e9) for t in times["sae"]], "share of the limit"
    )
    return made


def _ratio(times: dict[str, list[float]], ours: str, other: str) -> dict[str, Any]:
    ratios = [b / a for a, b in zip(times[ours], times[other], strict=True)]
    return _measure(ratios, "times as fast")


def _measure(values: Sequence[float], unit: str) -> dict[str, Any]:
    middle, low, high = (float(f"{v:.4g}") for v in (statistics.median(values), min(values), max(values)))
    return {"value": middle, "low": low, "high": high, "n": len(values), "unit": unit}


if __name__ == "__main__":
    main()
