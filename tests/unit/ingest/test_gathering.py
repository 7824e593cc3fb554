"""How long reports wait for others before they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from functions.ingest.projecting import Projector
from lowtide.model.base import Millis
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id
from lowtide.storage.database import Database

pytestmark = pytest.mark.anyio

WHOM = pb.Subject(namespace="shop", workflow="order", version="1", execution=new_execution_id(Millis(1)))


class Store:
    """Writes nothing, and says when it was asked to."""

    def __init__(self) -> None:
        self.written = asyncio.Event()

    async def transaction(self, _work: Callable[[Any], Awaitable[None]]) -> None:
        self.written.set()


def facts(count: int) -> pb.Batch:
    return pb.Batch(owner="o", facts=[pb.TaskFact(subject=WHOM, number=number, at=1) for number in range(count)])


async def test_few_reports_are_written_in_a_moment_and_many_when_there_are_enough() -> None:
    store = Store()
    projector = Projector(cast(Database, store), gather=0.01, longer=60.0, pause=60.0)
    running = asyncio.create_task(projector.run())
    projector.offer(facts(5))
    await asyncio.wait_for(store.written.wait(), 20)
    await projector.drained()
    store.written.clear()
    projector.offer(facts(100))
    await asyncio.sleep(0.1)
    assert not store.written.is_set()
    assert projector.rows == 100
    projector.offer(facts(4_900))
    await asyncio.wait_for(projector.drained(), 20)
    assert store.written.is_set()
    running.cancel()


async def test_many_reports_are_written_when_no_more_come() -> None:
    store = Store()
    projector = Projector(cast(Database, store), gather=0.01, longer=60.0, pause=0.02)
    running = asyncio.create_task(projector.run())
    projector.offer(facts(100))
    await asyncio.wait_for(store.written.wait(), 20)
    running.cancel()
