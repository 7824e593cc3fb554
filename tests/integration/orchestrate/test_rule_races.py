"""Wakes and parks that cross: the execution's lock puts them in an order, and either order wakes it.

Each test holds that lock from a connection of its own, lets the two sides queue up behind it in a chosen order, and
lets go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from functions.orchestrate.firing import fire, fire_all
from lowtide.model.base import Millis
from lowtide.model.command import RunChild, Sleep
from lowtide.model.state import State
from lowtide.wire.states import snapshot_of
from lowtide.wire.types import Dispatch, Ended, Extension, Parked, Registered
from tests.eventually import eventually
from tests.integration.orchestrate.world import FakeExecute, World, document, outcome_event, play, world

pytestmark = pytest.mark.anyio

PAID = "com.example.paid"
LISTEN = document(f"- pay: {{listen: {{to: {{one: {{with: {{type: {PAID}}}}}}}}}}}")


@contextlib.asynccontextmanager
async def locked(url: str, execution: str) -> AsyncIterator[None]:
    """Hold the execution's row."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT FROM executions WHERE id = %s FOR UPDATE", [execution])
        yield
        await connection.rollback()


async def queued(url: str, count: int) -> None:
    """Until so many transactions wait for a lock."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        async for attempt in eventually():
            with attempt:
                waiting = await connection.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                found = await waiting.fetchone()
                assert found is not None
                assert found[0] >= count


async def in_order(url: str, execution: str, *sides: Awaitable[Any]) -> list[Any]:
    """Let the sides queue up behind the execution's lock one after the other, then let go; what they gave."""
    tasks = []
    async with locked(url, execution):
        for number, side in enumerate(sides, 1):
            tasks.append(asyncio.ensure_future(side))
            await queued(url, number)
    return await asyncio.gather(*tasks)


async def held_back(there: World) -> tuple[str, asyncio.Event]:
    """A running execution whose invocation ends when the event is set."""
    go = asyncio.Event()

    async def slowly(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
        if dispatch is execute.taken[0][1]:
            await go.wait()
        return await play(execute, dispatch)

    there.execute.answer = slowly
    started = await there.start()
    async for attempt in eventually():
        with attempt:
            assert there.execute.of(started["id"])
    return started["id"], go


def parked(there: World, execution: str) -> tuple[Parked, str]:
    """What the first invocation will end with, and the digest that it answers."""
    event, dispatch = next(taken for taken in there.execute.taken if taken[1].execution == execution)
    state = State(execution=dispatch.execution, started=dispatch.at, now=dispatch.at)
    nap = Sleep(id="/do/0/nap@1", until=Millis(dispatch.at + 1))
    snapshot = snapshot_of(state, 0)
    return Parked(execution=dispatch.execution, epoch=1, snapshot=snapshot, commands=(nap,)), str(
        event.text(Extension.digest)
    )


@pytest.mark.parametrize("event_first", [True, False], ids=["event, park", "park, event"])
async def test_an_event_that_crosses_the_park_wakes_the_execution(control_store: str, event_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        digest = str(event.text(Extension.digest))
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        # The listener is registered while the invocation runs, so that the event has somebody to go to.
        registered = Registered(execution=dispatch.execution, epoch=1, commands=outcome.commands)
        assert (await there.post(outcome_event(registered, digest, number=1))).status_code == 202
        sides = [there.send(PAID, "crossing"), there.post(outcome_event(outcome, digest))]
        await in_order(control_store, execution, *(sides if event_first else reversed(sides)))
        shown = await there.until(execution, "completed")
        assert shown["output"] == ["crossing"]
        assert [dispatch.epoch for dispatch in there.execute.of(execution)] == [1, 2]
        go.set()


@pytest.mark.parametrize("cancel_first", [True, False], ids=["cancel, park", "park, cancel"])
async def test_a_cancel_that_crosses_the_park_ends_the_execution(control_store: str, cancel_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        sides = [there.cancel(execution), there.post(outcome_event(outcome, str(event.text(Extension.digest))))]
        await in_order(control_store, execution, *(sides if cancel_first else reversed(sides)))
        shown = await there.until(execution, "cancelled")
        assert shown["reason"] == "enough"
        assert len(there.execute.of(execution)) == 1, "without an invocation"
        go.set()


@pytest.mark.parametrize("cancel_first", [True, False], ids=["cancel, end", "end, cancel"])
async def test_an_execution_that_closed_before_its_cancel_is_completed(control_store: str, cancel_first: bool) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed", output=1)
        sides = [there.cancel(execution), there.post(outcome_event(ended, str(event.text(Extension.digest))))]
        await in_order(control_store, execution, *(sides if cancel_first else reversed(sides)))
        assert (await there.show(execution))["phase"] == "completed"
        go.set()


async def test_the_same_outcome_by_two_ways_at_once_is_applied_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        reply = outcome_event(outcome, str(event.text(Extension.digest)))
        await in_order(control_store, execution, there.post(reply), there.post(reply))
        assert there.ingest.phases(execution).count("waiting") <= 1
        assert (await there.show(execution))["phase"] == "waiting"
        go.set()


async def test_a_timer_that_two_processes_fire_at_once_is_one_wake(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        (waiting,) = (await there.show(started["id"]))["waitingFor"]
        there.broker.paused = True
        due = text("UPDATE timers SET due = clock_timestamp()")
        await there.service.desk.database.run(lambda tx: tx.execute(due))
        desk = there.service.desk
        sides = [desk.do(lambda work: fire(work, started["id"], waiting["command"])) for _ in range(2)]
        await in_order(control_store, started["id"], *sides)
        assert (await there.show(started["id"]))["epoch"] == 2


async def test_timers_that_two_processes_fire_at_once_in_groups_are_one_wake_each(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        held = []
        for _ in range(5):
            started = await there.start()
            await there.until(started["id"], "waiting")
            held.append((started["id"], (await there.show(started["id"]))["waitingFor"][0]["command"]))
        there.broker.paused = True
        due = text("UPDATE timers SET due = clock_timestamp()")
        await there.service.desk.database.run(lambda tx: tx.execute(due))
        desk = there.service.desk
        one = desk.do(lambda work: fire_all(work, held))
        other = desk.do(lambda work: fire_all(work, held[::-1]))
        await in_order(control_store, held[2][0], one, other)
        assert [(await there.show(execution))["epoch"] for execution, _ in held] == [2] * 5


async def test_an_outcome_waits_for_a_registration_that_is_being_stored_and_ends_its_child(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}", name="child"))
        await there.deploy(document("- a: {set: {b: 1}}"))
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        command = RunChild(id="/do/0/run:1:1", reference="/do/0/run", namespace="tests", workflow="child", input=None)
        registered = Registered(execution=dispatch.execution, epoch=1, commands=(command,))
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed", output=1)
        digest = str(event.text(Extension.digest))
        take = there.service.reports.take
        sides = [take(outcome_event(registered, digest)), take(outcome_event(ended, digest))]
        await in_order(control_store, execution, *sides)
        go.set()
        listed = (await there.api.get("/v1/namespaces/tests/executions", params={"workflow": "child"})).json()
        (child,) = listed["items"]
        await there.until(child["id"], "cancelled")


async def test_a_timer_due_before_the_park_is_stored_wakes_at_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        execution, go = await held_back(there)
        payload, digest = parked(there, execution)
        await asyncio.sleep(0.01)
        there.broker.paused = True
        assert (await there.post(outcome_event(payload, digest))).status_code == 202
        shown = await there.show(execution)
        assert (shown["phase"], shown["epoch"]) == ("running", 2)
        go.set()


async def test_a_child_that_ends_while_its_parent_parks_wakes_it(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- one: {set: {n: 1}}", name="child"))
        run = "{run: {workflow: {namespace: tests, name: child, version: latest}}}"
        await there.deploy(document(f"- call: {run}"))
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        digest = str(event.text(Extension.digest))
        outcome = await play(there.execute, dispatch)
        assert isinstance(outcome, Parked)
        registered = Registered(execution=dispatch.execution, epoch=1, commands=outcome.commands)
        await there.post(outcome_event(registered, digest, number=1))
        children = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        assert len(children) == 1, "it begins while its parent still runs"
        await there.until(children[0]["id"], "completed")
        async for attempt in eventually():
            with attempt:
                assert [signal[:2] for signal in there.ingest.signals] == [(execution, 1)]
        await there.post(outcome_event(outcome, digest))
        assert (await there.until(execution, "completed"))["output"] == {"n": 1}
        children = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        assert len(children) == 1, "registered and parked, started once"
        go.set()


async def test_an_older_epoch_changes_nothing(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        event, dispatch = there.execute.taken[0]
        await there.send(PAID, 1)
        await there.until(started["id"], "completed")
        late = Ended(execution=dispatch.execution, epoch=1, status="faulted")
        assert (await there.post(outcome_event(late, str(event.text(Extension.digest))))).status_code == 202
        assert (await there.show(started["id"]))["phase"] == "completed"


async def test_a_detached_child_starts_also_where_its_parent_has_ended_meanwhile(control_store: str) -> None:
    """Execute considers it handed over; the Broker keeps no order between the two events."""
    async with world(control_store) as there:
        await there.deploy(document("- one: {set: {n: 1}}", name="child"))
        await there.deploy(document("- hello: {set: {a: 1}}"))
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        digest = str(event.text(Extension.digest))
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed")
        assert (await there.post(outcome_event(ended, digest))).status_code == 202
        child = RunChild(id="/do/0/c@1", namespace="tests", workflow="child", reference="/do/0/c", detached=True)
        registered = Registered(execution=dispatch.execution, epoch=1, commands=(child,))
        for _ in range(2):
            assert (await there.post(outcome_event(registered, digest, number=1))).status_code == 202
        (started,) = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        assert started["parent"] is None
        await there.until(started["id"], "completed")
        assert (await there.show(execution))["phase"] == "completed"
        go.set()
