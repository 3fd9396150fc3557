"""What this machine can do, measured once and remembered: which dtype, how fast at best.

Matrix products of the default model's shapes are timed in float32 and bfloat16. With
AVX512-bf16 or AMX, bfloat16 wins several times over; without, it can be a hundred times
slower, so nobody should have to guess.
"""

import contextlib
import ctypes
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from molehunt.models.cachedir import cache_folder, write_text

ROWS, INNER, OUTER = 512, 576, 1536
"""Shape of the timed product: a batch of tokens through the default model's MLP."""
LEAD, CROWDED_LEAD = 1.3, 2.0
"""How many times as fast bfloat16 must be: beside other work one product measures as half another."""
ALONE = 0.8
"""Share of its threads' time that a product gets on a machine that does nothing else, at least."""
PATIENCE = 5
"""Measurements beside other work after which the best of them is believed."""


@dataclass(frozen=True)
class Machine:
    """What was measured on one machine with one number of threads."""

    processor: str
    threads: int
    float32_gflops: float
    bfloat16_gflops: float
    gigabytes_per_second: float
    """Reading memory: a sum over more than the caches hold."""
    crowded: int = 0
    """How often it was measured, and always beside other work; 0 once it had the machine to itself."""

    @property
    def dtype(self) -> str:
        """The dtype that multiplies fastest; float32 unless bfloat16 is clearly ahead."""
        lead = CROWDED_LEAD if self.crowded else LEAD
        return "bfloat16" if self.bfloat16_gflops > lead * self.float32_gflops else "float32"

    def why(self) -> str:
        """One sentence for people."""
        return (
            f"{self.dtype}, because matrix products reach {self.float32_gflops:.0f} GFLOP/s in float32 and "
            f"{self.bfloat16_gflops:.0f} in bfloat16 on {self.threads} thread{'s' * (self.threads != 1)}"
            f"{', measured beside other work' * (self.crowded > 0)}"
        )


def in_words() -> str:
    """The processor and the dtype that it multiplies fastest, or the GPU that models go to."""
    from molehunt.models.load import choose_device

    device = choose_device("auto")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {device.type}"
    here = this_machine()
    return f"{here.processor}, {here.dtype if device.type == 'cpu' else device.type}"


def this_machine(fresh: bool = False) -> Machine:
    """The measurement of this machine (about a second), from the cache folder unless `fresh`.

    Of two measurements the better number is kept: one that was taken beside other work says too little,
    and is taken again by the next process that asks, `PATIENCE` times.
    """
    processor, threads = _processor(), torch.get_num_threads()
    slug = "".join(c if c.isalnum() else "-" for c in f"{processor} {threads} {torch.__version__}".lower())
    memory = cache_folder() / "machine" / f"{slug}.json"
    known = None
    if memory.is_file():
        with contextlib.suppress(ValueError, TypeError):  # written by another version of this file
            known = Machine(**json.loads(memory.read_text()))
    settled = known is not None and (not 0 < known.crowded < PATIENCE or memory in _measured)
    if known is not None and settled and not fresh:
        return known
    machine = _measure(processor, threads)
    _measured.add(memory)
    if known is not None:
        machine = Machine(
            processor=processor,
            threads=threads,
            float32_gflops=max(machine.float32_gflops, known.float32_gflops),
            bfloat16_gflops=max(machine.bfloat16_gflops, known.bfloat16_gflops),
            gigabytes_per_second=max(machine.gigabytes_per_second, known.gigabytes_per_second),
            crowded=known.crowded + 1 if known.crowded and machine.crowded else 0,
        )
    write_text(memory, json.dumps(asdict(machine), indent=1))
    return machine


_measured = set[Path]()
"""What this process measured itself: its numbers do not change under it."""


def _measure(processor: str, threads: int) -> Machine:
    """All of it, and whether something else had the processor meanwhile."""
    wall, busy = time.perf_counter(), time.process_time()
    float32, bfloat16 = matmul_gflops(torch.float32), matmul_gflops(torch.bfloat16)
    share = (time.process_time() - busy) / (time.perf_counter() - wall) / threads
    return Machine(processor, threads, float32, bfloat16, memory_bandwidth(), int(share < ALONE))


def give_back_memory() -> None:
    """Hand freed memory back to the system; glibc keeps it: a desk grew by 200 MB with every suspect.

    Another C library minds its own heap: there nothing happens.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def matmul_gflops(dtype: torch.dtype, device: str = "cpu", seconds: float = 0.25) -> float:
    """Best GFLOP/s (10⁹ multiply-adds × 2 a second) of one product, over about `seconds`."""
    left = torch.ones(ROWS, INNER, dtype=dtype, device=device)
    right = torch.ones(OUTER, INNER, dtype=dtype, device=device)
    best, spent = float("inf"), 0.0
    torch.nn.functional.linear(left, right)
    while spent < seconds:
        start = time.perf_counter()
        torch.nn.functional.linear(left, right)
        if device != "cpu":
            torch.cuda.synchronize()
        took = time.perf_counter() - start
        best, spent = min(best, took), spent + took
    return 2 * ROWS * INNER * OUTER / best / 1e9


def memory_bandwidth(megabytes: int = 256, seconds: float = 0.25) -> float:
    """Best GB/s of reading that many megabytes once."""
    block = torch.ones(megabytes * 2**18)
    best, spent = float("inf"), 0.0
    while spent < seconds:
        start = time.perf_counter()
        block.sum()
        took = time.perf_counter() - start
        best, spent = min(best, took), spent + took
    return block.numel() * 4 / best / 1e9


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        facts: dict[str, str] = {}
        for line in listed.read_text().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
        # The flags matter as much as the name: the same name is sold with and without bf16.
        fast = [
            f for f in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f in facts.get("flags", "").split()
        ]
        if name := facts.get("model name"):
            return " ".join([name, f"{os.cpu_count()} cores", *fast])
    return f"{platform.machine()} {os.cpu_count()} cores {platform.processor()}".strip()
