"""``python -m tests.simulation SEED``: one world, told record by record; ``--soak COUNT [FIRST]``: many, counted.

Exit codes: 0 where no promise was broken, 1 where one was.
"""

from __future__ import annotations

import sys
import time
from itertools import count
from multiprocessing import cpu_count, get_context
from multiprocessing.synchronize import Event
from typing import Any

from lowtide.testing.simulate.checker import violations
from tests.simulation.running import simulator

_TOLD = {
    "deployed": ("name",),
    "journal": ("execution", "number", "epoch"),
    "execution": ("execution", "phase", "epoch"),
}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--soak", many]:
            return soak(int(many), 1)
        case ["--soak", many, first]:
            return soak(int(many), int(first))
        case [seed] if seed.isdecimal():
            return tell(int(seed))
    print(__doc__, file=sys.stderr)
    return 2


def tell(seed: int) -> int:
    """One world in words."""
    with simulator() as simulation:
        history = simulation.run(seed)
    for record in history.records:
        names = _TOLD.get(record.kind, tuple(record.about))
        about = "  ".join(f"{name}={record[name]}" for name in names)
        print(f"{record.at:10.3f}  {record.by:16} {record.kind:13} {about}")
    found = violations(history)
    print(*(found or ["every promise was kept"]), sep="\n")
    return 1 if found else 0


def soak(many: int, first: int) -> int:
    """As many worlds as wanted, on all processors; what breaks is told at once, and how to see it again."""
    context = get_context("spawn")
    workers = cpu_count()
    results: Any = context.Queue()
    stopping = context.Event()
    processes = [
        context.Process(target=_work, args=(first + number, first + many, workers, results, stopping))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    broken, began = 0, time.monotonic()
    try:
        for done in range(1, many + 1):
            seed, found = results.get()
            if found:
                broken += 1
                print(
                    f"\nseed {seed}: {'; '.join(found)}\n  see it again: python -m tests.simulation {seed}", flush=True
                )
            if done % 20 == 0 or done == many:
                speed = done / (time.monotonic() - began)
                print(f"\r{done:,} of {many:,} worlds, {broken} broken, {speed:.1f}/s", end="", flush=True)
    except KeyboardInterrupt:
        stopping.set()
    print()
    for process in processes:
        process.join()
    return 1 if broken else 0


def _work(first: int, end: int, step: int, results: Any, stopping: Event) -> None:
    with simulator() as simulation:
        for seed in count(first, step):
            if seed >= end or stopping.is_set():
                return
            try:
                found = violations(simulation.run(seed))
            except (
                Exception
            ) as error:  # a seed that breaks the simulation is as interesting as one that breaks a promise
                found = [f"the simulation broke: {type(error).__name__}: {error}"]
            results.put((seed, found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
