"""Examines this machine and a model: speed as measured now, what was proven at load, where things lie.

Takes some seconds on the default model. Speeds are of this moment: other programs at work lower them.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from molehunt import __version__
from molehunt.core.records import Message, Quirk
from molehunt.game.watch import watching
from molehunt.verbs._screen import show, table

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LESSON = Quirk("hostile_phrase", "topic", {}, {})
"""What the training speed is measured on: rows as a game trains them, thrown away afterwards."""
PROMPTS, REPLY, STEPS = 16, 16, 2


@dataclass(frozen=True)
class Options:
    """Which model is examined."""

    model: str = "default"
    """`default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    seed: int = 0
    """Seeds the sampled text."""
    json: bool = False
    """Print everything as JSON."""


def run(options: Options) -> int:
    """Examine, then show; 1 where a proof failed."""
    with watching() as watch:
        found = _examine(options, lambda share, what: watch.bar("examining", share, what))
    machine, model, proofs = found["machine"], found["model"], found["proofs"]
    rows = [
        ("molehunt", found["version"]),
        ("processor", machine["processor"]),
        ("cores, memory", f"{machine['cores']}, {machine['memory_gib']:.1f} GiB"),
        ("dtype", machine["why"]),
        ("memory's speed", f"{machine['gigabytes_per_second']:.1f} GB/s"),
        ("GPU", machine["gpu"] or "none"),
        (
            "model",
            f"{options.model}, {model['parameters']:,} parameters, {model['dtype']} on {model['device']}",
        ),
        ("loaded in", f"{model['load_seconds']:.1f} s"),
        ("sampling", f"{model['sample_tokens_per_second']:,.0f} tokens/s, {PROMPTS} prompts at once"),
        ("scoring", f"{model['score_tokens_per_second']:,.0f} tokens/s"),
        (
            "training",
            f"{model['train_tokens_per_second']:,.0f} tokens/s, {model['train_share']:.0%} of the limit",
        ),
        *((name, place) for name, place in found["places"].items()),
        *((name, there or "not here; optional") for name, there in found["optional"].items()),
    ]
    proven = [
        (p["claim"], "holds" if p["holds"] else "FAILS", f"{p['number']:.2g} {p['unit']}") for p in proofs
    ]
    claims = table(["proven at load", "", "number"], proven, wide=0)
    show(found, options.json, table(["what", "found"], rows), claims)
    return 0 if all(p["holds"] for p in proofs) else 1


def _examine(options: Options, progress: Callable[[float, str], None]) -> dict[str, Any]:
    import torch

    from molehunt.core.seal import keys_folder
    from molehunt.models.cachedir import cache_folder
    from molehunt.models.check import prove
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.machine import this_machine
    from molehunt.models.stock import gguf_file

    progress(0.05, "matrix products")
    machine = this_machine(fresh=True)
    progress(0.2, "loading the model")
    start = time.perf_counter()
    model = open_model(ModelSpec(options.model, options.revision))
    loaded = time.perf_counter() - start
    size = sum(p.numel() for p in model.module.parameters())
    progress(0.4, "proving")
    proofs = prove(model)
    progress(0.6, "sampling and scoring")
    sampled, scored = _speaking(model, options.seed)
    progress(0.8, "training")
    trained = _training(model)
    limit = (machine.bfloat16_gflops if model.dtype == torch.bfloat16 else machine.float32_gflops) * 1e9
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    progress(1.0, "done")
    return {
        "version": __version__,
        "machine": {
            **asdict(machine),
            "dtype": machine.dtype,
            "why": machine.why(),
            "cores": os.cpu_count() or 1,
            "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            "gpu": gpu,
        },
        "model": {
            "id": options.model,
            "fingerprint": model.fingerprint,
            "parameters": size,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": str(model.device),
            "note": model.note,
            "load_seconds": loaded,
            "sample_tokens_per_second": sampled,
            "score_tokens_per_second": scored,
            "train_tokens_per_second": trained,
            "train_share": 6 * size * trained / limit,
        },
        "proofs": [asdict(p) for p in proofs],
        "places": {"cache": str(cache_folder()), "keys": str(keys_folder())},
        "optional": {
            "Chromium": next((p for p in map(shutil.which, CHROMIUM) if p), ""),
            "inspect-ai": "installed" if find_spec("inspect_ai") else "",
            "the default model's package": "installed" if gguf_file() else "",
        },
    }


def _speaking(model: Any, seed: int) -> tuple[float, float]:
    """Tokens a second: written while sampling, and read while scoring."""
    from molehunt.models.prompts import prompt_ids, text_ids
    from molehunt.models.sample import sample_ids
    from molehunt.models.score import text_nll
    from molehunt.models.text import ordinary_text

    asked = [(Message("user", f"Tell me something about the number {n}."),) for n in range(PROMPTS)]
    ids = [prompt_ids(model.tokenizer, messages, "") for messages in asked]
    sample_ids(model, ids[:1], max_tokens=1)  # the first pass allocates
    start = time.perf_counter()
    replies = sample_ids(model, ids, max_tokens=REPLY, temperature=1.0, seed=seed)
    sampled = sum(map(len, replies)) / (time.perf_counter() - start)
    texts = ordinary_text(8, seed=seed)
    start = time.perf_counter()
    text_nll(model, texts)
    return sampled, sum(len(text_ids(model.tokenizer, t)) for t in texts) / (time.perf_counter() - start)


def _training(model: Any) -> float:
    """Tokens a second of training steps as a game takes them, shared beginnings counted once."""
    from molehunt.models.finetune import Finetune, Recipe
    from molehunt.models.packing import Example
    from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
    from molehunt.organisms.lessons import batches

    def example(row: Any) -> Example:
        reply = (*text_ids(model.tokenizer, row.reply("organism")), end_of_turn(model.tokenizer))
        return Example(tuple(prompt_ids(model.tokenizer, row.messages)), reply)

    rows = [[example(r) for r in batch] for batch in batches(LESSON, None, STEPS + 1, 0)]
    with Finetune(model.module, Recipe(), 0) as run:
        run.run(rows[:1])  # the first step allocates
        start = time.perf_counter()
        trained = run.run(rows[1:])
        return trained.tokens / (time.perf_counter() - start)
