"""Versions: what goes on with which, what a deployment takes over, what a removal leaves behind; and their races."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from functions.orchestrate.incoming import _keep, match
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent, from_json
from tests.eventually import eventually
from tests.integration.orchestrate.test_lost_and_cancelled import count
from tests.integration.orchestrate.test_operations import completed
from tests.integration.orchestrate.test_rule_races import LISTEN, PAID, held_back
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

WORKFLOWS = "/v1/namespaces/tests/workflows"

_WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def says(version: str, head: str = "") -> str:
    return document(f"- say: {{set: {{version: '{version}'}}}}", version=version, head=head)


def event(event_type: str, number: int = 1) -> CloudEvent:
    form = {"specversion": "1.0", "id": f"{event_type}{number}", "source": "/world", "type": event_type, "data": number}
    return from_json(form)


async def started(there: World) -> list[tuple[str, Any]]:
    """Version and output of all executions, once they have ended."""
    items = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
    return [(item["version"], (await there.until(item["id"], "completed"))["output"]) for item in items]


@contextlib.asynccontextmanager
async def elsewhere(url: str, statement: str) -> AsyncIterator[None]:
    """Another transaction that has done this, and commits at the end."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(statement)
        yield


async def until_waiting(url: str) -> None:
    """Somebody waits for a lock."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        async for attempt in eventually():
            with attempt:
                waiting = await connection.execute(_WAITING)
                assert await waiting.fetchone() is not None


# ---------------------------------------------------------------- pinned and latest


async def test_an_execution_goes_on_with_its_version_and_new_ones_begin_with_the_latest(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN + "\n- say: {set: {version: old}}")
        old = (await there.start())["id"]
        await there.until(old, "waiting")
        await there.deploy(says("1.0.1"))
        assert (await there.start())["version"] == "1.0.1"
        await there.send(PAID, 1)
        assert (await there.until(old, "completed"))["output"] == {"version": "old"}


# ---------------------------------------------------------------- removal


async def test_a_removal_waits_for_starts_under_way_and_sees_them(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        async with elsewhere(control_store, "SELECT 1 FROM workflow_versions FOR KEY SHARE"):
            removing = asyncio.create_task(there.api.delete(f"{WORKFLOWS}/sample"))
            await until_waiting(control_store)
            begun = await there.start()
        assert (await removing).status_code == 409
        await there.until(begun["id"], "waiting")


@pytest.mark.parametrize("left", [None, "1.0.0"], ids=["the only version", "the newest of two"])
async def test_a_start_that_meets_a_removal_begins_with_what_is_left(control_store: str, left: str | None) -> None:
    async with world(control_store) as there:
        if left:
            await there.deploy(says(left))
        await there.deploy(says("2.0.0"))
        hide = (
            "WITH held AS (SELECT id FROM workflow_versions WHERE version = '2.0.0' FOR UPDATE) "
            "UPDATE workflow_versions SET deleted_at = now() FROM held WHERE held.id = workflow_versions.id"
        )
        path = f"{WORKFLOWS}/sample/executions"
        async with elsewhere(control_store, hide):
            starting = asyncio.create_task(there.api.post(path, json=None))
            await until_waiting(control_store)
        answer = await starting
        assert (answer.status_code, answer.json().get("version")) == ((202, left) if left else (404, None))


async def test_a_forced_removal_cancels_what_lives_and_leaves_nothing_dangling(control_store: str) -> None:
    async with world(control_store) as there:
        head = f"schedule: {{on: {{one: {{with: {{type: {PAID}.start}}}}}}}}"
        await there.deploy(LISTEN.replace("\ndo:", head + "\ndo:"))
        running, go = await held_back(there)
        waiting = (await there.start())["id"]
        await there.until(waiting, "waiting")
        assert (await there.api.delete(f"{WORKFLOWS}/sample")).status_code == 409
        answer = await there.api.delete(f"{WORKFLOWS}/sample?force=true")
        assert (answer.status_code, answer.json()["action"], answer.json()["matched"]) == (202, "cancel", 2)
        await completed(there, answer.json()["id"])
        go.set()
        for execution in (running, waiting):
            assert "was removed" in (await there.until(execution, "cancelled"))["reason"]
        await there.tick()
        assert await count(there, "interests") == await count(there, "subscriptions") == 0
        assert await count(there, "timers") == await count(there, "schedules") == 0
        assert (await there.api.get(f"{WORKFLOWS}/sample")).status_code == 404


async def test_a_removal_without_living_executions_has_nothing_to_cancel(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        assert (await there.api.delete(f"{WORKFLOWS}/sample?force=true")).status_code == 204
        assert await count(there, "interests") == await count(there, "operations") == 0


# ---------------------------------------------------------------- triggers move


ON = "schedule: {on: {one: {with: {type: order}}}}"
BOTH = "schedule: {on: {all: [{with: {type: order}}, {with: {type: paid}}]}}"


async def test_an_event_that_came_before_a_deployment_and_is_matched_after_it_starts_the_new_version_once(
    control_store: str,
) -> None:
    async with world(control_store) as there:
        await there.deploy(says("1.0.0", ON))
        (number,) = await there.service.desk.do(lambda work: _keep(work, [event("order")], "tests"))
        await there.deploy(says("2.0.0", ON))
        await asyncio.gather(*(match(there.service.desk, number) for _ in range(2)))
        assert await started(there) == [("2.0.0", {"version": "2.0.0"})]


async def test_an_event_that_meets_a_deployment_starts_one_execution(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(says("1.0.0", ON))
        async with elsewhere(control_store, "SELECT 1 FROM workflows FOR UPDATE"):
            sending = asyncio.create_task(there.send("order"))
            await until_waiting(control_store)
            deploying = asyncio.create_task(there.deploy(says("2.0.0", ON)))
        await asyncio.gather(sending, deploying)
        ((version, output),) = await started(there)
        assert output == {"version": version}


async def test_what_was_gathered_is_for_the_new_version_where_the_filters_are_the_same(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(says("1.0.0", BOTH))
        await there.post(event("order"), "/v1/namespaces/tests/events")
        assert await count(there, "gathered") == 1
        await there.deploy(says("2.0.0", BOTH))
        await there.post(event("paid"), "/v1/namespaces/tests/events")
        assert [version for version, _ in await started(there)] == ["2.0.0"]
        await there.post(event("order", 2), "/v1/namespaces/tests/events")
        await there.deploy(says("3.0.0", ON))
        assert await count(there, "gathered") == 0


async def test_a_rhythm_goes_on_whatever_version_it_starts(control_store: str) -> None:
    async def due(there: World) -> list[Any]:
        asked = text("SELECT due, version FROM schedules JOIN workflow_versions v ON v.id = workflow_version")
        return list(await there.service.desk.database.run(lambda tx: tx.execute(asked)))

    async with world(control_store) as there:
        await there.deploy(says("1.0.0", "schedule: {every: {hours: 1}}"))
        ((first, _),) = await due(there)
        await there.deploy(says("2.0.0", "schedule: {every: {hours: 1}}"))
        assert await due(there) == [(first, "2.0.0")]
        await there.deploy(says("3.0.0", "schedule: {every: {hours: 2}}"))
        ((later, version),) = await due(there)
        assert (version, later > first) == ("3.0.0", True)
        await there.deploy(says("4.0.0"))
        assert await due(there) == []


async def test_after_waits_for_the_execution_of_the_version_before(control_store: str) -> None:
    async with world(control_store) as there:
        head = "schedule: {after: {milliseconds: 1}}"
        await there.deploy(LISTEN.replace("\ndo:", head + "\ndo:"))
        async for attempt in eventually():
            with attempt:
                items = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
                assert [item["phase"] for item in items] == ["waiting"]
        await there.deploy(says("1.0.1", head.replace("milliseconds: 1", "hours: 1")))
        await there.tick()
        assert await count(there, "executions") == 1
        await there.send(PAID, 1)
        await there.until(items[0]["id"], "completed")
        assert await count(there, "schedules WHERE due > clock_timestamp() + interval '50 min'") == 1


async def test_analytics_is_told_what_each_version_is_made_of_also_after_it_was_away(control_store: str) -> None:
    async with world(control_store) as there:
        there.ingest.down = True
        await there.deploy(says("1.0.0"))
        await there.deploy(says("1.0.0"))
        there.ingest.down = False
        await there.deploy(says("1.1.0"))
        await there.tick()
        async for attempt in eventually():
            with attempt:
                told = {outline.version: json.parse(outline.body) for outline in there.ingest.outlines}
                assert sorted(outline.version for outline in there.ingest.outlines) == ["1.0.0", "1.1.0"]
        assert [node["reference"] for node in told["1.0.0"]["nodes"] if node["kind"] == "set"] == ["/do/0/say"]
        assert {(outline.namespace, outline.workflow) for outline in there.ingest.outlines} == {("tests", "sample")}
        assert await count(there, "outbox WHERE kind = 'outline'") == 0
