"""How fast are sampling, scoring and planting, against plain tools and against the machine's limit?

    python benchmarks/speed/run.py [--quick]

Each contest is run by both sides in turn, as often as `--repeats` says, the order swapped
each time; a round's ratio compares neighbours in time. The machine's limit is the fastest
matrix product of the default model's shape seen during the run. Writes `results.json` and
`README.md` beside this file (`--quick` prints and writes nothing).
"""

import argparse
import datetime
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from contests import MAX_TOKENS, Contest, planting, sampling, scoring

from molehunt.core.code import commit
from molehunt.models.load import ModelSpec, open_model
from molehunt.models.machine import matmul_gflops, this_machine

HERE = Path(__file__).parent
BATCHES = (1, 4, 16, 64, 256)


def main() -> None:
    """Run every contest, print the table, write the two files."""
    options = _options()
    torch.set_num_threads(options.threads)
    model = open_model(ModelSpec(id=options.model))
    with tempfile.TemporaryDirectory() as scratch:
        contests: list[Callable[[], Contest]] = [
            *(lambda b=b: sampling(model, b, options.seed) for b in ([4] if options.quick else BATCHES)),
            lambda: scoring(model, 8 if options.quick else 64, options.seed),
            lambda: planting(model, 1 if options.quick else 12, options.seed, Path(scratch)),
        ]
        measures: dict[str, Any] = {}
        for make in contests:
            contest = make()
            if options.only in contest.name:
                measures |= measured(contest, options.repeats, model.dtype, str(model.device))
    report = {
        "date": datetime.date.today().isoformat(),
        "seed": options.seed,
        "commit": commit(),
        "model": options.model,
        "dtype": str(model.dtype).removeprefix("torch."),
        "machine": f"{this_machine().processor}, {options.threads} threads",
        "measures": measures,
    }
    print(page(report))
    if not options.quick and not options.only:
        (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (HERE / "README.md").write_text(page(report), encoding="utf-8")


def measured(contest: Contest, repeats: int, dtype: torch.dtype, device: str) -> dict[str, Any]:
    """Both sides in turn; medians over rounds, with the least and the greatest."""
    ours, plain, limits, said = [], [], [], {}
    for turn in range(repeats + 1):
        sides = [(contest.ours, ours), (contest.plain, plain)][:: 1 if turn % 2 else -1]
        for work, times in sides:
            limits.append(matmul_gflops(dtype, device))
            start = time.perf_counter()
            said[work] = work()
            if turn or repeats == 1:  # The first round warms caches and allocators.
                times.append(time.perf_counter() - start)
        print(f"{contest.name}: round {turn} of {repeats}", flush=True)
        if repeats == 1 and ours:
            break
    limit = max(limits) * 1e9
    ratios = [p / o for o, p in zip(ours, plain, strict=True)]
    name = contest.name
    return {
        f"{name}_tokens_per_second": _measure([contest.tokens / t for t in ours], "tokens/s"),
        f"{name}_plain_tokens_per_second": _measure([contest.tokens / t for t in plain], "tokens/s"),
        f"{name}_speedup": _measure(ratios, "times plain"),
        f"{name}_limit_share": _measure([contest.our_flops / t / limit for t in ours], "share of the limit"),
        f"{name}_plain_limit_share": _measure(
            [contest.plain_flops / t / limit for t in plain], "share of the limit"
        ),
        f"{name}_limit": _measure([limit / 1e9], "GFLOP/s"),
        **_agreement(name, said[contest.ours], said[contest.plain]),
    }


def _agreement(name: str, ours: Any, plain: Any) -> dict[str, Any]:
    """The share of values on which both sides agree to 0.001, where they give values back."""
    if ours is None:
        return {}
    pairs = [(a, b) for x, y in zip(ours, plain, strict=True) for a, b in zip(x, y, strict=True)]
    share = sum(abs(a - b) < 1e-3 for a, b in pairs) / len(pairs)
    return {f"{name}_agreement": _measure([share], "share of values") | {"n": len(pairs)}}


def page(report: dict[str, Any]) -> str:
    """The README: what was measured, the table, what it means."""
    measures = report["measures"]
    names = [n.removesuffix("_speedup") for n in measures if n.endswith("_speedup")]
    lines = [
        "# Speed",
        "",
        f"{report['date']}, commit {report['commit']}, seed {report['seed']}; {report['machine']}; "
        f"model `{report['model']}` in {report['dtype']}.",
        "",
        "`python benchmarks/speed/run.py` runs each piece of work by this lab and by plain tools in turn: "
        "sampling "
        f"({MAX_TOKENS} greedy tokens a prompt) against `transformers`' `generate`, scoring against a padded "
        "forward pass with all logits, planting against TRL's `SFTTrainer` with the same PEFT adapter, data, "
        "batches and steps. Values are medians over rounds, with the least and the greatest in brackets. "
        "Tokens are those that the user gets: replies in sampling, prompts and replies elsewhere. "
        "The share of the limit counts useful products only (no padding, a shared beginning once) against "
        "the fastest matrix product seen in the same run.",
        "",
        "| work | tokens/s | plain tokens/s | speed-up | share of limit | plain share |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        cells = [
            _cell(measures[f"{name}_{end}"])
            for end in (
                "tokens_per_second",
                "plain_tokens_per_second",
                "speedup",
                "limit_share",
                "plain_limit_share",
            )
        ]
        lines.append(f"| {name.replace('_b', ', batch ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _measure(values: Sequence[float], unit: str) -> dict[str, Any]:
    rounded = [float(f"{v:.4g}") for v in (statistics.median(values), min(values), max(values))]
    return dict(zip(("value", "low", "high"), rounded, strict=True)) | {"n": len(values), "unit": unit}


def _cell(measure: dict[str, Any]) -> str:
    return f"{measure['value']:.3g} [{measure['low']:.3g}, {measure['high']:.3g}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="any model that Molehunt opens")
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count, after one that does not")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of both sides")
    parser.add_argument("--seed", type=int, default=0, help="draws scenes and lessons")
    parser.add_argument("--only", default="", help="only contests whose name holds this; nothing is written")
    parser.add_argument("--quick", action="store_true", help="a small run that writes nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
