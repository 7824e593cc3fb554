"""Ingest and its database die and come back: nothing that was acknowledged is lost, and writers go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from lowtide.clients.ingest import IngestClient, Patience
from lowtide.errors import Unavailable
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from tests.databases import database, hang, outage
from tests.disks import small_disk
from tests.eventually import eventually
from tests.ingests import IngestProcess, RunIngest, Stores, make_stores
from tests.integration.ingest.protocol import execution
from tests.integration.ingest.writers import Writer, client_of, entry, written
from tests.ports import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


async def test_ingest_is_killed_under_load_and_restarted_and_every_writer_ends(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    process = run_ingest(ingest_stores, port=port)
    async with client_of(f"127.0.0.1:{port}") as client:
        writers = [Writer(client) for _ in range(20)]
        writing = asyncio.gather(*(writer.write(60, pause=0.01) for writer in writers))
        for kills in (1, 2):
            async for attempt in eventually():
                with attempt:
                    assert min(writer.acknowledged for writer in writers) >= kills * 10
            process.kill()
            for writer in writers:
                numbers = written(ingest_stores, writer.execution)
                assert len(numbers) >= writer.acknowledged, "what was acknowledged is there"
            process = run_ingest(ingest_stores, port=port)
        await writing
        for writer in writers:
            assert written(ingest_stores, writer.execution) == list(range(1, 61))


@asynccontextmanager
async def at_work(
    process: IngestProcess, stores: Stores
) -> AsyncIterator[tuple[list[Writer], asyncio.Future[list[None]]]]:
    """Writers whose first records are acknowledged; in the end all they wrote is there, and the process is unharmed."""
    async with client_of(process.target) as client:
        writers = [Writer(client) for _ in range(5)]
        writing = asyncio.gather(*(writer.write(40, pause=0.01) for writer in writers))
        async for attempt in eventually():
            with attempt:
                assert min(writer.acknowledged for writer in writers) >= 5
        yield writers, writing
        await writing
        for writer in writers:
            assert written(stores, writer.execution) == list(range(1, 41))
    assert process.returncode is None
    assert not process.noise


async def test_writers_wait_while_the_database_is_away(
    postgres: str, ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process = run_ingest(ingest_stores)
    async with at_work(process, ingest_stores):
        with outage(postgres, ingest_stores.journal):
            async for attempt in eventually():
                with attempt:
                    assert process.said("the journal waits")


async def test_writers_wait_while_the_database_hangs(
    postgres: str, ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process = run_ingest(ingest_stores)
    async with at_work(process, ingest_stores) as (writers, writing):
        with hang(postgres, ingest_stores.journal):
            await asyncio.sleep(0.2)
            before = [writer.acknowledged for writer in writers]
            await asyncio.sleep(0.5)
            assert [writer.acknowledged for writer in writers] == before
            assert not writing.done()


async def test_writers_wait_while_the_disk_is_full_and_lose_nothing(postgres: str, run_ingest: RunIngest) -> None:
    with small_disk(postgres, megabytes=48) as disk, make_stores(postgres) as stores:
        disk.take(stores.journal)
        process = run_ingest(stores)
        async with client_of(process.target) as client:
            writers = [Writer(client, noise=20_000) for _ in range(5)]
            writing = asyncio.gather(*(writer.write(60, pause=0.01) for writer in writers))
            async for attempt in eventually():
                with attempt:
                    assert min(writer.acknowledged for writer in writers) >= 5
            disk.fill()
            async for attempt in eventually():
                with attempt:
                    assert process.said("the journal waits")
            reasons = {line["reason"] for line in process.lines if line["message"] == "the journal waits"}
            assert any(reason.startswith("the journal store has no room: could not extend file") for reason in reasons)
            assert not writing.done()
            for writer in writers:
                assert len(written(stores, writer.execution)) >= writer.acknowledged, "what was acknowledged is there"
            disk.clear()
            await writing
            for writer in writers:
                assert written(stores, writer.execution) == list(range(1, 61))
        assert process.returncode is None
        assert not process.noise
        process.close()


async def test_ingest_starts_without_its_database_says_so_and_recovers(postgres: str, run_ingest: RunIngest) -> None:
    with make_stores(postgres) as stores:
        with outage(postgres, stores.journal):
            process = run_ingest(stores)
            async with client_of(process.target) as client:
                opening = asyncio.create_task(client.open(execution(), 1, "digest", 0))
                async for attempt in eventually():
                    with attempt:
                        assert process.said("unavailable")
                assert not opening.done()
                assert any("journal store cannot be reached" in line.get("reason", "") for line in process.lines)
                with psycopg.connect(postgres, autocommit=True) as connection:
                    name = psycopg.conninfo.conninfo_to_dict(stores.journal)["dbname"]
                    connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true'.encode())
                assert (await opening).answer == "ok"
        assert not process.noise


async def test_a_store_that_was_never_migrated_is_named(postgres: str, run_ingest: RunIngest) -> None:
    with database(postgres) as journal, database(postgres) as analytics:
        process = run_ingest(Stores(journal, analytics))
        async with client_of(process.target) as client:
            opening = asyncio.create_task(client.open(execution(), 1, "digest", 0))
            async for attempt in eventually():
                with attempt:
                    reasons = {line.get("reason") for line in process.lines}
                    assert "the journal store has no tables for this version; run its migrations" in reasons
            opening.cancel()


async def test_the_client_gives_up_in_bounded_time_and_the_execution_can_be_opened_again(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    process = run_ingest(ingest_stores, port=port)
    async with client_of(f"127.0.0.1:{port}", Patience(answer=0.5, failing=1.0)) as client:
        await client.open(one := execution(), 1, "digest", 0)
        await client.append(one, 1, [entry(1)])
        process.kill()
        with pytest.raises(Unavailable):
            await client.append(one, 1, [entry(2)])
        assert not client.holds(one, 1)
        with pytest.raises(Unavailable):
            await client.append(one, 1, [entry(3)])
        run_ingest(ingest_stores, port=port)
        opened = await client.open(one, 1, "digest", 0)
        assert (opened.answer, opened.tail) == ("ok", (entry(1),))


async def test_a_client_that_hears_nothing_stops_believing_in_its_leases(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process = run_ingest(ingest_stores)
    async with client_of(process.target, Patience(answer=0.5, failing=0.5)) as client:
        await client.open(one := execution(), 1, "digest", 0)
        assert client.holds(one, 1)
        process.kill()
        async for attempt in eventually():
            with attempt:
                assert not client.holds(one, 1)


async def test_after_a_pause_an_owner_asks_and_believes_in_its_lease_again(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    process = run_ingest(ingest_stores, port=port)
    async with client_of(f"127.0.0.1:{port}", window=0.5) as client:
        await client.open(one := execution(), 1, "digest", 0)
        process.kill()
        async for attempt in eventually():
            with attempt:
                assert not client.holds(one, 1)
        run_ingest(ingest_stores, port=port)
        await client.append(one, 1, [])
        assert client.holds(one, 1)


async def test_sigterm_drains_and_a_second_replica_takes_the_writers_over(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    first = run_ingest(ingest_stores, port=port)
    async with client_of(f"127.0.0.1:{port}") as client:
        writers = [Writer(client) for _ in range(10)]
        writing = asyncio.gather(*(writer.write(100, pause=0.01) for writer in writers))
        async for attempt in eventually():
            with attempt:
                assert min(writer.acknowledged for writer in writers) >= 10
        assert await asyncio.to_thread(first.terminate) == 0
        assert first.said("draining")
        assert first.said("ended")
        assert not first.noise
        run_ingest(ingest_stores, port=port)
        await writing
        for writer in writers:
            assert written(ingest_stores, writer.execution) == list(range(1, 101))


async def test_streams_are_rotated_under_load_without_a_lost_or_doubled_record(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process = run_ingest(ingest_stores, stream_lifetime=0.3)
    async with client_of(process.target) as client:
        writers = [Writer(client) for _ in range(10)]
        await asyncio.gather(*(writer.write(100, pause=0.01) for writer in writers))
        for writer in writers:
            assert written(ingest_stores, writer.execution) == list(range(1, 101))
    assert not process.noise


async def test_a_port_in_use_is_said_in_one_line(ingest: IngestProcess) -> None:
    second = IngestProcess(ingest.stores, ingest.port)
    try:
        async for attempt in eventually():
            with attempt:
                assert second.returncode == 2
                assert "is the port in use?" in second.lines[-1]["reason"]
        assert not any("Traceback" in line for line in second.noise)
    finally:
        second.close()


async def test_where_ingest_is_away_for_long_leases_are_refused_at_once_and_given_again_once_it_is_back(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    client = IngestClient(f"127.0.0.1:{port}", owner=new_owner(), clock=SystemClock(), chance=uniform, deadline=0.3)
    try:
        for _ in range(3):
            with pytest.raises(Unavailable, match="could not be asked"):
                await client.open(execution(), 1, "digest", 1)
        with pytest.raises(Unavailable, match="tried again soon"):
            await client.open(execution(), 1, "digest", 1)
        run_ingest(ingest_stores, port=port)
        async for attempt in eventually():
            with attempt:
                try:
                    opened = await client.open(execution(), 1, "digest", 0)
                except Unavailable as error:
                    raise AssertionError(error) from error
        assert opened.answer == "ok"
        assert client.breaker.state == "closed"
    finally:
        await client.aclose()
