"""What was seen a moment ago saves a look at the store; what has changed meanwhile is noticed when it is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from functions.orchestrate.nouns import millis
from functions.orchestrate.store.database import Driver
from functions.orchestrate.store.groups import Beginning, Seen, begin, read
from functions.orchestrate.store.lately import Lately
from lowtide.runtime.chance import new_execution_id
from lowtide.wire.types import Dispatch, Ended, Parked
from tests.integration.orchestrate.world import FakeExecute, World, document, play, world

pytestmark = pytest.mark.anyio

GREET = "- hello: {set: {greeting: hello}}"
STARTS = "/v1/namespaces/tests/workflows/sample/executions"


async def seen(there: World) -> None:
    """Have the newest version seen; its plan is at hand from then on."""
    await there.deploy(document(GREET))
    for _ in range(2):
        await there.start(wait="20s")


async def test_a_version_that_was_deployed_just_now_is_the_one_that_starts(control_store: str) -> None:
    async with world(control_store) as there:
        await seen(there)
        await there.deploy(document(GREET, version="1.1.0"))
        assert (await there.start(wait="20s"))["version"] == "1.1.0"
        assert (await there.start(version="1.0.0", wait="20s"))["version"] == "1.0.0"


async def test_a_pause_a_limit_and_a_removal_of_just_now_hold_for_the_next_start(control_store: str) -> None:
    async with world(control_store) as there:
        await seen(there)
        assert (await there.api.post("/v1/namespaces/tests/workflows/sample/pause", json={})).status_code < 300
        assert (await there.api.post(STARTS, json={})).json()["phase"] == "pending"
        assert (await there.api.post("/v1/namespaces/tests/workflows/sample/resume")).status_code < 300
        await there.start(wait="20s")
        limits = {"concurrency": {"limit": 1}}
        answer = await there.api.put("/v1/namespaces/tests/workflows/sample/limits", json=limits)
        assert answer.status_code < 300, answer.text
        started = (await there.start(wait="20s"))["id"]
        found, _ = await there.service.desk.database.alone(lambda driver: read(driver, [started]))
        assert found[started].lane, "it takes a slot"
        answer = await there.api.delete("/v1/namespaces/tests/workflows/sample", params={"force": True})
        assert answer.status_code < 300, answer.text
        assert (await there.api.post(STARTS, json={})).status_code == 404


async def test_an_execution_that_changed_under_way_ends_as_it_is_now(control_store: str) -> None:
    async with world(control_store) as there:
        await seen(there)

        async def suspended_meanwhile(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            there.execute.answer = play
            path = f"/v1/namespaces/tests/executions/{dispatch.execution}/suspend"
            assert (await there.api.post(path, json={"reason": "closed"})).status_code == 202
            return await play(execute, dispatch)

        there.execute.answer = suspended_meanwhile
        shown = await there.start(wait="20s")
        assert (shown["phase"], shown["createdAt"] <= shown["endedAt"]) == ("completed", True)
        changes = [change.number for change in there.ingest.changes if change.subject.execution == shown["id"]]
        assert changes == sorted(set(changes)), "each change has its own number"


async def test_the_same_beginning_once_more_changes_nothing_also_where_what_was_seen_is_no_longer_so(
    control_store: str,
) -> None:
    async with world(control_store) as there:
        await seen(there)
        database = there.service.desk.database
        shown = await there.start(wait="20s")
        found, now = await database.alone(lambda driver: read(driver, [shown["id"]]))
        assert now is not None
        again = Beginning(found[shown["id"]], b"{}", "digest", ())
        there_now, _ = await database.alone(lambda driver: begin(driver, [again], seen=[Seen("9.9.9", None)]))
        assert there_now == {shown["id"]}
        for asked, created_at, stored in (
            ("9.9.9", now, 0),
            (None, now - timedelta(seconds=5), 0),  # whoever begins it is behind the time
            (None, now + timedelta(seconds=5), 1),
        ):
            execution = replace(again.execution, id=new_execution_id(millis(now)), created_at=created_at)
            other = replace(again, execution=execution)
            as_seen = [Seen(asked, None)]
            begun, _ = await database.alone(partial(begin, beginnings=[other], seen=as_seen))
            assert len(begun) == stored


async def test_the_time_that_was_heard_never_goes_back_and_is_forgotten_after_a_second() -> None:
    at = [10.0]
    lately = Lately(lambda: at[0])
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert lately.now() is None
    lately.heard(noon)
    at[0] += 0.5
    lately.heard(noon + timedelta(seconds=0.4))  # an answer that took long
    assert lately.now() == noon + timedelta(seconds=0.5)
    lately.heard(noon + timedelta(seconds=0.6))
    assert lately.now() == noon + timedelta(seconds=0.6)
    at[0] += 1.5
    assert lately.now() is None
    lately.heard(noon)  # the clock was set
    assert lately.now() == noon


async def test_an_end_that_the_store_forgot_is_brought_once_more(own_control_store: str) -> None:
    """What a server leaves behind that fails before the end is on the disk: the execution as it ran, its dispatch,
    and the outbox that has it sent."""
    kept = ("executions", "dispatches", "outbox")
    async with world(own_control_store) as there:
        await seen(there)
        database = there.service.desk.database

        async def remembered(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            there.execute.answer = play
            for table, column in zip(kept, ("id", "execution", "execution"), strict=True):
                statement = (
                    f"CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {column} = '{dispatch.execution}'"
                )
                await database.alone(partial(_perform, statement=statement))
            return await play(execute, dispatch)

        there.execute.answer = remembered
        ended = await there.start({"name": "Ada"}, wait="20s")
        for statement in (
            f"DELETE FROM executions WHERE id = '{ended['id']}'",
            "INSERT INTO executions SELECT * FROM kept_executions",
            "INSERT INTO dispatches SELECT * FROM kept_dispatches",
            "INSERT INTO outbox (kind, execution, epoch, namespace)"
            " SELECT kind, execution, epoch, namespace FROM kept_outbox WHERE kind = 'dispatch'",
        ):
            await database.alone(partial(_perform, statement=statement))
        assert (await there.show(ended["id"]))["phase"] == "running"
        await there.tick()
        again = await there.until(ended["id"], "completed")
        assert again["output"] == ended["output"]


async def _perform(connection: Driver, statement: str) -> None:
    await connection.execute(statement.encode())
