"""PostgreSQL hangs for a minute and is away for another, while orders come at a steady rate; what that did.

    python -m tests.outages                           60 s each, four orders a second (make soak-outage)
    python -m tests.outages --seconds 5 --rate 5      shorter

Exit code 0 where every order came to its end as it should, every acknowledged record is there, every process lived
through it all, and the platform was as before again by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate
from lowtide.local.options import Options
from lowtide.local.platform import Platform
from tests.kills.checking import read, violations
from tests.kills.orders import NAMESPACE, WORKFLOW, Customers
from tests.kills.shop import Shop, shop
from tests.kills.waiting import until_ended
from tests.outages.figures import Span
from tests.outages.orders import Load
from tests.outages.server import Server, server
from tests.outages.telling import Outage, tell
from tests.outages.watching import Watch
from tests.outages.witness import Witness
from tests.rollups.checking import GRAINS, check

_WARM = 15.0
_AGENCIES = 4
"""Clients of HTTP, each with its hundred connections."""
_LONG = 3600.0


@dataclass
class Scene:
    """What one run consists of."""

    platform: Platform
    server: Server
    peer: Shop
    watch: Watch
    witness: Witness
    load: Load


async def run(given: argparse.Namespace, folder: Path) -> bool:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    async with server(folder / "store") as store, shop(given.delay) as peer:
        options = Options(
            data_directory=folder / "data", port=0, grpc_port=0, idle=_LONG, tick=10.0, database_url=store.url
        )
        async with Platform(options) as platform, contextlib.AsyncExitStack() as stack:
            api = [await stack.enter_async_context(Orchestrate(platform.url, attempts=200)) for _ in range(_AGENCIES)]
            broker = await stack.enter_async_context(HttpClient(f"{platform.url}/broker", attempts=200))
            await api[0].deploy(NAMESPACE, WORKFLOW % {"shop": peer.url})
            load = Load([Customers(one, broker) for one in api], given.rate)
            scene = Scene(platform, store, peer, Watch(platform), Witness(platform.grpc), load)
            outages = await _through(scene, given, say)
            await until_ended(platform.databases.control, len(load.placed), say)
            return await asyncio.to_thread(_judge, scene, outages, say)


async def _through(scene: Scene, given: argparse.Namespace, say: Callable[[str], None]) -> list[Outage]:
    working = [asyncio.create_task(work) for work in (scene.load.run(), scene.watch.run(), scene.witness.run())]
    await asyncio.sleep(_WARM)
    outages = []
    for name, fail in (("hangs", scene.server.hang), ("is away", scene.server.leave)):
        calm = time.time()
        await asyncio.sleep(given.calm)
        say(f"PostgreSQL {name} for {given.seconds:g} s")
        gone = time.time()
        await fail(given.seconds)
        back = time.time()
        say("PostgreSQL is back")
        await asyncio.sleep(given.calm)
        outages.append(Outage(name, Span(calm, gone), Span(gone, back), Span(back, time.time())))
    scene.load.end()
    await working.pop(0)
    say(f"{len(scene.load.placed)} orders were placed, and all of them were accepted")
    await scene.watch.look()
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    return outages


def _judge(scene: Scene, outages: list[Outage], say: Callable[[str], None]) -> bool:
    databases, placed = scene.platform.databases, scene.load.placed
    ended, journal = read(databases)
    ids = {one.output["shipped"]: one.id for one in ended if one.phase == "completed"}
    with psycopg.connect(databases.control) as connection:
        query = "SELECT id::text, extract(epoch FROM created_at), extract(epoch FROM ended_at) FROM executions"
        lives = {id_: (float(created), float(end or 0)) for id_, created, end in connection.execute(query)}
    for one in placed:
        one.created, one.ended = lives.get(ids.get(one.number, ""), (0.0, 0.0))
    found = violations(len(placed), ended, journal, scene.peer.calls, [])
    found += scene.witness.missing(databases.journal)
    found += [f"{one.name} (process {one.pid}) is gone" for one in scene.watch.known.values() if not one.lives]
    for outage in outages:
        tell(outage, placed, scene.witness, say)
    phases = dict(Counter(one.phase for one in ended))
    say(f"executions: {phases}, {len(journal)} records, {len(scene.peer.calls)} calls")
    say(f"acknowledged records of the witness: {len(scene.witness.records)}, given up: {scene.witness.given_up}")
    for watched in scene.watch.known.values():
        size = ", ".join(f"{n / 2**20:.0f}" for n in (watched.first, watched.most, watched.last))
        say(f"{watched.name}, process {watched.pid}, lives: {watched.lives}; first, most, last MiB: {size}")
    found += _analytics(databases.analytics, len(placed))
    print(*(found[:20] or ["every promise was kept"]), sep="\n")
    print(f"{len(found)} violations")
    return not found


def _analytics(url: str, many: int) -> list[str]:
    """It may lag, and then it knows all that ended, and its rollups are the sums of its rows."""
    until, ended = time.monotonic() + 90, 0
    while ended < many and time.monotonic() < until:
        time.sleep(1)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM executions WHERE phase = 'completed'").fetchone()
        ended = row[0] if row else 0
    if ended != many:
        return [f"analytics knows {ended} of {many} ends"]
    try:
        for grain in GRAINS:
            check(url, grain)
    except AssertionError as error:
        return [f"a rollup differs from its rows: {str(error)[:200]}"]
    return []


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60.0, help="how long PostgreSQL is away, each time")
    options.add_argument("--rate", type=float, default=4.0, help="orders per second")
    options.add_argument("--calm", type=float, default=60.0, help="seconds that are looked at before and after")
    options.add_argument("--delay", type=float, default=0.05, help="seconds that a call takes")
    given = options.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="lowtide-out-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        return 0 if asyncio.run(run(given, folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
