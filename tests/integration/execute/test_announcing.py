"""Lifecycle events of tasks, from a real execute process to a Broker that takes them, refuses them, or hangs."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lowtide.wire.json import decode
from lowtide.wire.types import Ended
from tests.eventually import eventually
from tests.integration.execute.conftest import ExecuteProcess, order
from tests.peers import Peer, Request

pytestmark = pytest.mark.anyio

TWO = "do: [{a: {set: {n: 1}}}, {b: {do: [{c: {set: {n: 2}}}]}}]"
EXPECTED = [
    *("created /do/0/a", "started /do/0/a", "completed /do/0/a"),
    *("created /do/1/b", "started /do/1/b"),
    *("created /do/1/b/do/0/c", "started /do/1/b/do/0/c", "completed /do/1/b/do/0/c", "completed /do/1/b"),
]


def told(broker: Peer) -> list[dict[str, Any]]:
    """Lifecycle events as they came: in structured mode, as the standard recommends."""
    structured = "application/cloudevents+json"
    return [one.json for one in broker.requests if one.headers["content-type"].startswith(structured)]


def lines(events: list[dict[str, Any]]) -> list[str]:
    return [f"{event['type'].split('.')[-2]} {event['data']['task']}" for event in events]


async def test_tasks_are_told_of_in_order_with_ids_of_their_own(execute: ExecuteProcess, broker: Peer) -> None:
    what = order(TWO, lifecycle="task", echo=True)
    assert execute.deliver(what).status_code == 200
    async for attempt in eventually():
        with attempt:
            assert lines(told(broker)) == EXPECTED
    events = told(broker)
    assert len({event["id"] for event in events}) == len(events)
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert {event["lowtideexecution"] for event in events} == {what.execution}
    assert {event["lowtideecho"] for event in events} == {"true"}


async def test_nothing_is_told_where_nobody_asked(execute: ExecuteProcess, broker: Peer) -> None:
    execute.deliver(order(TWO))
    execute.deliver(order(TWO, lifecycle="workflow"))
    marker = order("do: [{mark: {set: {n: 1}}}]", lifecycle="task")
    execute.deliver(marker)
    async for attempt in eventually():
        with attempt:
            assert len(told(broker)) == 3
    assert {event["lowtideexecution"] for event in told(broker)} == {marker.execution}


async def test_a_broker_that_hangs_keeps_no_execution_from_ending(execute: ExecuteProcess, broker: Peer) -> None:
    free = threading.Event()

    def hang(request: Request) -> tuple[int, Any]:
        free.wait(30)
        return 202, {}

    broker.answer = hang
    try:
        response = execute.deliver(order(TWO, lifecycle="task"))
        assert not free.is_set()
        assert decode(response.content, Ended).output == {"n": 2}
    finally:
        free.set()
    async for attempt in eventually():
        with attempt:
            assert lines(told(broker)) == EXPECTED


async def test_what_a_broker_refuses_is_dropped_and_logged(execute: ExecuteProcess, broker: Peer) -> None:
    broker.answer = lambda request: (503, {})
    assert decode(execute.deliver(order(TWO, lifecycle="task")).content, Ended).output == {"n": 2}
    async for attempt in eventually():
        with attempt:
            assert [line["dropped"] for line in execute.logged() if "dropped" in line] == [len(EXPECTED)]
    broker.answer = lambda request: (202, {})
    before = len(told(broker))
    execute.deliver(order(TWO, lifecycle="task"))
    async for attempt in eventually():
        with attempt:
            assert lines(told(broker)[before:]) == EXPECTED


async def test_a_process_that_is_asked_to_end_sends_what_it_has(execute: ExecuteProcess, broker: Peer) -> None:
    execute.deliver(order(TWO, lifecycle="task"))
    execute.terminate()
    execute.process.wait(20)
    assert lines(told(broker)) == EXPECTED
