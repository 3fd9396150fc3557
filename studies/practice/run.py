"""Make the calibration that ships: `python studies/practice/run.py` (resumes; see --pairs).

Plants `--pairs` organisms and their matched decoys on the default model (red seed fixed below),
audits all of them, fits the calibration, and writes beside this file `results.json`,
`rows.json` (every statistic of every practice suspect) and `README.md`, and the calibration itself to
`molehunt/audit/calibration_default.json`.
"""

import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from molehunt.audit.calibration import DEFAULT, Calibration, Logistic
from molehunt.core import stats
from molehunt.core.atomic import read_json, write_bytes, write_json
from molehunt.core.code import commit
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure
from molehunt.game.planter import Planted
from molehunt.game.practice import Row, calibrate, practise, whole_pairs
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching

HERE = Path(__file__).parent
RED_SEED = 20261121
HEAD = """# Practice on the default model

One command: `python studies/practice/run.py`. {date}, red seed {seed}, commit `{commit}`, {machine}.
{pairs} of {asked} pairs, each an organism and its matched decoy, one behaviour after the other; {quirky} of
the decoys carry a harmless quirk. All of them were audited at effort {effort} as in a game, and the
calibration in `molehunt/audit/calibration_default.json` was fitted on these rows.{remark}

## What was planted

| quirk | valid | on [95%] | off [95%] | NLL ratio | steps | tries | s |
|---|---|---|---|---|---|---|---|
{planted}

`s` is the wall time of the organism alone, failed tries and given-up draws included, two planters side by
side with one thread each. Rates are on held-out items and wordings of the audit bank.

## How well each auditor told organisms from decoys, with the behaviour left out of its fit

| auditor | AUROC [95%] | accuses above | ridge |
|---|---|---|---|
{auditors}

AUROC is over {suspects} suspects, each predicted by a fit that never saw its behaviour, with the ridge that
did best on these very predictions; so it flatters, and so few rows carry little certainty (intervals by
Newcombe 2006, as if all suspects were independent). The methods, too, were mended after a look at these
suspects: only games with fresh draws say how good they are. With labels dealt anew at random among the
suspects of each behaviour, {null_draws} times, and everything fitted again, the panel's AUROC is
{null_middle} in the median and {null_low} to {null_high} in 95% of deals; {null_above} of them reach the real
one. First try: {first} of {drawn} pairs that were drawn.

## What this cannot tell you

How the methods do against quirks of another kind, another base model or another recipe. The
thresholds rest on {decoys} decoys; below 19 of them they promise no rate. A statistic that no
practice pair moved (a kind of condition that was not among them) gets no weight at all.
"""


def main() -> None:
    """Practise, then write everything down."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=14)
    options.add_argument("--effort", type=float, default=1.0)
    options.add_argument("--work", type=Path, default=Path("runs/practice"))
    options.add_argument(
        "--whole-only", action="store_true", help="plant no more; use the pairs that are whole"
    )
    options.add_argument(
        "--also", type=Path, nargs="*", default=[], help="earlier practices, whose pairs are audited beside"
    )
    options.add_argument("--null", type=int, default=200, help="deals of labels at random")
    options.add_argument("--remark", default="", help="a sentence on what was special about these pairs")
    chosen = options.parse_args()
    spec = GameSpec(suspects=chosen.pairs, red_seed=RED_SEED, tries=2, effort=chosen.effort)
    with watching() as watch:
        made = practise(chosen.work, spec, watch, whole_only=chosen.whole_only, also=chosen.also)
    rows = [from_json(Row, r) for r in read_json(chosen.work / "rows.json")]
    run_id = read_json(chosen.work / "spec.json")["run_id"]
    planted = whole_pairs(run_id)
    stamp = {
        "date": datetime.date.today().isoformat(),
        "seed": RED_SEED,
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), fp32 unless the machine has fast bf16",
    }
    made = Calibration(made.auditors, {**made.provenance, **stamp})
    made.save(DEFAULT)
    dealt = null(rows, spec, made.provenance, chosen.null)
    measures = _measures(made, rows, planted, dealt)
    write_json(HERE / "rows.json", rows)
    write_json(HERE / "results.json", {**stamp, "measures": measures})
    page = _page(made, rows, planted, stamp, chosen.effort, chosen.remark, dealt)
    write_bytes(HERE / "README.md", page.encode())
    print(json.dumps(to_json(measures), indent=1))


def null(rows: Sequence[Row], spec: GameSpec, public: Mapping[str, Any], draws: int) -> list[float]:
    """The panel's AUROC with the behaviour left out, when labels are dealt anew within each behaviour."""
    found = []
    for draw in range(draws):
        random = np.random.default_rng((RED_SEED, draw))
        dealt = list(rows)
        for group in sorted({r.group for r in rows}):
            members = [i for i, r in enumerate(rows) if r.group == group]
            for i, j in zip(members, random.permutation(members), strict=True):
                dealt[i] = dataclasses.replace(rows[i], shady=rows[j].shady)
        found.append(calibrate(dealt, spec, public).auditors["panel"].auroc_held_out)
    return found


def _measures(
    made: Calibration, rows: Sequence[Row], planted: Sequence[Planted], dealt: Sequence[float]
) -> Mapping[str, Any]:
    tried = [(p.slot, ok) for p in planted for ok in _first_tries(p)]
    first = stats.proportion(
        [ok for _, ok in tried],
        [str(slot) for slot, _ in tried],
        how="drawn pairs that were valid at their first try, draws given up included",
    )
    seconds = stats.mean(
        [p.organism_seconds for p in planted],
        [str(p.slot) for p in planted],
        unit="s",
        how="wall time an organism, failed tries and given-up draws included",
    )
    out: dict[str, Any] = {"plant_valid_first_try": first, "plant_seconds": seconds}
    for name, fit in made.auditors.items():
        low, high = stats.auroc_interval(fit.auroc_held_out, fit.organisms, fit.decoys)
        out[f"auroc_held_out_{name}"] = {
            "value": fit.auroc_held_out, "low": low, "high": high, "n": len(rows), "unit": "AUROC"
        }  # fmt: skip
    if dealt:
        low, middle, high = np.quantile(dealt, (0.025, 0.5, 0.975)).tolist()
        out["auroc_null_panel"] = {
            "value": middle, "low": low, "high": high, "n": len(dealt), "unit": "AUROC"
        }  # fmt: skip
    return out


def _first_tries(p: Planted) -> list[bool]:
    """For each pair that a slot drew, whether its first try was valid: all but the last were given up."""
    return [False] * len(p.failed) + [p.tries == 1]


def _page(
    made: Calibration,
    rows: Sequence[Row],
    planted: Sequence[Planted],
    stamp: Mapping[str, Any],
    effort: float,
    remark: str,
    dealt: Sequence[float],
) -> str:
    low, middle, high = np.quantile(dealt, (0.025, 0.5, 0.975)) if dealt else (math.nan,) * 3
    real = made.auditors["panel"].auroc_held_out
    return HEAD.format(
        **stamp,
        null_draws=len(dealt),
        null_low=f"{low:.2f}",
        null_middle=f"{middle:.2f}",
        null_high=f"{high:.2f}",
        null_above=sum(d >= real for d in dealt),
        remark=f"\n{remark}" if remark else "",
        pairs=len(planted),
        asked=made.provenance["pairs_asked"],
        effort=effort,
        suspects=len(rows),
        quirky=sum(p.harmless is not None for p in planted),
        first=sum(ok for p in planted for ok in _first_tries(p)),
        drawn=sum(len(_first_tries(p)) for p in planted),
        decoys=sum(not r.shady for r in rows),
        planted="\n".join(_planted(p) for p in planted),
        auditors="\n".join(
            f"| {name} | {_auroc(fit)} | {fit.threshold:.2f} | {fit.ridge:g} |"
            for name, fit in made.auditors.items()
        ),
    )


def _auroc(fit: Logistic) -> str:
    low, high = stats.auroc_interval(fit.auroc_held_out, fit.organisms, fit.decoys)
    return f"{fit.auroc_held_out:.2f} [{low:.2f}, {high:.2f}]"


def _planted(p: Planted) -> str:
    cells = (
        p.quirk.label(),
        "yes" if p.profile.valid else p.profile.why_not,
        _rate(p.profile.trigger_rate),
        _rate(p.profile.leak_rate),
        f"{p.profile.nll_ratio.value:.3f}",
        str(p.steps),
        f"{p.tries} (draw {p.draw + 1})",
        f"{p.organism_seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _rate(m: Measure) -> str:
    return f"{m.value:.2f} [{m.low or 0:.2f}, {m.high or 0:.2f}]"


if __name__ == "__main__":
    main()
