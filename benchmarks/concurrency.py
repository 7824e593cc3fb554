"""Executions that are active at once: how many, on how many connections of the database, at what memory each.

    make bench NAME=concurrency           (about six minutes; ACTIVE=10000 by default)

Each execution calls a service that answers nobody before all of them have called, or 200 s have passed. The platform is
`lowtide up` twice, as two machines would be: on one PostgreSQL, with one key, each with half of the starts. One alone
would need more open files than most systems give a process: an active execution has two sockets in its proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
from aiohttp import ClientSession, TCPConnector, web
from psycopg import sql

from benchmarks.measuring import report
from lowtide.local.databases import Databases, of_server
from lowtide.local.datadir import DataDirectory
from lowtide.local.postgres import Postgres

ACTIVE = int(os.environ.get("ACTIVE", "10000"))
PATIENCE: Final = 200.0
"""Seconds that the service waits for all of them."""
CLIENTS: Final = 32
NODES: Final = 2
WORKFLOW = """
document: {dsl: '1.0.3', namespace: default, name: hold, version: '1.0.0'}
do:
- call: {call: http, with: {method: get, endpoint: '%(peer)s/hold'}, timeout: {after: {seconds: 225}}}
"""
_CONNECTIONS: Final = "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
_TUNABLES: Final = {
    "LOWTIDE_MAX_OUTSTANDING": str(ACTIVE),
    "LOWTIDE_HTTP_TIMEOUT": "225",
    "LOWTIDE_HTTP_READ_TIMEOUT": "225",
}


class Held:
    """The service that is called."""

    def __init__(self) -> None:
        self.here = self.most = self.calls = 0
        self._gate = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.here += 1
        self.most = max(self.most, self.here)
        if self.here >= ACTIVE:
            self._gate.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._gate.wait()
        except TimeoutError:
            self._gate.set()
        finally:
            self.here -= 1
        return web.json_response({})

    async def all_here(self) -> None:
        """Until all have called, or some waited for too long."""
        await self._gate.wait()


@contextlib.asynccontextmanager
async def serving(held: Held) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/hold", held.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Node:
    """One `lowtide up` on the databases of all."""

    def __init__(self, folder: Path, stores: Databases, broker: str) -> None:
        command = [str(Path(sys.executable).with_name("lowtide")), "up", "--data-dir", str(folder)]
        command += ["--port", "0", "--grpc-port", "0", "--control-url", stores.control, "--journal-url", stores.journal]
        command += ["--analytics-url", stores.analytics, "--broker-database-url", broker]
        command += ["--concurrency", str(ACTIVE)]
        environment = {**os.environ, **_TUNABLES}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            found = re.search(r"ready: HTTP (\S+),", line)
            if found is not None:
                return found[1]
        raise RuntimeError("lowtide up did not start:\n" + "".join(said))

    def megabytes(self) -> float:
        """Of all its processes, PostgreSQL left out: what they have for themselves alone."""
        found = 0.0
        for process in [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                if not process.name().startswith("postgres"):
                    found += process.memory_full_info().uss / 1e6
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)


async def start_all(session: ClientSession, nodes: list[Node]) -> list[str]:
    slots = asyncio.Semaphore(CLIENTS)

    async def one(number: int) -> str:
        base = f"{nodes[number % NODES].url}/v1/namespaces/default"
        async with slots, session.post(f"{base}/workflows/hold/executions", json={}) as response:
            started = await response.json()
            return str(started["id"])

    return list(await asyncio.gather(*(one(number) for number in range(ACTIVE))))


async def completed(session: ClientSession, node: Node) -> int:
    """How many executions are, once none is under way any more, or nothing has changed for a minute."""
    base = f"{node.url}/v1/namespaces/default/executions"
    count, since = -1, time.monotonic()
    while count < ACTIVE and time.monotonic() - since < 60:
        found, cursor = 0, ""
        while True:
            async with session.get(f"{base}?phase=completed&limit=500{cursor}") as response:
                page = await response.json()
            found += len(page["items"])
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        if found != count:
            count, since = found, time.monotonic()
        await asyncio.sleep(2)
    return count


async def watch(url: str, seen: list[int]) -> None:
    """The number of connections, twice a second."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as server:
        while True:
            row = await (await server.execute(_CONNECTIONS)).fetchone()
            assert row is not None
            seen.append(int(row[0]))
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def one_server(folder: Path) -> AsyncIterator[str]:
    directory = DataDirectory(folder)
    directory.acquire()
    postgres = Postgres(directory)
    try:
        yield await postgres.start()
    finally:
        await postgres.stop()
        directory.release()


async def measure(folder: Path, session: ClientSession, held: Held, peer: str) -> dict[str, Any]:
    key = secrets.token_urlsafe(32)
    nodes: list[Node] = []
    async with one_server(folder / "server") as server:
        stores = await of_server(server)
        try:
            for number in range(NODES):
                name = f"lowtide_broker_{number}"
                async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
                    await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                home = folder / str(number)
                home.mkdir()
                (home / "key").write_text(key)
                nodes.append(Node(home, stores, stores.broker.replace("lowtide_broker", name)))
            return await run(nodes, session, held, peer, server)
        finally:
            for node in nodes:
                node.stop()


async def run(nodes: list[Node], session: ClientSession, held: Held, peer: str, server: str) -> dict[str, Any]:
    base = f"{nodes[0].url}/v1/namespaces/default"
    headers = {"Content-Type": "text/yaml"}
    async with session.post(f"{base}/workflows", data=WORKFLOW % {"peer": peer}, headers=headers) as response:
        if response.status != 201:
            raise RuntimeError(await response.text())
    connections: list[int] = []
    watching = asyncio.ensure_future(watch(server, connections))
    before, began = sum(node.megabytes() for node in nodes), time.monotonic()
    ids = await start_all(session, nodes)
    print(f"{len(ids)} started in {time.monotonic() - began:.0f} s, {held.here} active", flush=True)
    gathering = asyncio.ensure_future(held.all_here())
    largest = before
    while not gathering.done():
        largest = max(largest, sum(node.megabytes() for node in nodes))
        await asyncio.wait([gathering], timeout=5)
    print(f"{held.most} active at once after {time.monotonic() - began:.0f} s", flush=True)
    largest = max(largest, sum(node.megabytes() for node in nodes))
    done = await completed(session, nodes[0])
    took = time.monotonic() - began
    watching.cancel()
    return {
        "executions": len(set(ids)),
        "active_at_once": held.most,
        "calls": held.calls,
        "completed": done,
        "seconds": round(took, 1),
        "connections": max(connections),
        "kb_each": round((largest - before) * 1000 / max(held.most, 1), 1),
    }


async def main() -> None:
    held = Held()
    with tempfile.TemporaryDirectory(prefix="lowtide-bench-", ignore_cleanup_errors=True) as folder:
        async with serving(held) as peer, ClientSession(connector=TCPConnector(limit=0)) as session:
            figures = await measure(Path(folder), session, held, peer)
    goals = {
        "active at once == executions": figures["active_at_once"] == ACTIVE,
        "completed == executions": figures["completed"] == ACTIVE,
        "connections <= 50": figures["connections"] <= 50,
    }
    report("concurrency", figures, {"calls per execution": round(figures["calls"] / ACTIVE, 3)}, goals)


if __name__ == "__main__":
    asyncio.run(main())
