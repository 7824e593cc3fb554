"""What an older release parked is finished by this one, and while both run, the older format is what is written."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.model.base import ExecutionId
from lowtide.wire import json
from lowtide.wire.states import read
from tests.eventually import eventually
from tests.integration.orchestrate.test_large_data import LOW, column
from tests.integration.orchestrate.test_repeating import faulted, repeat
from tests.integration.orchestrate.test_timers import due_in
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

NAPS = document("""
- keep: {set: {blob: '${ .blob }'}, export: {as: '{kept: .blob}'}}
- first: {wait: {hours: 1}}
- both: {fork: {branches: [{second: {wait: {hours: 1}}}, {hears: {listen: {to: {one: {with: {type: t}}}}}}]}}
- tell: {set: {kept: '${ $context.kept }', heard: '${ .[1] }'}}
""")
LARGE = {"blob": "x" * 20_000}


async def parked(there: World, execution: str) -> Any:
    """The state that is kept of an execution, as it is written."""
    body = await column(there, execution, "state")
    return json.parse(await there.service.desk.claims.check_out("tests", ExecutionId(execution), body))


async def fire(there: World) -> None:
    """Whatever sleeps is awake."""
    await due_in(there, 0)
    await there.tick()


@pytest.mark.parametrize("tunables", [{}, LOW], ids=["in its row", "in the payload store"])
async def test_an_execution_that_an_older_release_parked_finishes_under_this_one(
    control_store: str, tunables: dict[str, Any]
) -> None:
    async with world(control_store, **tunables) as older:
        older.execute.snapshot_format = 1
        await older.deploy(NAPS)
        name = (await older.start(LARGE))["id"]
        await older.until(name, "waiting")
        assert "format" not in await parked(older, name)
        payloads = older.ingest.payloads
    async with world(control_store, **tunables) as newer:
        newer.ingest.payloads.kept.update(payloads.kept)
        explained = await newer.api.get(f"/v1/namespaces/tests/executions/{name}/explanation")
        assert explained.json()["waits"][0]["task"].startswith("/do/1/first"), "what is old is explained, too"
        await fire(newer)
        async for attempt in eventually():
            with attempt:
                assert (await newer.show(name))["epoch"] == 2
                assert (await parked(newer, name))["format"] == 2
        await newer.until(name, "waiting")
        await fire(newer)
        await newer.send("t", {"n": 1})
        done = await newer.until(name, "completed")
        assert done["output"] == {"kept": LARGE["blob"], "heard": [{"n": 1}]}


async def test_an_execution_that_an_older_release_parked_can_be_cancelled_with_its_tasks(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.snapshot_format = 1
        await there.deploy(NAPS)
        name = (await there.start(LARGE))["id"]
        await there.until(name, "waiting")
        await there.cancel(name)
        assert (await there.until(name, "cancelled"))["phase"] == "cancelled"
        async for attempt in eventually():
            with attempt:
                told = [fact for change in there.ingest.changes for fact in change.facts]
                assert [fact.name for fact in told if fact.status == "cancelled"] == ["first"]


async def test_in_a_rollout_the_past_of_a_fork_is_written_as_older_processes_read_it(control_store: str) -> None:
    async with world(control_store, snapshot_format=1) as there:
        performer, failed = await faulted(there)
        forked = (await repeat(there, failed["id"], "fork", {"task": "ship"})).json()["id"]
        await there.until(forked, "completed")
        (dispatch,) = there.execute.of(forked)
        assert dispatch.snapshot is not None
        assert "format" not in json.parse(dispatch.snapshot.state)
        assert read(dispatch.snapshot.state).execution == forked
        assert performer.names(forked) == ["ship"]
