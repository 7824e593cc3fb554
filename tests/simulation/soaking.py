"""Many worlds on all processors: what breaks is told at once, and how to see it again."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from itertools import count
from multiprocessing import cpu_count, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

from lowtide.testing.simulate.checker import violations
from tests.simulation.running import simulator

__all__ = ["soak"]


def soak(many: int, first: int) -> int:
    """Run ``many`` seeds from ``first`` on; the exit code. Ctrl-C ends it after the worlds that are under way."""
    context = get_context("spawn")
    workers = min(cpu_count(), many)
    results: Any = context.Queue()
    stopping = context.Event()
    processes = [
        context.Process(target=_work, args=(first + number, first + many, workers, results, stopping))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    broken = done = 0
    began = time.monotonic()
    try:
        for seed, found in _results(processes, results):
            done += 1
            if found:
                broken += 1
                print(f"\nseed {seed}: {'; '.join(found)}\n  see it again: python -m tests.simulation {seed}")
            speed = done / (time.monotonic() - began)
            print(f"\r{done:,} of {many:,} worlds, {broken} broken, {speed:.1f}/s", end="", flush=True)
    except KeyboardInterrupt:
        stopping.set()
        many = done
    print()
    for process in processes:
        process.join()
    if done < many:
        print(f"{many - done:,} worlds were not run: a worker ended before its time")
    return 1 if broken or done < many else 0


def _results(processes: Sequence[BaseProcess], results: Any) -> Iterator[tuple[int, list[str]]]:
    """Until all workers have ended and nothing is left of what they found."""
    while True:
        ended = not any(process.is_alive() for process in processes)
        try:
            yield results.get(timeout=1)
        except queue.Empty:
            if ended:
                return


def _work(first: int, end: int, step: int, results: Any, stopping: Event) -> None:
    with simulator() as simulation:
        for seed in count(first, step):
            if seed >= end or stopping.is_set():
                return
            try:
                found = violations(simulation.run(seed))
            except Exception as error:  # a seed that breaks the simulation is as interesting as a broken promise
                found = [f"the simulation broke: {type(error).__name__}: {error}"]
            results.put((seed, found))
