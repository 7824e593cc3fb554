"""One replica of each deployable, its real code on simulated ports."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from functions.execute.invocation import Answer, Invocations
from functions.execute.parts import Parts
from functions.ingest.committing import Committer
from functions.ingest.owners import Voices
from functions.ingest.projecting import Projector
from functions.ingest.service import IngestService
from functions.ingest.signalling import Signals
from functions.ingest.stream import Journalist
from functions.orchestrate.service import Neighbours, Service
from functions.orchestrate.store.database import Database as ControlDatabase
from functions.orchestrate.work import Desk, Terms
from lowtide.clients.ingest import IngestClient
from lowtide.expressions import JqHost
from lowtide.runtime import chance
from lowtide.runtime.claims import Claims
from lowtide.storage.database import Connection
from lowtide.storage.database import Database as JournalDatabase
from lowtide.testing.simulate.clock import ProcessClock
from lowtide.testing.simulate.grpc import Line
from lowtide.testing.simulate.network import Replicas
from lowtide.testing.simulate.postgres import Store
from lowtide.testing.simulate.process import Process
from tests.simulation.ports import Analytics, Effects, Journal, Ports

__all__ = ["HOST", "KEY", "Execute", "Ingest", "Orchestrate"]

KEY = b"a key of the simulation"
HOST = JqHost()


class _Stored(JournalDatabase):
    def __init__(self, store: Store, size: int) -> None:
        super().__init__(store.name, "", size)
        self._store = store

    async def connect(self) -> Connection:
        connection = await self._store.connect()
        await connection.set_autocommit(True)
        return connection


class Ingest:
    """One replica of ingest. Analytics is a stand-in: nothing that matters waits for it."""

    def __init__(self, process: Process, ports: Ports) -> None:
        journal, commits = _Stored(ports.journal, 2), _Stored(ports.journal, 1)
        projector = cast(Projector, Analytics(ports))
        voices = Voices(15.0)
        to = Journalist(Committer(commits, voices, ttl=15.0), projector, Signals(journal))
        self.service = IngestService(journal, to, voices, ttl=15.0, lost_ttl=5.0, stream_lifetime=240.0)
        self._to = to
        for work in (to.committer.run(), to.signals.run()):
            process.spawn(work)

    async def drain(self) -> None:
        await self.service.drain("this replica ends")
        await self._to.committer.drained()


class Orchestrate:
    """One replica of orchestrate, without its HTTP routes."""

    def __init__(self, process: Process, ports: Ports, ingests: Replicas[Any], terms: Terms) -> None:
        database = ControlDatabase("postgresql://simulated", 4)
        database.engine, database.driver = ports.engines.make(ports.control), _Stored(ports.control, 3)
        clock = ProcessClock(process)
        client = _client(process, ports, ingests, f"orchestrate-{chance.new_owner()}")
        unused = cast(Any, _Unused())
        neighbours = Neighbours(ports.broker(process), ports.short_way, client, unused, ports.payloads(process), clock)
        desk = Desk(database, terms, HOST, _claims(ports, process))
        self.service = Service(desk, neighbours, unused, max_body_bytes=1 << 20, shutdown_grace=10.0)
        self._ending = asyncio.Event()
        self._running = process.spawn(self._run())

    async def _run(self) -> None:
        async with self.service:
            await self._ending.wait()

    async def drain(self) -> None:
        self._ending.set()
        await asyncio.wait([self._running])


class _Unused:
    """No document here refers to anything outside itself, and none runs a container."""

    async def close(self) -> None:
        """Nothing is held."""


class Execute:
    """One replica of execute, without its HTTP server."""

    def __init__(self, process: Process, ports: Ports, ingests: Replicas[Any]) -> None:
        owner = chance.new_owner()
        client = _client(process, ports, ingests, owner)
        self.parts = Parts(
            key=KEY,
            clock=ProcessClock(process),
            host=HOST,
            effects=cast(Any, Effects(ports, process)),
            publisher=cast(Any, ports.broker(process)),
            journal=Journal(client, ports, process),
            history=client,
            ingest=client,
            claims=_claims(ports, process),
            effect_timeout=30.0,
            snapshot_format=ports.snapshot_format(),
        )
        self.invocations = Invocations(self.parts)
        self._client = client

    async def handle(self, event: Any, abandoned: asyncio.Event) -> Answer:
        return await self.invocations.handle(event, abandoned)

    async def drain(self) -> None:
        self.parts.stopping = True
        self.invocations.yield_all()
        while self.invocations.running:
            await self.parts.clock.sleep(0.1)
        await self._client.aclose()


def _claims(ports: Ports, process: Process) -> Claims:
    return Claims(ports.payloads(process), above=ports.claim_above, largest=1 << 20)


def _client(process: Process, ports: Ports, ingests: Replicas[Any], owner: str) -> IngestClient:
    stub = cast(Any, Line(ports.network, ingests))
    return IngestClient("simulated", owner=owner, clock=ProcessClock(process), chance=chance.uniform, stub=stub)
