"""Executions that wait: no process while they do, and each wakes on time.

    make bench NAME=waiting            (about three minutes; WAITING=200 by default)

Starts executions that each wait for the same length, looks at the machine's process table until they are due, and then
at how late each one woke: the time of its next turn against the moment at which its wait ended.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientSession, TCPConnector
from measuring import quantile, report

from lowtide.local.options import Options
from lowtide.local.platform import Platform

COUNT = int(os.environ.get("WAITING", "200"))
WAIT = 130
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


async def watch(until: float) -> list[int]:
    """The number of processes, looked at twice a second."""
    seen = []
    while time.monotonic() < until:
        seen.append(processes_of_ours())
        await asyncio.sleep(0.5)
    return seen


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
            began = time.monotonic()
            ids = await start_all(session, base)
            took = time.monotonic() - began
            print(f"{COUNT} executions started in {took:.1f} s", flush=True)
            seen = await watch(began + WAIT - 1)
            print(f"processes while they wait, twice a second: {seen}", flush=True)
            await watch(began + WAIT + took + 15)
            ended = await outcomes(session, base, ids)
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
