"""Throughput through `lowtide up`: three-step workflows per second, and how long each takes from request to outcome.

    make bench NAME=throughput

Each workflow makes two HTTP calls to a small local service and sets a result: three steps, two of them durable. It is
started synchronously (`?wait=30s`) through the gateway, at several numbers of clients at once. The limit beside which
the figures stand, measured in the same run with the same clients: the smallest answer that the same gateway and the
same function can give, one execution read by its id.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

from benchmarks.measuring import quantile, report
from lowtide.local.options import Options
from lowtide.local.platform import Platform

CLIENTS = (1, 8, 32)
SECONDS = 8.0
WORKFLOW = """
document: {dsl: '1.0.3', namespace: default, name: three-steps, version: '1.0.0'}
do:
- reserve: {call: http, with: {method: post, endpoint: '%(peer)s/reserve', body: {n: '${ .n }'}}}
- charge: {call: http, with: {method: post, endpoint: '%(peer)s/charge', body: {n: '${ .n }'}}}
- done: {set: {ok: true, n: '${ .n }'}}
"""


async def peer() -> tuple[web.AppRunner, str]:
    """The service that is called: answers at once with what it got."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    application = web.Application()
    application.router.add_post("/{name}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def hammer(clients: int, once: Callable[[], Awaitable[None]]) -> list[float]:
    """Durations in ms of every request that ``clients`` loops finish within the time."""
    durations: list[float] = []
    ends = time.perf_counter() + SECONDS

    async def loop() -> None:
        while time.perf_counter() < ends:
            began = time.perf_counter()
            await once()
            durations.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(loop() for _ in range(clients)))
    return durations


def figures(durations: list[float]) -> dict[str, float]:
    return {
        "per_second": round(len(durations) / SECONDS, 1),
        "p50_ms": round(quantile(durations, 0.5), 1),
        "p99_ms": round(quantile(durations, 0.99), 1),
    }


async def measure(url: str, session: ClientSession) -> tuple[dict[str, Any], dict[str, float]]:
    execution = ""

    async def start() -> None:
        nonlocal execution
        workflow = f"{url}/v1/namespaces/default/workflows/three-steps/executions"
        async with session.post(workflow, params={"wait": "30s"}, json={"n": 1}) as response:
            ended = await response.json()
            if ended.get("phase") != "completed":
                raise RuntimeError(f"{response.status}: {ended}")
            execution = ended["id"]

    async def ask() -> None:
        async with session.get(f"{url}/v1/namespaces/default/executions/{execution}") as response:
            if response.status != 200:
                raise RuntimeError(await response.text())

    for _ in range(20):
        await start()
    found: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for clients in CLIENTS:
        limit = figures(await hammer(clients, ask))
        ours = figures(await hammer(clients, start))
        found[f"{clients} clients"] = {"workflows": ours, "bare requests": limit}
        ratios[f"workflows / bare requests, {clients} clients"] = round(ours["per_second"] / limit["per_second"], 3)
        print(f"{clients:3} clients: {ours}  (bare requests: {limit})", flush=True)
    return found, ratios


async def main() -> None:
    runner, address = await peer()
    try:
        with tempfile.TemporaryDirectory(prefix="lowtide-bench-") as folder:
            options = Options(data_directory=Path(folder), port=0, grpc_port=0)
            async with Platform(options) as platform, ClientSession(connector=TCPConnector(limit=0)) as session:
                workflows = f"{platform.url}/v1/namespaces/default/workflows"
                document = WORKFLOW % {"peer": address}
                async with session.post(workflows, data=document, headers={"Content-Type": "text/yaml"}) as response:
                    if response.status != 201:
                        raise RuntimeError(await response.text())
                found, ratios = await measure(platform.url, session)
    finally:
        await runner.cleanup()
    report("throughput", found, ratios, {})


if __name__ == "__main__":
    asyncio.run(main())
