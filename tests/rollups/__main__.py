"""``python -m tests.rollups --executions 5000 --kills 30 --seed 1``: exit code 0 where rows and rollups agree."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random

from tests.databases import server
from tests.ingests import IngestProcess, make_stores
from tests.rollups.checking import GRAINS, check, read
from tests.rollups.killing import load
from tests.rollups.reports import drawn


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--executions", type=int, default=2000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    chance = random.Random(given.seed)
    with server() as url, make_stores(url) as stores, contextlib.ExitStack() as stack:

        def start(port: int) -> IngestProcess:
            process = IngestProcess(stores, port)
            stack.callback(process.close)
            return process.wait_until_listening()

        died = asyncio.run(load(drawn(chance, given.executions), start, given.kills, chance))
        for grain in GRAINS:
            check(stores.analytics, grain)
        ((count,),) = read(stores.analytics, "SELECT count(*) FROM usage")
        print(f"{given.kills} kills, {died} of them while reports were written; {count} invocations, rollups agree")


if __name__ == "__main__":
    main()
