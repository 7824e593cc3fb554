"""What is passed on without being looked at: in pieces, one after the other, and with processes that answer oddly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lowtide.local.backs import Backs
from lowtide.local.express import Express, Way
from lowtide.local.pool import Instance, Pool
from lowtide.local.ports import LOOPBACK
from tests.integration.local.pools import eventually, fronted, pool_of

pytestmark = pytest.mark.anyio

PID = b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n"


class Client:
    """A connection on which a test says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.01)

    async def answer(self) -> tuple[int, bytes]:
        """The status and body of an answer that says its length, or is chunked."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ")[1])
        if b"transfer-encoding: chunked" in head:
            body = b""
            while (length := int(await self.reader.readuntil(b"\r\n"), 16)) > 0:
                body += (await self.reader.readexactly(length + 2))[:-2]
            await self.reader.readexactly(2)
            return status, body
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        return status, await self.reader.readexactly(length)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    async with asyncio.timeout(20):
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def to_the_fake(folder: Path, **told: Any) -> AsyncIterator[tuple[Pool, Client]]:
    async with pool_of(folder, **told) as pool, fronted(pool) as session:
        url = session._base_url
        assert url is not None
        assert url.port is not None
        async with connected(url.port) as client:
            yield pool, client


async def test_requests_come_in_any_pieces_and_several_at_once(tmp_path: Path) -> None:
    async with to_the_fake(tmp_path) as (pool, client):
        await client.ask(PID)
        _, pid = await client.answer()
        await client.ask(*(PID[at : at + 1] for at in range(len(PID))))
        assert await client.answer() == (200, pid)
        post = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
        await client.ask(post + b"abc", b"def" + PID + PID + post, b"ghijkl")
        assert await client.answer() == (200, b"abcdef")
        assert await client.answer() == (200, pid)
        assert await client.answer() == (200, pid)
        assert await client.answer() == (200, b"ghijkl")
        assert pool.in_flight == 0


async def test_a_connection_goes_on_after_something_unusual(tmp_path: Path) -> None:
    async with to_the_fake(tmp_path) as (pool, client):
        await client.ask(PID)
        _, pid = await client.answer()
        chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        await client.ask(chunked[:70], chunked[70:])
        assert await client.answer() == (200, b"abc")
        await client.ask(PID)
        assert await client.answer() == (200, pid)
        assert pool.in_flight == 0


async def test_who_wants_no_further_answer_gets_none(tmp_path: Path) -> None:
    async with to_the_fake(tmp_path) as (_, client):
        await client.ask(PID.replace(b"Host", b"Connection: close\r\nHost") + PID)
        assert (await client.answer())[0] == 200
        assert await client.reader.read() == b""


async def test_a_process_that_dies_without_an_answer_is_a_502_after_the_attempts_that_may_be(tmp_path: Path) -> None:
    async with to_the_fake(tmp_path) as (pool, client):
        await client.ask(b"POST /die HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert (await client.answer())[0] == 502
        await eventually(lambda: pool.crashes == 1)
        await client.ask(PID.replace(b"/pid", b"/die"))
        assert (await client.answer())[0] == 502
        await eventually(lambda: pool.crashes == 4)
        await client.ask(PID)
        assert (await client.answer())[0] == 200


async def test_requests_under_way_end_before_the_front_does(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(tmp_path))
        async with fronted(pool) as session:
            url = session._base_url
            assert url is not None
            assert url.port is not None
            client = await stack.enter_async_context(connected(url.port))
            await client.ask(PID)
            await client.answer()
            await client.ask(PID.replace(b"/pid", b"/slow?0.15"))
        assert (await client.answer())[0] == 200
        assert await client.reader.read() == b""


# ------------------------------------------------------------ processes that answer oddly


class _OneProcess:
    """A pool of one process, which is a function here."""

    def __init__(self, port: int) -> None:
        self.service = type("Service", (), {"name": "odd"})
        self.given = 0
        self._instance = cast(Instance, type("Instance", (), {"port": port}))

    def at_once(self) -> Instance:
        self.given += 1
        return self._instance

    async def acquire(self) -> Instance:
        return self.at_once()

    def release(self, instance: Instance) -> None:
        self.given -= 1

    def discard(self, instance: Instance) -> None: ...


@contextlib.asynccontextmanager
async def before(
    answering: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncIterator[tuple[_OneProcess, Client]]:
    """A client of a process that does with each connection what ``answering`` does."""

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answering(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    odd = await asyncio.start_server(answer_and_close, LOOPBACK, 0)
    pool = _OneProcess(odd.sockets[0].getsockname()[1])
    backs = Backs()
    express = Express(lambda target: Way(cast(Pool, pool), target), asyncio.Protocol, backs)
    server = await asyncio.get_running_loop().create_server(express.protocol, LOOPBACK, 0)
    try:
        async with connected(server.sockets[0].getsockname()[1]) as client:
            yield pool, client
    finally:
        server.close()
        await express.close(0.1)
        backs.close()
        odd.close()


def saying(answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return answering


async def test_an_answer_that_ends_with_its_connection_is_whole(tmp_path: Path) -> None:
    async with before(saying(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nuntil the end")) as (pool, client):
        await client.ask(PID)
        answer = await client.reader.read()
        assert answer == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\nuntil the end"
        assert pool.given == 0


async def test_an_answer_that_breaks_off_is_seen_to_break_off(tmp_path: Path) -> None:
    async with before(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as (pool, client):
        await client.ask(PID)
        assert (await client.reader.readuntil(b"half")).startswith(b"HTTP/1.1 200 OK")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.reader.readexactly(1)
        assert pool.given == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
async def test_what_is_no_answer_is_a_502(answer: bytes) -> None:
    async with before(saying(answer)) as (pool, client):
        await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        status, body = await client.answer()
        assert status == 502
        assert b"odd went away with this request" in body
        assert pool.given == 0


async def test_a_client_that_reads_slowly_slows_its_process_down() -> None:
    sent = 0

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        while sent < 50_000_000:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with before(answering) as (pool, client):
        await client.ask(PID)
        last = -1
        while sent != last:  # until nothing moves any more
            last = sent
            await asyncio.sleep(0.3)
        assert 0 < sent < 40_000_000
        assert len((await client.answer())[1]) == 50_000_000
        await eventually(lambda: pool.given == 0)


async def test_an_answer_is_read_to_its_end_when_the_client_is_gone() -> None:
    done = asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n")
        for _ in range(300):
            writer.write(b"x" * 100_000)
            await writer.drain()
        done.set()

    async with before(answering) as (pool, client):
        await client.ask(PID)
        await client.reader.readexactly(10)
        client.writer.transport.abort()
        await done.wait()
        await eventually(lambda: pool.given == 0)
