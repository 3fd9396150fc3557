"""Jobs side by side, in processes of one thread each that end with the one that began them; what failed is
kept for later sittings."""

import contextlib
import multiprocessing
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

from molehunt.core.atomic import read_json, write_json

ENDS = 3
"""How often a job's process may end under it before the job is given up."""
FAILED = "failed.json"
"""In a working folder: jobs that raised."""


class Job(Protocol):
    """Something that another process can do; what it tells is a mapping."""

    @property
    def does(self) -> Callable[..., Mapping[str, Any]]:
        """A function of a module."""
        ...

    @property
    def args(self) -> tuple[Any, ...]:
        """What it is handed."""
        ...


J = TypeVar("J", bound=Job)


def each(jobs: Sequence[J], workers: int) -> Generator[tuple[J, Mapping[str, Any]]]:
    """Every job once, and what it told, as they end; begun in their order, so many side by side.

    What raises tells `failed`, and why. Every worker is a pool of its own: where its process ends under a job
    (killed, or out of memory) only that job is begun again, and the third time it is `failed`; the others are
    not touched. Close it (`contextlib.closing`) when it is left early: its processes end then.
    """
    todo, ended = deque(range(len(jobs))), Counter[int]()
    running: dict[Future[Mapping[str, Any]], tuple[int, ProcessPoolExecutor]] = {}
    with contextlib.ExitStack() as held:

        def begin(number: int, pool: ProcessPoolExecutor | None) -> None:
            job = jobs[number]
            try:
                pool = pool or held.enter_context(planters(1))
                future = pool.submit(job.does, *job.args)
            except BrokenProcessPool:  # it ended between two jobs
                pool = held.enter_context(planters(1))
                future = pool.submit(job.does, *job.args)
            running[future] = number, pool

        for _ in range(min(workers, len(todo))):
            begin(todo.popleft(), None)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, pool = running.pop(future)
                try:
                    told = future.result()
                except BrokenProcessPool:
                    pool = None
                    ended[number] += 1
                    if ended[number] < ENDS:
                        begin(number, None)
                        continue
                    told = {"failed": f"its process ended under it {ENDS} times (killed, or out of memory)"}
                except (Exception, SystemExit) as error:  # the other jobs go on
                    told = {"failed": f"{type(error).__name__}: {error}"}
                if todo:
                    begin(todo.popleft(), pool)
                yield jobs[number], told


@contextlib.contextmanager
def planters(workers: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes; when the block is left early, by an interrupt say, they end at once."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _begin() -> None:
    """One thread, and the process's end when that of its parent ends."""
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(130)

    threading.Thread(target=follow, daemon=True).start()


def failed_in(work: Path) -> dict[str, str]:
    """What raised when it was last tried, in this sitting or an earlier one, and why, by the job's name."""
    path = work / FAILED
    return dict(read_json(path)) if path.exists() else {}


def keep_failed(work: Path, failed: Mapping[str, str]) -> None:
    """Keep it for later sittings, which may do other parts."""
    write_json(work / FAILED, failed)
