"""Workflows that time starts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.eventually import eventually
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio


async def executions(there: World) -> list[dict[str, Any]]:
    return list((await there.api.get("/v1/namespaces/tests/executions")).json()["items"])


async def test_every_starts_executions_in_its_rhythm(control_store: str) -> None:
    async with world(control_store) as there:
        head = "schedule: {every: {seconds: 1}}"
        await there.deploy(document("- hello: {set: {a: 1}}", head=head))
        async for attempt in eventually(20):
            with attempt:
                assert [item["phase"] for item in await executions(there)].count("completed") >= 3
        removed = await there.api.delete("/v1/namespaces/tests/workflows/sample?force=true")
        assert removed.status_code in (202, 204), "there may be one that lives, which is cancelled"


async def test_after_starts_the_next_when_the_one_before_has_ended(control_store: str) -> None:
    async with world(control_store) as there:
        head = "schedule: {after: {milliseconds: 100}}"
        await there.deploy(document("- nap: {wait: {milliseconds: 300}}", head=head))
        async for attempt in eventually(20):
            with attempt:
                assert [item["phase"] for item in await executions(there)].count("completed") >= 3
        found = sorted(await executions(there), key=lambda item: item["createdAt"])
        for earlier, later in itertools.pairwise(found):
            assert earlier["endedAt"] < later["createdAt"], "one after the other"


async def test_overlapping_ticks_start_each_moment_once(control_store: str) -> None:
    async with world(control_store) as there, world(control_store) as other:
        there.broker.paused = other.broker.paused = True
        await there.deploy(document("- hello: {set: {a: 1}}", head="schedule: {cron: '0 0 1 1 *'}"))
        from sqlalchemy import text

        due = text("UPDATE schedules SET due = clock_timestamp()")
        await there.service.desk.database.run(lambda tx: tx.execute(due))
        for _ in range(2):
            await there.tick()
            await other.tick()
        assert len(await executions(there)) == 1
