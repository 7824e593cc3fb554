"""Orchestrate asks for alert rules as often as analytics wants to be asked, and seldom where there are none."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from lowtide.wire.cloudevents import from_json
from lowtide.wire.types import ALERT_FIRED, ALERT_TICK, ALERT_WATCH
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio


async def _tell(there: World, revision: int, every: int | None) -> int:
    data = {"revision": revision} | ({} if every is None else {"every": every})
    form = {"specversion": "1.0", "id": str(revision), "source": "/a", "type": ALERT_WATCH, "data": data}
    return (await there.post(from_json(form))).status_code


async def _later(there: World, seconds: int) -> None:
    statement = text(f"UPDATE alert_watch SET ask_at = ask_at - interval '{seconds} s'")
    await there.service.desk.database.run(lambda tx: tx.execute(statement))


def _asked(there: World) -> list[Any]:
    return [event.as_json()["data"] for event in there.broker.of_type(ALERT_TICK)]


async def test_analytics_is_asked_while_there_are_rules_and_once_an_hour_without(control_store: str) -> None:
    async with world(control_store) as there:
        await there.tick()
        assert _asked(there) == [], "there are no rules"
        await _later(there, 3600)
        await there.tick()
        assert _asked(there) == [{}], "its word may have been lost"
        assert await _tell(there, 7, 60_000) == 202
        await _later(there, 60)
        for _ in range(2):
            await there.tick()
        assert _asked(there) == [{}, {"revision": 7, "every": 60_000}], "once, whoever else ticks"
        await _tell(there, 8, None)
        await _tell(there, 7, 60_000)
        await _later(there, 60)
        await there.tick()
        await _later(there, 60)
        await there.tick()
        assert _asked(there)[2:] == [{"revision": 8}], "what came late does not count"


async def test_a_question_that_the_broker_refuses_is_asked_again(control_store: str) -> None:
    async with world(control_store) as there:
        await _later(there, 3600)
        there.broker.down = True
        await there.tick()
        there.broker.down = False
        await there.tick()
        assert _asked(there) == [{}]
        assert await _tell(there, -1, None) == 400
        (question,) = there.broker.of_type(ALERT_TICK)
        assert (await there.post(question, "/dead-letters")).status_code == 202, "it comes again by itself"
        assert (await there.api.get("/v1/namespaces/tests/executions")).json()["items"] == []


async def test_an_alert_starts_a_workflow_that_is_scheduled_on_it(control_store: str) -> None:
    async with world(control_store) as there:
        head = f"schedule: {{on: {{one: {{with: {{type: {ALERT_FIRED}}}}}}}}}"
        await there.deploy(document("- note: {set: {rule: '${ .[0].rule }'}}", head=head))
        fired = {"specversion": "1.0", "id": "a:fired", "source": "/lowtide/tests/alerts/x", "type": ALERT_FIRED}
        event = from_json({**fired, "lowtidenamespace": "tests", "data": {"rule": "x"}})
        for _ in range(2):
            assert (await there.post(event)).status_code == 202
        async for attempt in eventually():
            with attempt:
                found = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
                assert [one["phase"] for one in found] == ["completed"]
