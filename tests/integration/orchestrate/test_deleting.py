"""Deletion: an execution that has ended goes with all that was kept for it, and nothing brings it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lowtide.model.command import RunChild
from lowtide.wire.triggers import DEAD_LETTER_PATH
from lowtide.wire.types import DISPATCH, Dispatch, Ended, Extension, Parked, Registered
from tests.eventually import eventually
from tests.integration.orchestrate.test_large_data import LARGE, LOW
from tests.integration.orchestrate.test_lost_and_cancelled import count, dead, silent
from tests.integration.orchestrate.test_operations import begin, completed
from tests.integration.orchestrate.world import FakeExecute, World, document, outcome_event, play, world

pytestmark = pytest.mark.anyio

ECHO = document("- all: {set: '${ . }'}")
LISTEN = document("- got: {listen: {to: {one: {with: {type: thing}}}}}", name="listener")
HOLDERS = ("executions WHERE id", *(f"{table} WHERE execution" for table in ("dispatches", "inbox", "timers")))
HOLDERS += tuple(f"{table} WHERE execution" for table in ("subscriptions", "asks", "kept_events", "dead_letters"))


def path_of(execution: str) -> str:
    return f"/v1/namespaces/tests/executions/{execution}"


async def delete(there: World, execution: str) -> int:
    return (await there.api.delete(path_of(execution))).status_code


async def ended(there: World, given: Any = None, **options: Any) -> str:
    """An execution that has completed, of which everything was told."""
    started = (await there.start(given, **options))["id"]
    await there.until(started, "completed")
    async for attempt in eventually():
        with attempt:
            assert "completed" in there.ingest.phases(started)
    return str(started)


async def left(there: World, execution: str) -> list[str]:
    """Where the control store still has something of an execution."""
    return [what for what in HOLDERS if await count(there, f"{what} = '{execution}'")]


async def run(there: World, statement: str, **values: Any) -> None:
    await there.service.desk.database.run(lambda tx: tx.execute(text(statement), values))


async def long_ended(there: World, hours: float, execution: str) -> None:
    ago = timedelta(hours=hours)
    await run(there, "UPDATE executions SET ended_at = ended_at - :ago WHERE id = :id", ago=ago, id=execution)


async def dropped(there: World, *wanted: tuple[str, bool]) -> None:
    async for attempt in eventually():
        with attempt:
            assert set(wanted) <= set(there.ingest.dropped)


async def test_what_has_ended_is_deleted_once_and_what_has_not_is_cancelled_first(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        await there.deploy(LISTEN)
        large, other = await ended(there, LARGE, key="k"), await ended(there, LARGE)
        waiting = (await there.start(name="listener"))["id"]
        await there.until(waiting, "waiting")
        refused = await there.api.delete(path_of(waiting))
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert "it is waiting; cancel it first" in refused.json()["detail"]
        elsewhere = await there.api.delete(f"/v1/namespaces/elsewhere/executions/{large}")
        assert elsewhere.status_code == 404

        assert [await delete(there, large), await delete(there, large)] == [204, 404]
        assert (await there.api.get(path_of(large))).status_code == 404
        assert (await there.api.get(f"{path_of(large)}/journal")).status_code == 404
        assert await left(there, large) == []
        await dropped(there, (large, False))
        async for attempt in eventually():
            with attempt:
                assert {key[1] for key in there.ingest.payloads.kept} == {other}
        assert (await there.show(other))["output"] == LARGE

        assert (await there.cancel(waiting)).status_code == 202
        assert await delete(there, waiting) == 204
        assert await left(there, waiting) == []
        assert (await there.start(LARGE, key="k"))["id"] != large, "its key is free again"


async def test_whatever_comes_late_for_a_deleted_execution_changes_nothing(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(ECHO)
        gone = await ended(there, {"n": 1})
        (dispatch,) = there.broker.of_type(DISPATCH)
        completed_again = Ended(execution=there.execute.of(gone)[0].execution, epoch=1, status="completed")
        outcome = outcome_event(completed_again, str(dispatch.text(Extension.digest)))
        assert await delete(there, gone) == 204
        there.execute.answer = silent  # as GONE is answered
        await there.broker.deliver(dispatch)
        assert (await there.post(outcome)).status_code < 300
        letter = await there.post(dead(dispatch, 503), DEAD_LETTER_PATH)
        assert letter.status_code < 300, letter.text
        assert (await there.send("thing", lowtideexecution=gone)).status_code == 202
        assert (await there.tick()).status_code < 300
        for order in ("cancel", "suspend", "resume", "retry", "restart"):
            assert (await there.api.post(f"{path_of(gone)}/{order}", json={})).status_code == 404
        assert await count(there, f"executions WHERE id = '{gone}'") == 0
        assert await count(there, "executions") == 0


async def test_a_crash_or_an_absent_ingest_leaves_nothing_undeleted(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        gone = await ended(there, LARGE)
        there.ingest.down = True
        assert await delete(there, gone) == 204
        assert (await there.api.get(path_of(gone))).status_code == 404, "nobody waits for ingest"
        async for attempt in eventually():
            with attempt:
                assert await count(there, "removals WHERE attempts > 0 AND fenced_at IS NULL") == 1
    async with world(control_store, **LOW) as there:  # another process, after the first has died
        there.ingest.payloads.down = True
        await run(there, "UPDATE removals SET due = now()")
        there.service.remover.kick()
        await dropped(there, (gone, False))
        assert await count(there, "removals WHERE fenced_at IS NULL") == 1, "its payloads are not gone yet"
        there.ingest.payloads.down = False
        there.ingest.payloads.kept["tests", gone, "0" * 64] = b"put by an owner that did not know"
        await run(there, "UPDATE removals SET due = now()")
        assert (await there.tick()).status_code < 300
        async for attempt in eventually():
            with attempt:
                assert await count(there, "removals WHERE fenced_at IS NOT NULL") == 1
        assert there.ingest.payloads.kept == {}
        assert await count(there, "removals WHERE due > now() + interval '1 hour'") == 1, "tokens live so long"
        there.ingest.payloads.kept["tests", gone, "1" * 64] = b"put since"
        await run(there, "UPDATE removals SET due = now()")
        assert (await there.tick()).status_code < 300
        await dropped(there, (gone, True))
        async for attempt in eventually():
            with attempt:
                assert (await count(there, "removals"), there.ingest.payloads.kept) == (0, {})


async def test_decision_25_a_tick_deletes_what_was_kept_long_enough_and_nothing_else(control_store: str) -> None:
    async with world(control_store, retain=timedelta(hours=1)) as there:
        await there.deploy(ECHO)
        await there.deploy(LISTEN)
        metadata = "metadata: {lowtide: {retain: P2D}}, name: longer"
        await there.deploy(ECHO.replace("name: sample", metadata))
        old, fresh, longer = await ended(there), await ended(there), await ended(there, name="longer")
        waiting = (await there.start(name="listener"))["id"]
        await there.until(waiting, "waiting")
        await run(there, "UPDATE executions SET created_at = created_at - interval '1 year'")
        for one in (old, longer):
            await long_ended(there, 2, one)
        assert (await there.tick()).status_code < 300
        listed = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
        assert {item["id"] for item in listed} == {fresh, longer, waiting}
        await dropped(there, (old, False))

        await long_ended(there, 72, longer)
        many = "(jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid()))).*"
        copies = f"INSERT INTO executions SELECT {many} FROM executions AS one, generate_series(1, 250) WHERE id = :id"
        await run(there, copies, id=longer)
        assert await count(there, "executions") == 253
        assert (await there.tick()).status_code < 300
        assert await count(there, "executions") == 2
        async for attempt in eventually():
            with attempt:
                assert len({one for one, _ in there.ingest.dropped}) == 252
                assert await count(there, "removals WHERE fenced_at IS NULL") == 0


async def test_without_a_retention_everything_is_kept(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(ECHO)
        old = await ended(there)
        await long_ended(there, 100_000, old)
        assert (await there.tick()).status_code < 300
        assert (await there.show(old))["phase"] == "completed"


async def test_a_child_is_kept_until_its_parent_has_ended(control_store: str) -> None:
    child, parent = (
        document("- all: {set: {n: 1}}", name="child"),
        document(
            "- call: {run: {workflow: {namespace: tests, name: child, version: latest}}}\n"
            "- got: {listen: {to: {one: {with: {type: thing}}}}}",
            name="parent",
        ),
    )
    async with world(control_store, retain=timedelta(hours=1)) as there:
        await there.deploy(child)
        await there.deploy(parent)
        above = (await there.start(name="parent"))["id"]
        async for attempt in eventually():
            with attempt:
                items = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
                assert [item["phase"] for item in items] == ["completed"]
        below = items[0]["id"]
        refused = await there.api.delete(path_of(below))
        assert (refused.status_code, f"a child of {above}" in refused.json()["detail"]) == (409, True)
        await long_ended(there, 2, below)
        await there.tick()
        assert (await there.show(below))["phase"] == "completed"
        async for attempt in eventually():
            with attempt:
                assert (await there.send("thing", id=str(attempt))).status_code == 202
                assert (await there.show(above))["phase"] == "completed"
        await there.tick()
        assert (await there.api.get(path_of(below))).status_code == 404
        assert await delete(there, above) == 204


async def test_a_detached_child_that_was_deleted_is_not_started_by_a_report_that_comes_twice(
    control_store: str,
) -> None:
    async def answer(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
        return await (silent if dispatch.workflow == "sample" else play)(execute, dispatch)

    async with world(control_store) as there:
        await there.deploy(ECHO)
        await there.deploy(document("- all: {set: {n: 1}}", name="child"))
        there.execute.answer = answer
        above = (await there.start())["id"]
        async for attempt in eventually():
            with attempt:
                assert len(there.broker.of_type(DISPATCH)) == 1
        command = RunChild(id="/do/0/c@1", namespace="tests", workflow="child", reference="/do/0/c", detached=True)
        told = Registered(execution=above, epoch=1, commands=(command,))
        digest = str(there.broker.of_type(DISPATCH)[0].text(Extension.digest))
        started = "executions WHERE workflow = 'child'"
        for number, expected in ((1, 1), (2, 1)):
            assert (await there.post(outcome_event(told, digest, number=number))).status_code < 300
            assert await count(there, started) == expected
        (item,) = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        await there.until(item["id"], "completed")
        assert await delete(there, item["id"]) == 204
        assert (await there.post(outcome_event(told, digest, number=3))).status_code < 300
        assert await count(there, started) == 0


async def test_many_are_deleted_by_one_operation(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(ECHO)
        await there.deploy(LISTEN)
        old, fresh = [await ended(there) for _ in range(2)], await ended(there)
        waiting = (await there.start(name="listener"))["id"]
        await there.until(waiting, "waiting")
        for one in old:
            await long_ended(there, 48, one)
        wrong = await begin(there, "delete", {"phase": "waiting"})
        assert (wrong.status_code, "delete is for cancelled, completed, faulted" in wrong.json()["detail"]) == (
            400,
            True,
        )
        before = (await there.show(fresh))["endedAt"]
        shown = await completed(there, (await begin(there, "delete", {"endedBefore": before})).json()["id"])
        assert (shown["matched"], shown["done"], shown["failed"]) == (2, 2, 0)
        assert await count(there, "executions") == 2
        await dropped(there, *((one, False) for one in old))
