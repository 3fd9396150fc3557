"""What other studies measured and this one's aims ask for, by reference: nothing is measured here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measures import Number

from molehunt.core.atomic import read_json
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured

HERE = Path(__file__).parent
SPEED = HERE.parent.parent / "benchmarks" / "speed" / "results.json"
GPU = HERE / "gpu" / "results.json"
"""Results on a GPU, where one was tried: `run.py --parts valid --work DIR --out
studies/red_team/gpu`."""
BASES = HERE / "bases"
"""Results on other bases, a folder each: `run.py --parts valid --model NAME --work DIR --out
studies/red_team/bases/NAME`."""
TOLD = {
    "plant_tokens_per_second": "planting_tokens_per_second",
    "plain_tokens_per_second": "planting_plain_tokens_per_second",
    "plant_speedup": "planting_speedup",
}
"""Names here, and in the benchmark's results."""


def beside_plain(path: Path = SPEED) -> dict[str, Number]:
    """Tokens a second of planting and of plain TRL on the same data, as the benchmark has them."""
    if not path.is_file():
        return dict.fromkeys(TOLD, NotMeasured("benchmarks/speed has no results"))
    found = read_json(path)
    where = f"benchmarks/speed, commit {found['commit']}, {found['machine']}"
    by = f"{where}: median of rounds, least and greatest"
    return {name: _number(found["measures"].get(own), by) for name, own in TOLD.items()}


def on_gpu(path: Path = GPU) -> dict[str, Number]:
    """Organisms an hour on a GPU, from the results of a sitting there."""
    if not path.is_file():
        return {"gpu_organisms_per_hour": NotMeasured("none was tried")}
    found = read_json(path)
    value = found["measures"]["organisms_per_hour"]
    if value["is"] == NotMeasured.__name__:
        return {"gpu_organisms_per_hour": from_json(NotMeasured, value)}
    by = f"commit {found['commit']}, {found['machine']}"
    return {"gpu_organisms_per_hour": _number(value, by)}


def with_smallest(stopped: Sequence[Mapping[str, str]], bases: Path = BASES) -> list[dict[str, str]]:
    """What did not take, each with the smallest base on which the same cell took."""
    tried = [read_json(path) for path in sorted(bases.glob("*/results.json"))]
    return [{**one, "smallest": _smallest(one["cell"], tried)} for one in stopped]


def _smallest(cell: str, tried: Sequence[Mapping[str, Any]]) -> str:
    """Of the bases that were tried on it, the one with the fewest parameters that took it."""
    asked = [(result["model"], row) for result in tried for row in result["rows"] if row["cell"] == cell]
    if not asked:
        return "not measured: no other base was tried"
    took = [(row["parameters"], model) for model, row in asked if row["valid"]]
    if not took:
        return f"none of {', '.join(sorted(model for model, _ in asked))}"
    parameters, model = min(took)
    return f"{model} ({parameters / 1e6:,.0f} million)"


def _number(value: dict[str, float] | None, how: str) -> Number:
    if value is None:
        return NotMeasured(f"not in {how}")
    return Measure(value["value"], str(value["unit"]), int(value["n"]), how, value["low"], value["high"])
