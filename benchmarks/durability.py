"""What a durable execution costs, beside its peers: DBOS on the same PostgreSQL, Restate on the same disk.

    make bench-peers                   (once: the peers, into build/peers)
    make bench NAME=durability         (about three minutes)

The same work everywhere: three steps, each a function that returns the moment at which it was called, whose result is
durably recorded before the next one begins. Every system is asked over HTTP by the same clients, and answers when the
workflow has ended; each syncs to disk as it does by default. The systems take turns, so that all of them see the same
machine, and the rounds are repeated; what is compared is the median of the rounds.

*workflow*: from request to answer. *step*: from the call of one step to the call of the next, which is what
durability adds, since the steps themselves take no time. *cpu*: of all processes of a system, PostgreSQL's included,
per workflow; on a busy machine it says more than the times do. DURABILITY_ROUNDS and DURABILITY_SECONDS make it longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from aiohttp import ClientConnectionError, ClientSession, TCPConnector

from benchmarks.measuring import quantile, report
from lowtide.local.datadir import DataDirectory
from lowtide.local.ports import Reserved
from lowtide.local.postgres import Postgres

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "3"))
SECONDS = float(os.environ.get("DURABILITY_SECONDS", "4"))
CLIENTS = (1, 16, 64)
HERE = Path(__file__).parent
PEERS = HERE.parent / "build" / "peers"
STEPS = """
document: {dsl: '1.0.3', namespace: default, name: three-steps, version: '1.0.0'}
do:
- first: {call: moment, output: {as: '${ [.] }'}}
- second: {call: moment, output: {as: '${ $input + [.] }'}}
- third: {call: moment, output: {as: '${ $input + [.] }'}}
"""


@dataclass
class System:
    """Where one system is asked for a workflow, and what it answered so far, by number of clients."""

    name: str
    url: str
    processes: tuple[int, ...]
    output: str = ""
    cpu_ms: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    per_second: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    workflow_ms: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    step_ms: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})

    async def run(self, session: ClientSession) -> list[float]:
        """One workflow; the moments of its steps, in ms."""
        async with session.post(self.url, json={"n": 1}) as response:
            answer = await response.json()
        moments: Any = answer.get(self.output) if self.output else answer
        if response.status != 200 or not isinstance(moments, list) or len(moments) != 3:
            raise RuntimeError(f"{self.name} answered {response.status}: {answer}")
        return moments

    async def hammer(self, session: ClientSession, clients: int) -> None:
        """Ask with so many clients at once, for the length of one turn."""
        began, ended, worked = time.perf_counter(), 0, self._worked()
        until = began + SECONDS

        async def ask() -> None:
            nonlocal ended
            while (asked := time.perf_counter()) < until:
                first, second, third = await self.run(session)
                self.workflow_ms[clients].append((time.perf_counter() - asked) * 1000)
                self.step_ms[clients].extend((second - first, third - second))
                ended += 1

        await asyncio.gather(*(ask() for _ in range(clients)))
        self.per_second[clients].append(ended / (time.perf_counter() - began))
        self.cpu_ms[clients].append((self._worked() - worked) * 1000 / ended)

    def _worked(self) -> float:
        """CPU seconds of the system's processes and of everything that they started."""
        heads = [psutil.Process(pid) for pid in self.processes]
        seconds = 0.0
        for member in {member for head in heads for member in (head, *head.children(recursive=True))}:
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds += sum(member.cpu_times()[:4])  # its own, and of children that have ended
        return seconds

    def figures(self) -> dict[str, Any]:
        return {
            f"{clients} clients": {
                "per_second": round(median(self.per_second[clients]), 1),
                "workflow_ms": _quantiles(self.workflow_ms[clients]),
                "step_ms": _quantiles(self.step_ms[clients]),
                "cpu_ms": round(median(self.cpu_ms[clients]), 1),
            }
            for clients in CLIENTS
        }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    return {"p50": round(quantile(values, 0.5), 1), "p99": round(quantile(values, 0.99), 1)}


def free_port() -> int:
    with Reserved() as reserved:
        return reserved.port


@asynccontextmanager
async def process(program: Sequence[object], log: Path, **variables: str) -> AsyncIterator[int]:
    """A program that runs as long as the context; its process id."""
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            *map(str, program), stdout=output, stderr=output, cwd=log.parent, env={**os.environ, **variables}
        )
        try:
            yield child.pid
        finally:
            if child.returncode is None:
                child.terminate()
            await child.wait()


async def answers(session: ClientSession, url: str, log: Path, **request: Any) -> None:
    """Return when ``url`` answers well."""
    ends = time.monotonic() + 60
    said = "nothing"
    while time.monotonic() < ends:
        try:
            async with session.request(request.get("method", "GET"), url, json=request.get("json")) as response:
                if response.status < 300:
                    return
                said = await response.text()
        except ClientConnectionError as error:
            said = str(error)
        await asyncio.sleep(0.2)
    raise RuntimeError(f"{url} does not answer ({said}):\n{await asyncio.to_thread(log.read_text)}")


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[Postgres]:
    """The server that Lowtide and DBOS share."""
    directory = DataDirectory(folder / "postgres")
    directory.acquire()
    server = Postgres(directory, fsync=True, start_timeout=60)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        directory.release()


@asynccontextmanager
async def lowtide(folder: Path, session: ClientSession, server: Postgres) -> AsyncIterator[System]:
    """As ``lowtide up`` runs it, but that it stays warm while the others have their turn."""
    port, log = free_port(), folder / "lowtide.log"
    options = ["--data-dir", folder / "data", "--port", str(port), "--grpc-port", "0", "--idle", "600"]
    program = [Path(sys.executable).with_name("lowtide"), "up", "--database-url", server.url("postgres"), *options]
    async with process([*program, "--steps", "lowtide_steps", "--path", HERE / "peers"], log) as pid:
        await answers(session, f"http://127.0.0.1:{port}/readyz", log)
        workflows = f"http://127.0.0.1:{port}/v1/namespaces/default/workflows"
        async with session.post(workflows, data=STEPS, headers={"Content-Type": "text/yaml"}) as response:
            if response.status != 201:
                raise RuntimeError(await response.text())
        yield System("lowtide", f"{workflows}/three-steps/executions?wait=30s", (pid, server.pid or 0), "output")


@asynccontextmanager
async def dbos(folder: Path, session: ClientSession, server: Postgres) -> AsyncIterator[System]:
    port, log = free_port(), folder / "dbos.log"
    program = [PEERS / "venv/bin/python", HERE / "peers/dbos_app.py", str(port), server.url("dbos")]
    async with process(program, log) as pid:
        url = f"http://127.0.0.1:{port}/"
        await answers(session, url, log, method="POST", json={"n": 1})
        yield System("dbos", url, (pid, server.pid or 0))


@asynccontextmanager
async def restate(folder: Path, session: ClientSession) -> AsyncIterator[System]:
    """The server with its defaults, and a service of one process beside it."""
    ingress, admin, fabric, service = (free_port() for _ in range(4))
    log = folder / "restate.log"
    server = process(
        [PEERS / "npm/node_modules/.bin/restate-server", "--no-logo", "--listen-mode=tcp"],
        log,
        RESTATE_BASE_DIR=str(folder / "restate"),
        RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{ingress}",
        RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{admin}",
        RESTATE_BIND_ADDRESS=f"127.0.0.1:{fabric}",
        RESTATE_ADVERTISED_ADDRESS=f"http://127.0.0.1:{fabric}",
        DO_NOT_TRACK="1",
    )
    at = f"127.0.0.1:{service}"
    application = process(
        [PEERS / "venv/bin/hypercorn", "restate_app:application", "--bind", at, "--log-level", "warning"],
        folder / "restate-service.log",
        PYTHONPATH=str(HERE / "peers"),
    )
    async with server as server_pid, application as service_pid:
        await answers(session, f"http://127.0.0.1:{admin}/health", log)
        deployment = {"uri": f"http://{at}"}
        await answers(session, f"http://127.0.0.1:{admin}/deployments", log, method="POST", json=deployment)
        url = f"http://127.0.0.1:{ingress}/Steps/three"
        await answers(session, url, log, method="POST", json={"n": 1})
        yield System("restate", url, (server_pid, service_pid))


async def measure(systems: Sequence[System], session: ClientSession) -> None:
    for system in systems:
        await asyncio.gather(*(system.run(session) for _ in range(64)))
        for _ in range(20):
            await system.run(session)
    for number in range(ROUNDS):
        for clients in CLIENTS:
            for system in systems:
                await system.hammer(session, clients)
        shown = (f"{s.name} {[round(s.per_second[clients][-1], 1) for clients in CLIENTS]}" for s in systems)
        print(f"round {number + 1}, per second at {CLIENTS} clients: {', '.join(shown)}", flush=True)


def compare(systems: Sequence[System]) -> tuple[dict[str, float], dict[str, bool]]:
    """Ratios of Lowtide to each peer, and whether the goals were met."""
    ours, *peers = systems
    ratios: dict[str, float] = {}
    for peer in peers:
        for clients in CLIENTS:
            ratio = median(ours.per_second[clients]) / median(peer.per_second[clients])
            ratios[f"throughput, lowtide / {peer.name}, {clients} clients"] = round(ratio, 2)
        for what in ("workflow_ms", "step_ms"):
            ratio = quantile(getattr(ours, what)[1], 0.5) / quantile(getattr(peer, what)[1], 0.5)
            ratios[f"p50 of {what}, lowtide / {peer.name}, 1 client"] = round(ratio, 2)
    goals = {
        "p50 of three durable steps <= DBOS', 1 client": ratios["p50 of workflow_ms, lowtide / dbos, 1 client"] <= 1,
        **{
            f"throughput >= 2x DBOS', {clients} clients": ratios[f"throughput, lowtide / dbos, {clients} clients"] >= 2
            for clients in (16, 64)
        },
    }
    return ratios, goals


async def main() -> None:
    if not (PEERS / ".ready").exists():
        sys.exit("the peers are missing: make bench-peers")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lowtide-bench-")))
        # A server closes a connection that rests for 5 s while the others are asked; ours is given up before it.
        connector = TCPConnector(limit=0, keepalive_timeout=2)
        session = await stack.enter_async_context(ClientSession(connector=connector))
        server = await stack.enter_async_context(postgres(folder))
        systems = [
            await stack.enter_async_context(lowtide(folder, session, server)),
            await stack.enter_async_context(dbos(folder, session, server)),
            await stack.enter_async_context(restate(folder, session)),
        ]
        await measure(systems, session)
    figures = {system.name: system.figures() for system in systems}
    for name, found in figures.items():
        for clients, figure in found.items():
            print(f"{name:8} {clients:>10}: {figure}", flush=True)
    report("durability", figures, *compare(systems))


if __name__ == "__main__":
    asyncio.run(main())
