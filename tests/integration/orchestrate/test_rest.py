"""Where nothing is due, orchestrate asks the store for next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from sqlalchemy import event

from functions.orchestrate.admitting import Round
from functions.orchestrate.gatekeeper import Gatekeeper
from lowtide.runtime.clock import SystemClock
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio


@contextmanager
def transactions(there: World) -> Iterator[list[object]]:
    """Those that begin meanwhile."""
    begun: list[object] = []
    engine = there.service.desk.database.engine.sync_engine

    def note(connection: object) -> None:
        begun.append(connection)

    event.listen(engine, "begin", note)
    try:
        yield begun
    finally:
        event.remove(engine, "begin", note)


async def test_a_tick_at_rest_is_one_transaction(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- done: {set: {woken: true}}"))
        await there.until((await there.start())["id"], "completed")
        async for attempt in eventually():  # once what the execution left to send is sent
            with attempt, transactions(there) as begun:
                await there.tick()
                assert len(begun) == 1


async def test_a_slot_that_becomes_free_during_a_round_is_looked_at_in_the_next() -> None:
    class Busy:
        async def do(self, flow: object) -> Round:
            keeper.look({"tests/sample//"})  # an invocation ends while others are counted
            return Round(0, again=False, seconds=None)

    keeper = Gatekeeper(cast(Any, Busy()), SystemClock(), 90.0)
    keeper.look({"tests/sample//"})
    assert await keeper._round() == 0, "there is more to do at once"


async def test_dispatches_that_no_more_may_join_are_not_asked_for_all_the_time(control_store: str) -> None:
    async with world(control_store, max_outstanding=0) as there:
        await there.deploy(document("- done: {set: {woken: true}}"))
        await there.start()
        await asyncio.sleep(0.5)
        with transactions(there) as begun:
            await asyncio.sleep(2)
        assert len(begun) <= 6, "it looks about once a second"
