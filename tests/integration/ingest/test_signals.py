"""Wakes for running owners: on the same replica, on another one, and between two streams."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from lowtide.rpc.v1 import ingest_pb2 as pb
from tests.eventually import eventually
from tests.ingests import IngestProcess, RunIngest, Stores
from tests.integration.ingest.protocol import Owner, execution, talking_to

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_LARGE = b"x" * 100_000
"""More than a notification between sessions of PostgreSQL can carry."""


def item(execution: str, body: bytes = b"wake") -> pb.SignalRequest:
    return pb.SignalRequest(item=pb.Item(execution=execution, epoch=1, body=body))


async def test_an_item_reaches_the_owner_on_the_same_replica(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        await owner.send()
        assert (await stub.Signal(item(one), timeout=10)).delivered
        assert (await owner.read()).signal == item(one).item


async def test_an_item_reaches_the_owner_on_another_replica(ingest_stores: Stores, run_ingest: RunIngest) -> None:
    first, second = run_ingest(ingest_stores), run_ingest(ingest_stores)
    async with talking_to(first.target) as here, talking_to(second.target) as there:
        owner, one = Owner(here), execution()
        await owner.open(one)
        await owner.send()
        for number in range(20):
            assert (await there.Signal(item(one, b"%d" % number + _LARGE), timeout=10)).delivered
        received = [(await owner.read()).signal.body for _ in range(20)]
        assert received == [b"%d" % number + _LARGE for number in range(20)]
    assert stored(ingest_stores) == 0


async def test_an_item_for_an_owner_between_two_streams_waits_for_it(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        assert (await stub.Signal(item(one), timeout=10)).delivered
        await owner.send()
        pushes = owner.pushed or [await owner.read()]
        assert [push.signal for push in pushes] == [item(one).item]


async def test_replicas_hear_each_other_again_after_the_database_was_away(
    postgres: str, ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    first, second = run_ingest(ingest_stores), run_ingest(ingest_stores)
    async with talking_to(first.target) as here, talking_to(second.target) as there:
        owner, one = Owner(here), execution()
        await owner.open(one)
        await owner.send()
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lowtide-ingest'"
                " AND datname = %s",
                [psycopg.conninfo.conninfo_to_dict(ingest_stores.journal)["dbname"]],
            )
        assert (await there.Signal(item(one), timeout=10)).delivered
        assert (await owner.read()).signal == item(one).item


async def test_an_item_that_nobody_takes_does_not_stay_for_ever(ingest: IngestProcess) -> None:
    from functions.ingest.signalling import Signals
    from lowtide.storage.database import Database

    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        await stub.Signal(item(one), timeout=10)
    database = Database("journal", ingest.stores.journal, 1)
    with psycopg.connect(ingest.stores.journal, autocommit=True) as connection:
        connection.execute("UPDATE signals SET at = at - interval '2 minutes'")
    await database.transaction(Signals(database).forget)
    await database.close()
    assert stored(ingest.stores) == 0


async def test_many_signals_at_once_are_all_delivered(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        await owner.send()
        await asyncio.gather(*(stub.Signal(item(one, b"%d" % number), timeout=10) for number in range(50)))
        received = {(await owner.read()).signal.body for _ in range(50)}
        async for attempt in eventually():
            with attempt:
                assert received == {b"%d" % number for number in range(50)}


def stored(stores: Stores) -> int:
    with psycopg.connect(stores.journal) as connection:
        row = connection.execute("SELECT count(*) FROM signals").fetchone()
        assert row is not None
        return int(row[0])
