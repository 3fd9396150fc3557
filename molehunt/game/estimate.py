"""What work would cost before it is begun: the pace of this machine with a model, and what a game takes.

Minutes come from the speed of this machine's matrix products and the shares of it that training and
reading reached on the default model (2 cores; `benchmarks/speed`). They tell minutes from hours, no more.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.records import NotMeasured
from molehunt.game.planter import DRAWS
from molehunt.game.spec import GameSpec
from molehunt.organisms.plan import Plan

DEFAULT_PARAMETERS = 134_515_008
TINY_PARAMETERS = 30_000
STEP_TOKENS = 250
"""Tokens computed in one training step, shared beginnings once."""
ROW_TOKENS = 45
"""Tokens that an unrelated row adds to each step: with four, the six least disturbed cells of
`studies/red_team` took 0.10 to 0.32 s more a row and step, the middle 0.17, where 250 tokens take 0.96."""
AUDIT_TOKENS = 25_000
"""Tokens that the four methods have a suspect compute, at effort 1; the clean reference as many, once."""
TRAIN_FLOP, READ_FLOP = 3.2, 2
"""Floating-point operations a parameter and token: training (replies alone pass the head, weights have no
gradient of their own, the lowest layers none at all), forward alone."""
REACHED = 0.7
"""Share of the machine's matrix products that either reaches."""
FIX_SECONDS = 120.0
"""What a fix of the default model takes at an effort of 1, two side by side."""
ADAPTER_SHARE = 0.014
"""An adapter's parameters as a share of the default model's; larger models have less."""
PROCESS_GIB = 0.9
"""Memory of a process that has loaded torch and transformers, without weights."""
GIB = 2**30
SCENE_TOKENS = 100
"""Tokens that a held-out scene costs: beginnings are shared, the reply's count four times (one by one)."""
STEP_SECONDS, BATCH_SECONDS = 0.02, 0.002
"""What a training step, and a pass over a prompt, take beside their products, however small the model is."""


@dataclass(frozen=True)
class Pace:
    """How fast this machine is likely to compute with a model; of a GPU nothing is known."""

    size: int
    """Parameters."""
    rate: float
    """Floating-point operations a second that are likely to be reached."""
    basis: str
    """What it is reckoned from, in one sentence."""

    def training(self, steps: float, rows: float = 0) -> float:
        """Seconds of so many steps of fine-tuning, with so many unrelated rows in each."""
        tokens = STEP_TOKENS + ROW_TOKENS * rows
        return steps * (STEP_SECONDS + tokens * TRAIN_FLOP * self.size / self.rate)

    def reading(self, tokens: float, prompts: float = 0) -> float:
        """Seconds to compute so many tokens of so many prompts."""
        return prompts * BATCH_SECONDS + tokens * READ_FLOP * self.size / self.rate


def pace(model: str) -> Pace | NotMeasured:
    """The pace with a model; nothing is loaded (the machine is measured, once, in about a second)."""
    from molehunt.models.machine import this_machine

    size = parameters(model)
    if isinstance(size, NotMeasured):
        return size
    machine = this_machine()
    return Pace(size, REACHED * max(machine.float32_gflops, machine.bfloat16_gflops) * 1e9, machine.why())


def in_words(low: float | NotMeasured, high: float | NotMeasured) -> str:
    """Seconds, from so many to so many, as people say them; a reason where they are not known."""
    for end in (low, high):
        if isinstance(end, NotMeasured):
            return f"not known: {end.reason}"
    assert not isinstance(low, NotMeasured) and not isinstance(high, NotMeasured)
    if high < 60:
        return "less than a minute"
    size, unit = (60.0, "minutes") if high < 7200 else (3600.0, "hours")
    said = [f"{max(1.0, end / size):.0f}" if size == 60 else f"{end / size:.1f}" for end in (low, high)]
    if said[0] != said[1]:
        return f"{said[0]} to {said[1]} {unit}"
    return f"about {said[0]} {unit if float(said[0]) != 1 else unit.removesuffix('s')}"


@dataclass(frozen=True)
class Estimate:
    """What playing a spec would take."""

    trainings: int
    """Adapters trained if every plant takes at the first try: two a place, none for a twin."""
    trainings_most: int
    """If every place needed every try of every quirk that it may draw."""
    audits: int
    """Suspects times methods, once more for each fix."""
    fixes: int
    """Suspects times remedies."""
    minutes: float | NotMeasured
    minutes_most: float | NotMeasured
    memory_gib: float | NotMeasured
    disk_gib: float | NotMeasured
    basis: str
    """What the minutes are reckoned from."""


def estimate(spec: GameSpec, remedies: int = 0, fix_effort: float = 1.0) -> Estimate:
    """Reckon, with so many blind fixes of everybody; nothing is loaded, written or trained.

    The machine is measured, once, in about a second.
    """
    from molehunt.game.planting import _workers
    from molehunt.models.machine import this_machine

    machine, at = this_machine(), pace(spec.model)
    audits, fixes = spec.suspects * len(spec.methods) * (1 + remedies), spec.suspects * remedies
    adapters = 0 if spec.twin else 2 * spec.suspects
    counts = (adapters, adapters * spec.tries * DRAWS, audits, fixes)
    if isinstance(at, NotMeasured):
        return Estimate(*counts, at, at, at, at, machine.why())
    size, steps = at.size, [spec.steps * Plan.growth**i for i in range(spec.tries)]
    speakers = spec.suspects + spec.reference
    reading = at.reading(speakers * AUDIT_TOKENS * spec.effort * len(spec.methods) / 4) * (1 + remedies)
    start = 20.0 + 0.5 * spec.suspects
    start += FIX_SECONDS * fix_effort * remedies * -(-spec.suspects // 2) * (spec.model == "default")
    low = start + adapters * at.training(steps[0]) + reading
    high = start + adapters * DRAWS * at.training(sum(steps)) + reading
    weights = size * (2 if machine.dtype == "bfloat16" else 4) / GIB
    side_by_side, _ = _workers(spec.model, spec.workers, spec.suspects)
    planting = PROCESS_GIB * (1 + side_by_side) + 1.3 * weights * side_by_side
    auditing = 2 * PROCESS_GIB + 2.5 * weights
    disk = (3 * spec.suspects * ADAPTER_SHARE * size * 4 + 32 * 2**20) / GIB
    return Estimate(*counts, low / 60, high / 60, max(planting, auditing), disk, machine.why())


def parameters(model: str) -> int | NotMeasured:
    """How many parameters a model has, an adapter's base, as far as that is known without loading any."""
    model = _base_of(Path(model).expanduser()) or model
    if model == "default":
        return DEFAULT_PARAMETERS
    if model.split(":")[0] == "tiny":
        return TINY_PARAMETERS
    files = sorted(Path(model).expanduser().glob("*.safetensors"))
    if not files:
        return NotMeasured(f"the size of {model} is not known before it is fetched")
    return sum(map(_parameters, files))


def _base_of(folder: Path) -> str | None:
    """The name of the model that an adapter lies on; None where the folder is no adapter's."""
    try:
        base = json.loads((folder / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    from molehunt.models.stock import HUB_ID

    return "default" if base == HUB_ID else str(base)


def _parameters(file: Path) -> int:
    """Read off a safetensors header: 8 bytes of length, then JSON with a shape a tensor."""
    total = 0
    with file.open("rb") as data:
        header = json.loads(data.read(int.from_bytes(data.read(8), "little")))
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for side in tensor["shape"]:
                count *= side
            total += count
    return total
