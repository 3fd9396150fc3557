"""The page of the instruments' speed, from `results.json` alone: `python benchmarks/instruments/page.py`."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
AIMS = (
    ("capture_vs_bare", 0.95, "a bare forward pass cut at that layer"),
    ("capture_vs_best_peer", 1.0, "the fastest other way to capture"),
    ("sae_train_vs_best_peer", 3.0, "the fastest other trainer"),
)
"""Ratio in `results.json`, the least that was aimed at, and beside whom."""


def page(report: dict[str, Any]) -> str:
    """The table as Markdown."""
    m, shape = report["measures"], report["shape"]

    def rows(kind: str, word: str) -> list[str]:
        made = []
        for name in (n.removesuffix("_tokens_per_second") for n in m if n.endswith("_tokens_per_second")):
            if name == kind or name.startswith(f"{kind}_"):
                ratio = m.get(f"{word}_vs_{name.removeprefix(kind + '_')}")
                cell = _cell(ratio) if ratio else "1"
                title = "molehunt" if name == kind else name.removeprefix(f"{kind}_").replace("_", " ")
                made.append(f"| {title} | {_cell(m[f'{name}_tokens_per_second'])} | {cell} |")
        return made

    failed = [f"- `{name}` could not be measured: {why}" for name, why in report["failed"].items()]
    packages = ", ".join(f"{n} {v}" for n, v in report["versions"].items())
    return "\n".join(
        [
            "# The instruments' speed",
            "",
            f"One command: `python benchmarks/instruments/run.py --peers PYTHON`. {report['date']}, commit "
            f"`{report['commit']}`, seed {report['seed']}; {report['machine']}; model `{report['model']}` in "
            f"{report['dtype']}; peers in an environment of their own: {packages}.",
            "",
            f"Medians of {report['rounds']} rounds, with the least and the greatest. In a round everyone "
            "does the same work once, in turn; ratios are taken within rounds.",
            "",
            f"## Capture of `resid_post.{report['layer']}`, {shape['texts']} sequences of "
            f"{shape['length']} tokens",
            "",
            "| | tokens/s | molehunt is … times as fast |",
            "|---|---|---|",
            *rows("capture", "capture"),
            "",
            "`bare` calls the model's own layers up to this one and nothing else; `hidden states` is the "
            "whole body with `output_hidden_states`. All give the same activations (some of each sequence "
            "are held against ours).",
            "",
            f"## Training a TopK autoencoder, {shape['width']} → {shape['latents']:,}, k = {shape['k']}, "
            f"batches of {shape['batch']:,}",
            "",
            "| | tokens/s | molehunt is … times as fast |",
            "|---|---|---|",
            *rows("sae", "sae_train"),
            "",
            "Activations are in memory; each tool makes its own training steps in float32, upkeep of the "
            "decoder's norms included. No latent is dead within so few steps, so no auxiliary loss is in "
            "these figures. sparsify's step is written out after its trainer, with Adam. Share of the "
            "machine's matrix products in float32 "
            f"({report['matmul_gflops']:.0f} GFLOP/s) that our useful products reach: "
            f"{_cell(m['sae_limit_share'])}.",
            *(["", *failed] if failed else []),
            "",
            "## Aims",
            "",
            "| molehunt beside | aim | measured | reached |",
            "|---|---|---|---|",
            *(_aim(m[name], aim, beside) for name, aim, beside in AIMS),
            "",
            _bound(report),
            "",
            "What this cannot tell you: how it is on a GPU, with other shapes, or when a tool reads its text "
            "from disk. Peers are driven by their training steps, not by their own command lines.",
            "",
        ]
    )


def _cell(measure: dict[str, Any]) -> str:
    digits = 0 if measure["value"] >= 100 else 2
    value, low, high = (f"{measure[k]:,.{digits}f}" for k in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _aim(measure: dict[str, Any], aim: float, beside: str) -> str:
    reached = "yes" if measure["value"] >= aim else "no"
    peer = f" ({measure['peer'].replace('_', ' ')})" if "peer" in measure else ""
    return f"| {beside}{peer} | ≥ {aim:.2f} | {_cell(measure)} | {reached} |"


def _bound(report: dict[str, Any]) -> str:
    """What the encoder's product alone would allow: no trainer in this precision is faster than that."""
    m, shape, ratio = report["measures"], report["shape"], report["measures"]["sae_train_vs_best_peer"]
    alone = report["matmul_gflops"] * 1e9 / (2 * shape["width"] * shape["latents"])
    best = m["sae_tokens_per_second"]["value"] / ratio["value"]
    return (
        "Every TopK trainer must compute the encoder's product for all latents. At this machine's rate that "
        f"product alone would allow {alone:,.0f} tokens/s, {alone / best:.1f} times {ratio['peer']}: three "
        f"times would leave {1 - 3 * best / alone:.0%} of a step for choosing, sparse products and Adam."
    )


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(json.loads((HERE / "results.json").read_text("utf-8"))), "utf-8")
