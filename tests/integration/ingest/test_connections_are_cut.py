"""Something between client and ingest cuts connections in the middle of everything, as proxies do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from lowtide.clients.ingest import Patience
from tests.eventually import eventually
from tests.ingests import IngestProcess
from tests.integration.ingest.writers import Writer, client_of, written

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


class Scissors:
    """A TCP proxy on ``port``; :meth:`cut` breaks every connection that goes through it, :meth:`lose` lets them be, and
    nothing arrives by them any more."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cuts = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._lost: set[asyncio.StreamWriter] = set()

    def lose(self) -> None:
        self._lost |= self._writers

    def cut(self) -> None:
        self.cuts += bool(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, beyond = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, beyond}
        try:
            await asyncio.gather(self._pass(reader, beyond), self._pass(behind, writer))
        finally:
            self._writers -= {writer, beyond}
            writer.transport.abort()
            beyond.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if target in self._lost:
                    continue
                target.write(data)
                await target.drain()
        target.transport.abort()


@contextlib.asynccontextmanager
async def scissors(target: int) -> AsyncIterator[Scissors]:
    between = Scissors(target)
    async with await asyncio.start_server(between.join, "127.0.0.1", 0) as server:
        between.port = server.sockets[0].getsockname()[1]
        yield between
        between.cut()


async def test_every_record_is_written_once_and_in_order_through_many_cuts(ingest: IngestProcess) -> None:
    async with scissors(ingest.port) as between, client_of(f"127.0.0.1:{between.port}") as client:
        writers = [Writer(client) for _ in range(10)]
        writing = asyncio.gather(*(writer.write(60, pause=0.02) for writer in writers))
        while not writing.done():
            await asyncio.wait([writing], timeout=0.5)
            between.cut()
        await writing
        assert between.cuts >= 2
        for writer in writers:
            assert written(ingest.stores, writer.execution) == list(range(1, 61))
    assert not any("Traceback" in line for line in ingest.noise)


async def test_a_connection_into_nothing_is_given_up_for_another_one(ingest: IngestProcess) -> None:
    """Its machine is gone: nobody says so, and TCP by itself would find out after a quarter of an hour."""
    patience = Patience(answer=2.0, failing=60.0, silent=0.5)
    async with scissors(ingest.port) as between, client_of(f"127.0.0.1:{between.port}", patience) as client:
        writer = Writer(client)
        writing = asyncio.create_task(writer.write(40, pause=0.02))
        async for attempt in eventually():
            with attempt:
                assert writer.acknowledged >= 5
        between.lose()
        async with asyncio.timeout(20):
            await writing
        assert written(ingest.stores, writer.execution) == list(range(1, 41))
