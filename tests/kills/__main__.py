"""Many executions on the whole platform while its processes are killed, and a checker afterwards.

    python -m tests.kills                                      5,000 executions, 60 kills
    python -m tests.kills --executions 200 --kills 5 --seed 7  fewer; the same seed chooses the same victims

Exit code 0 where no promise was broken, 1 where one was.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate
from lowtide.local.options import Options
from lowtide.local.platform import Platform
from tests.kills.checking import read, violations
from tests.kills.killing import Killer
from tests.kills.orders import NAMESPACE, WORKFLOW, Customers
from tests.kills.shop import shop
from tests.kills.waiting import until_ended

_TICK = 10.0
_QUICK = {"LOWTIDE_TICK_HORIZON": "12", "LOWTIDE_LOST_AFTER": "15"}


async def run(given: argparse.Namespace, folder: Path) -> bool:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    options = Options(data_directory=folder, port=0, grpc_port=0, idle=3.0, tick=_TICK, extra=_QUICK)
    async with Platform(options) as platform, shop(given.delay) as peer:
        async with (
            Orchestrate(platform.url, attempts=200) as api,
            HttpClient(f"{platform.url}/broker", attempts=200) as broker,
        ):
            await api.deploy(NAMESPACE, WORKFLOW % {"shop": peer.url})
            customers = Customers(api, broker)
            killer = Killer(platform, say, random.Random(given.seed), given.pause, given.frozen)
            killing = asyncio.create_task(killer.run(given.kills))
            slots = asyncio.Semaphore(given.clients)

            async def place(number: int) -> None:
                async with slots:
                    await customers.order(number)

            await asyncio.gather(*(place(number) for number in range(given.executions)))
            say(f"all {given.executions} orders were accepted")
            await killing
            await killer.end()
        await until_ended(platform.databases.control, given.executions, say)
        ended, journal = await asyncio.to_thread(read, platform.databases)
        found = violations(given.executions, ended, journal, peer.calls, killer.thaws)
    again = len(peer.calls) - len({call.key for call in peer.calls})
    took = time.monotonic() - began
    say(f"{len(ended)} executions, {len(journal)} records, {len(peer.calls)} calls, {again} of them again")
    say(", ".join(f"{name}: {times}" for name, times in sorted(killer.done.items())))
    print(*(found[:20] or ["every promise was kept"]), sep="\n")
    print(f"{len(found)} violations in {took:.0f} s, {sum(killer.done.values())} kills, seed {given.seed}")
    return not found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--executions", type=int, default=5000)
    options.add_argument("--kills", type=int, default=60)
    options.add_argument("--pause", type=float, default=4.0, help="seconds between two kills, on average")
    options.add_argument("--frozen", type=float, default=60.0, help="seconds for which one that is frozen stays so")
    options.add_argument("--clients", type=int, default=24, help="orders that are placed at once")
    options.add_argument("--delay", type=float, default=0.05, help="seconds that a call takes")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="lowtide-kills-", ignore_cleanup_errors=True) as folder:
        return 0 if asyncio.run(run(given, Path(folder) / "data")) else 1


if __name__ == "__main__":
    sys.exit(main())
