"""Where the processor time of a durable workflow goes: per kind of process, and how often each database commits.

    make bench NAME=ledger

The work is that of ``durability``: three durable steps that take no time themselves, asked for over HTTP by so many
clients at once, on a real ``lowtide up``. Times are milliseconds of processor time per workflow, commits are per
workflow. LEDGER_CLIENTS and LEDGER_WORKFLOWS change the load.

Processor time too is worth less on a busy machine, where caches are shared: *yardstick* is what a fixed piece of work
costs meanwhile (ms). Compare runs by ``cpu_ms`` divided by their yardsticks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import psutil
import psycopg
from aiohttp import ClientSession, TCPConnector

from benchmarks.durability import System, lowtide, postgres
from benchmarks.measuring import report, spread

CLIENTS: Final = int(os.environ.get("LEDGER_CLIENTS", "16"))
WORKFLOWS: Final = int(os.environ.get("LEDGER_WORKFLOWS", "500"))
_SETTLES: Final = 1.0  # seconds after the last answer until everything that follows from it is done

_KINDS: Final = {
    "lowtide.local.broker": "broker",
    "functions.orchestrate": "orchestrate",
    "functions.execute": "execute",
    "functions.ingest": "ingest",
    "analytics_api": "analytics API",
    "lowtide_control": "postgres: control",
    "lowtide_journal": "postgres: journal",
    "lowtide_analytics": "postgres: analytics",
    "lowtide_broker": "postgres: broker",
    "lowtide up": "gateway and activators",
    "postgres": "postgres: itself",
}


def kind_of(process: psutil.Process) -> str:
    """The first kind whose mark the command line has; PostgreSQL's processes show their database there."""
    line = " ".join(process.cmdline())
    return next((kind for mark, kind in _KINDS.items() if mark in line), "others")


def worked(system: System) -> Counter[str]:
    """CPU milliseconds by kind of process, so far."""
    spent: Counter[str] = Counter()
    for head in map(psutil.Process, system.processes):
        for member in (head, *head.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                spent[kind_of(member)] += round((times.user + times.system) * 1000)
    return spent


async def commits(url: str) -> Counter[str]:
    """Transactions by database, so far; reading them is one of the maintenance database's."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        rows = await (await connection.execute("SELECT datname, xact_commit FROM pg_stat_database")).fetchall()
    return Counter({name: count for name, count in rows if name and name.startswith("lowtide")})


async def load(system: System, session: ClientSession, clients: int, workflows: int) -> list[float]:
    """So many workflows by so many clients at once; how long each took, in ms."""
    durations: list[float] = []
    left = iter(range(workflows))

    async def ask() -> None:
        for _ in left:
            began = time.perf_counter()
            await system.run(session)
            durations.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(ask() for _ in range(clients)))
    return durations


async def yardstick() -> list[float]:
    """What a fixed piece of work costs now and then, in ms of processor time, until cancelled."""
    costs: list[float] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.2)
            began = time.thread_time()
            sum(len(str(number)) for number in range(10_000))
            costs.append((time.thread_time() - began) * 1000)
    return costs


async def main() -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lowtide-bench-")))
        session = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
        server = await stack.enter_async_context(postgres(folder))
        system = await stack.enter_async_context(lowtide(folder, session, server))
        await load(system, session, CLIENTS, 10 * CLIENTS)
        await asyncio.sleep(_SETTLES)
        before, committed = worked(system), await commits(server.url("postgres"))
        measuring = asyncio.create_task(yardstick())
        began = time.perf_counter()
        durations = await load(system, session, CLIENTS, WORKFLOWS)
        took = time.perf_counter() - began
        measuring.cancel()
        await asyncio.sleep(_SETTLES)
        spent = worked(system) - before
        counted = await commits(server.url("postgres")) - committed
    cpu = {kind: round(ms / WORKFLOWS, 2) for kind, ms in spent.most_common()}
    figures = {
        "cpu_ms": {**cpu, "all": round(spent.total() / WORKFLOWS, 2)},
        "commits": {name: round(count / WORKFLOWS, 2) for name, count in counted.most_common()},
        "yardstick_ms": spread(await measuring),
        "per_second": round(WORKFLOWS / took, 1),
        "workflow_ms": spread(durations),
    }
    for name, found in figures.items():
        print(f"{name}: {found}", flush=True)
    report("ledger", figures, {}, {})


if __name__ == "__main__":
    asyncio.run(main())
