"""Executions that wait: no process while they do, and each wakes on time.

    make bench NAME=waiting            (about three minutes; WAITING=200 by default, 10000 takes twenty)

Starts executions that each wait for the same length, looks at the machine's process table until they are due, and then
at how late each one woke: the time of its next turn against the moment at which its wait ended. Beside that: the most
connections that PostgreSQL had at any look, and by how much its databases have grown.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, LiteralString

import psutil
import psycopg
from aiohttp import ClientSession, TCPConnector

from benchmarks.measuring import quantile, report
from lowtide.local.options import Options
from lowtide.local.platform import Platform

COUNT = int(os.environ.get("WAITING", "200"))
WAIT = max(130, COUNT // 20)
"""Seconds: long enough for all of them to be started, and to be at rest for a while, before the first is due."""
_CONNECTIONS: Final = "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
_MEGABYTES: Final = "SELECT sum(pg_database_size(datname)) / 1e6 FROM pg_database"
FUNCTIONS = ("functions.execute", "functions.ingest", "functions.orchestrate")
WORKFLOW = f"""
document: {{dsl: '1.0.3', namespace: default, name: nap, version: '1.0.0'}}
do:
- nap: {{wait: {{seconds: {WAIT}}}}}
- woke: {{set: {{at: '${{ now * 1000 }}', started: '${{ $workflow.startedAt.epoch.milliseconds }}'}}}}
"""


def processes_of_ours() -> int:
    """How many processes of the three functions the machine has, children of this one alone."""
    found = 0
    for process in psutil.Process().children(recursive=True):
        try:
            found += any(name in FUNCTIONS for name in process.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


async def start_all(session: ClientSession, base: str) -> list[str]:
    slots = asyncio.Semaphore(16)

    async def one() -> str:
        async with slots, session.post(f"{base}/workflows/nap/executions", json={}) as response:
            started = await response.json()
            return str(started["id"])

    return list(await asyncio.gather(*(one() for _ in range(COUNT))))


class Watch:
    """Looks at the machine twice a second."""

    def __init__(self, server: psycopg.AsyncConnection[Any]) -> None:
        self._server = server
        self.connections = 0

    async def until(self, over: Callable[[], bool]) -> list[int]:
        """The number of processes at each look."""
        seen = []
        while not over():
            seen.append(processes_of_ours())
            self.connections = max(self.connections, int(await self.ask(_CONNECTIONS)))
            await asyncio.sleep(0.5)
        return seen

    async def megabytes(self) -> float:
        return round(float(await self.ask(_MEGABYTES)), 1)

    async def ask(self, question: LiteralString) -> Any:
        row = await (await self._server.execute(question)).fetchone()
        assert row is not None
        return row[0]


async def outcomes(session: ClientSession, base: str, ids: list[str]) -> list[dict[str, Any]]:
    found = []
    for execution in ids:
        async with session.get(f"{base}/executions/{execution}") as response:
            found.append(await response.json())
    return found


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lowtide-bench-") as folder:
        options = Options(data_directory=Path(folder), port=0, grpc_port=0, idle=5.0)
        async with Platform(options) as platform, ClientSession(connector=TCPConnector(limit=0)) as session:
            base = f"{platform.url}/v1/namespaces/default"
            headers = {"Content-Type": "text/yaml"}
            async with session.post(f"{base}/workflows", data=WORKFLOW, headers=headers) as response:
                if response.status != 201:
                    raise RuntimeError(await response.text())
            server = await psycopg.AsyncConnection.connect(platform.databases.control, autocommit=True)
            watch = Watch(server)
            empty = await watch.megabytes()
            began = time.monotonic()
            starting = asyncio.ensure_future(start_all(session, base))
            await watch.until(starting.done)
            ids = await starting
            took = time.monotonic() - began
            print(f"{COUNT} executions started in {took:.1f} s", flush=True)
            seen = await watch.until(lambda: time.monotonic() > began + WAIT - 1)
            print(f"processes while they wait, twice a second: {seen}", flush=True)
            await watch.until(lambda: time.monotonic() > began + WAIT + took + 15)
            ended = await outcomes(session, base, ids)
            grown = await watch.megabytes() - empty
            await server.close()
    late = [
        execution["output"]["at"] - execution["output"]["started"] - WAIT * 1000
        for execution in ended
        if execution["phase"] == "completed"
    ]
    figures = {
        "executions": COUNT,
        "started_per_second": round(COUNT / took, 1),
        "completed": len(late),
        "looks": len(seen),
        "looks_without_a_process": seen.count(0),
        "connections": watch.connections,
        "database_mb": round(grown, 1),
        "late_ms": {"p50": quantile(late, 0.5), "p99": quantile(late, 0.99), "max": max(late)},
    }
    goals = {
        "completed == started": len(late) == COUNT,
        "looks without a process >= 1": seen.count(0) >= 1,
        "late max <= 1000 ms": max(late) <= 1000,
    }
    report("waiting", figures, {"share of the wait without any process": round(seen.count(0) / len(seen), 3)}, goals)


if __name__ == "__main__":
    asyncio.run(main())
