"""The one race that matters: an append against the opening that takes its lease away, in both orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from functions.ingest.appending import write_group
from functions.ingest.opening import open_epoch
from functions.ingest.plain import append_plainly, open_fresh
from functions.ingest.work import Append, Work
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id
from lowtide.runtime.clock import SystemClock
from tests.eventually import eventually
from tests.ingests import Stores

pytestmark = pytest.mark.anyio

_TTL = 15.0


@asynccontextmanager
async def session(stores: Stores) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    async with await psycopg.AsyncConnection.connect(stores.journal, autocommit=True) as connection:
        yield connection


def opening(execution: str, epoch: int, owner: str) -> pb.OpenRequest:
    return pb.OpenRequest(execution=execution, epoch=epoch, digest=f"digest {epoch}", owner=owner)


def work(execution: str, *, close: bool = False) -> Work:
    append = Append(UUID(execution), 1, ((1, b"result"),), ("type", b"outcome") if close else None)
    return Work("first", "stream", (append,))


async def waits_for_a_lock(stores: Stores, task: asyncio.Task[object]) -> None:
    """Returns once a session of this database waits for a lock; ``task`` must not have ended by then."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with session(stores) as connection:
        async for attempt in eventually():
            with attempt:
                assert (await (await connection.execute(query)).fetchone()) == (1,)
    assert not task.done()


def started(work: Awaitable[object]) -> asyncio.Task[object]:
    async def run() -> object:
        return await work

    return asyncio.create_task(run())


@pytest.mark.parametrize("close", [False, True])
async def test_an_opening_that_meets_an_append_waits_and_sees_its_record(ingest_stores: Stores, close: bool) -> None:
    one = str(new_execution_id(SystemClock().now()))
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            await open_epoch(first, opening(one, 1, "first"), _TTL)
        async with first.transaction():
            refused = await write_group(first, [work(one, close=close)], _TTL)
            assert refused == [[]]
            takeover = started(open_epoch(second, opening(one, 2, "second"), _TTL))
            await waits_for_a_lock(ingest_stores, takeover)
        reply = await takeover
        assert isinstance(reply, pb.OpenReply)
        assert reply.answer == pb.OpenReply.OK
        assert [record.body for record in reply.tail] == [b"result"]


@pytest.mark.parametrize("close", [False, True])
async def test_an_append_that_meets_an_opening_waits_and_is_fenced(ingest_stores: Stores, close: bool) -> None:
    one = str(new_execution_id(SystemClock().now()))
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            await open_epoch(first, opening(one, 1, "first"), _TTL)
        async with second.transaction():
            reply = await open_epoch(second, opening(one, 2, "second"), _TTL)
            assert reply.answer == pb.OpenReply.OK
            assert not reply.tail
            late = started(write_group(first, [work(one, close=close)], _TTL))
            await waits_for_a_lock(ingest_stores, late)
        refused = await late
        assert isinstance(refused, list)
        assert [refusal.reason for refusal in refused[0]] == [pb.Refusal.FENCED]
        count = await (await first.execute("SELECT count(*) FROM journal")).fetchone()
        assert count == (0,)


async def test_two_processes_that_open_at_once_get_one_lease(ingest_stores: Stores) -> None:
    one = str(new_execution_id(SystemClock().now()))
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            await open_epoch(first, opening(one, 1, "first"), _TTL)
            other = started(open_epoch(second, opening(one, 1, "second"), _TTL))
            await waits_for_a_lock(ingest_stores, other)
        reply = await other
        assert isinstance(reply, pb.OpenReply)
        assert reply.answer == pb.OpenReply.HELD


async def test_a_heartbeat_that_meets_a_takeover_of_an_expired_lease_does_not_hide_it(ingest_stores: Stores) -> None:
    """The lease expires, is taken, and only then the old owner is heard: its empty append is refused."""
    one = str(new_execution_id(SystemClock().now()))
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            await open_epoch(first, opening(one, 1, "first"), _TTL)
        await first.execute("UPDATE owners SET expires_at = now() - interval '1 second'")
        async with second.transaction():
            assert (await open_epoch(second, opening(one, 1, "second"), _TTL)).answer == pb.OpenReply.OK
        check = Work("first", "stream", (Append(UUID(one), 1, (), None),))
        async with first.transaction():
            refused = await write_group(first, [check], _TTL)
        assert [refusal.reason for refusal in refused[0]] == [pb.Refusal.FENCED]


# ---------------------------------------------------------------- the same in one statement


async def opened(stores: Stores, execution: str) -> None:
    async with session(stores) as connection:
        tails = await open_fresh(connection, {UUID(execution): opening(execution, 1, "first")}, {"first": ""}, _TTL)
    assert tails == {UUID(execution): []}


@pytest.mark.parametrize("close", [False, True])
async def test_an_opening_that_meets_a_plain_append_waits_and_sees_its_record(
    ingest_stores: Stores, close: bool
) -> None:
    one = str(new_execution_id(SystemClock().now()))
    await opened(ingest_stores, one)
    (append,) = work(one, close=close).appends
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            assert await append_plainly(first, [(append, "first")], {}, _TTL) == {UUID(one)}
            takeover = started(open_epoch(second, opening(one, 2, "second"), _TTL))
            await waits_for_a_lock(ingest_stores, takeover)
        reply = await takeover
        assert isinstance(reply, pb.OpenReply)
        assert [record.body for record in reply.tail] == [b"result"]


@pytest.mark.parametrize("close", [False, True])
async def test_a_plain_append_that_meets_an_opening_waits_and_writes_nothing(
    ingest_stores: Stores, close: bool
) -> None:
    one = str(new_execution_id(SystemClock().now()))
    await opened(ingest_stores, one)
    (append,) = work(one, close=close).appends
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with second.transaction():
            assert (await open_epoch(second, opening(one, 2, "second"), _TTL)).answer == pb.OpenReply.OK
            late = started(append_plainly(first, [(append, "first")], {}, _TTL))
            await waits_for_a_lock(ingest_stores, late)
        assert await late == set()
        count = await (await first.execute("SELECT count(*) FROM journal")).fetchone()
        assert count == (0,)
        closed = await (await first.execute("SELECT closed_type, epoch FROM leases")).fetchone()
        assert closed == (None, 2)


async def test_two_processes_that_open_plainly_at_once_get_one_lease(ingest_stores: Stores) -> None:
    one = str(new_execution_id(SystemClock().now()))
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            await open_fresh(first, {UUID(one): opening(one, 1, "first")}, {"first": ""}, _TTL)
            other = started(open_fresh(second, {UUID(one): opening(one, 1, "second")}, {"second": ""}, _TTL))
            await waits_for_a_lock(ingest_stores, other)
        assert await other == {}
        assert (await open_epoch(second, opening(one, 1, "second"), _TTL)).answer == pb.OpenReply.HELD


async def test_a_plain_append_leaves_out_what_does_not_go_on_where_its_journal_ends(ingest_stores: Stores) -> None:
    """A record that is there already, one that leaves a gap, one of somebody else: each is judged by itself later."""
    there, gap, fits, theirs = (str(new_execution_id(SystemClock().now())) for _ in range(4))
    for execution in (there, gap, fits, theirs):
        await opened(ingest_stores, execution)
    first = [(work(execution).appends[0], "first") for execution in (there, fits)]
    async with session(ingest_stores) as connection:
        assert await append_plainly(connection, first[:1], {}, _TTL) == {UUID(there)}
        ahead = Append(UUID(gap), 1, ((2, b"second"),), None)
        appends = [*first, (ahead, "first"), (work(theirs).appends[0], "second")]
        assert await append_plainly(connection, appends, {}, _TTL) == {UUID(fits)}
        assert [len(refused) for refused in await write_group(connection, [work(there)], _TTL)] == [0]


async def test_two_sessions_that_append_the_same_numbers_write_them_once(ingest_stores: Stores) -> None:
    one = str(new_execution_id(SystemClock().now()))
    await opened(ingest_stores, one)
    append = (work(one).appends[0], "first")
    async with session(ingest_stores) as first, session(ingest_stores) as second:
        async with first.transaction():
            assert await append_plainly(first, [append], {}, _TTL) == {UUID(one)}
            other = started(append_plainly(second, [append], {}, _TTL))
            await waits_for_a_lock(ingest_stores, other)
        assert await other == set()
        async with second.transaction():
            assert await write_group(second, [work(one)], _TTL) == [[]]
