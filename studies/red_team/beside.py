"""What other studies measured and this one's aims ask for, by reference: nothing is measured here."""

from pathlib import Path

from measures import Number

from molehunt.core.atomic import read_json
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured

HERE = Path(__file__).parent
SPEED = HERE.parent.parent / "benchmarks" / "speed" / "results.json"
GPU = HERE / "gpu" / "results.json"
"""Results on a GPU, where one was tried: `run.py --parts valid --out studies/red_team/gpu`."""
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


def _number(value: dict[str, float] | None, how: str) -> Number:
    if value is None:
        return NotMeasured(f"not in {how}")
    return Measure(value["value"], str(value["unit"]), int(value["n"]), how, value["low"], value["high"])
