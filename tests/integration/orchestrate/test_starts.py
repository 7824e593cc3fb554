"""Starts: one transaction, one dispatch, one outcome; by the Broker or by the short way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from lowtide.storage.database import Connection, Database
from lowtide.wire import mac
from lowtide.wire.types import DISPATCH, Dispatch, Ended, Extension, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.world import KEY, FakeExecute, document, play, world

pytestmark = pytest.mark.anyio

T = TypeVar("T")

GREET = document("- hello: {set: {greeting: '${ \"Hello \" + .name }'}}")


async def test_an_execution_goes_by_the_broker_to_its_outcome(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await there.start({"name": "Ada"})
        assert started["phase"] == "pending"
        shown = await there.until(started["id"], "completed")
        assert shown["output"] == {"greeting": "Hello Ada"}
        assert shown["input"] == {"name": "Ada"}
        assert shown["createdAt"] <= shown["startedAt"] <= shown["endedAt"]
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(started["id"]) == ["pending", "running", "completed"]


async def test_a_dispatch_says_who_it_is_for_and_is_signed(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution = (await there.start({"name": "Ada"}))["id"]
        await there.until(execution, "completed")
        (event,) = there.broker.of_type(DISPATCH)
        assert (event.id, event.source) == (f"{execution}:1", "/lowtide/tests/sample")
        digest, token = str(event.text(Extension.digest)), str(event.text(Extension.token))
        assert digest == mac.digest_of(event.data or b"")
        assert mac.verify(KEY, token, "dispatch", execution, 1, digest, there.execute.taken[0][1].at)


async def test_numbers_and_the_order_of_keys_survive_the_way_through(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- same: {set: {all: '${ . }'}}", name="same"))
        given = b'{"z":12345678901234567890,"a":1.0,"nul":"\\u0000","u":"\\u20ac"}'
        answer = await there.api.post(
            "/v1/namespaces/tests/workflows/same/executions",
            content=given,
            headers={"content-type": "application/json"},
        )
        shown = await there.api.get(answer.headers["location"])
        assert b'"input":{"z":12345678901234567890,"a":1.0,"nul":"\\u0000"' in shown.content
        await there.until(answer.json()["id"], "completed")


async def test_a_synchronous_start_takes_the_short_way(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        shown = await there.start({"name": "Ada"}, wait="30s")
        assert (shown["phase"], shown["output"]) == ("completed", {"greeting": "Hello Ada"})
        assert there.broker.of_type(DISPATCH) == []
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(shown["id"]) == ["running", "completed"]


async def test_the_broker_takes_over_where_the_short_way_fails(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        refused: list[str] = []

        async def refuse_once(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            if refused:
                return await play(execute, dispatch)
            refused.append("once")
            return 503

        there.execute.answer = refuse_once
        shown = await there.start({"name": "Ada"}, wait="30s")
        assert shown["phase"] == "completed"
        first, second = there.execute.taken
        assert first[0].data == second[0].data, "what is sent again is the same, byte for byte"


async def test_a_synchronous_start_waits_on_while_the_execution_is_parked(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {milliseconds: 300}}\n- done: {set: {woken: true}}"))
        shown = await there.start(wait="20s")
        assert (shown["phase"], shown["output"]) == ("completed", {"woken": True})


async def test_a_start_that_takes_longer_than_its_wait_is_accepted(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}"))
        answer = await there.api.post("/v1/namespaces/tests/workflows/sample/executions", params={"wait": "300ms"})
        assert answer.status_code == 202
        assert answer.json()["phase"] in ("running", "waiting")


async def test_the_same_key_starts_one_execution_also_at_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await asyncio.gather(*(there.start({"name": "Ada"}, key="k-1") for _ in range(8)))
        assert len({shown["id"] for shown in started}) == 1
        await there.until(started[0]["id"], "completed")
        assert len(there.broker.of_type(DISPATCH)) == 1


async def test_the_same_key_with_another_body_is_a_conflict(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        path = "/v1/namespaces/tests/workflows/sample/executions"
        first = await there.api.post(path, json={"name": "Ada"}, headers={"idempotency-key": "k"})
        again = await there.api.post(path, json={"name": "Bob"}, headers={"idempotency-key": "k"})
        assert (first.status_code, again.status_code, again.json()["code"]) == (202, 409, "conflict")


async def test_a_start_is_accepted_while_the_broker_is_down(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        there.broker.down = True
        started = await there.start({"name": "Ada"})
        await asyncio.sleep(0.2)
        there.broker.down = False
        await there.until(started["id"], "completed")


async def test_a_broker_that_answers_only_at_the_end_holds_nobody_up(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        there.broker.synchronous = True
        started = [await there.start({"name": "Ada"}) for _ in range(5)]
        for shown in started:
            await there.until(shown["id"], "completed")


async def test_no_more_dispatches_than_allowed_are_with_the_broker(control_store: str) -> None:
    async with world(control_store, max_outstanding=3) as there:
        await there.deploy(GREET)
        there.broker.paused = True
        started = [await there.start({"name": str(number)}) for number in range(8)]
        await asyncio.sleep(0.3)
        assert len(there.broker.of_type(DISPATCH)) == 3
        there.broker.paused = False
        for event in there.broker.of_type(DISPATCH):
            await there.broker.deliver(event)
        for shown in started:
            await there.until(shown["id"], "completed")


async def test_an_input_that_the_schema_refuses_starts_nothing(control_store: str) -> None:
    async with world(control_store) as there:
        head = "input: {schema: {format: json, document: {type: object, required: [name]}}}"
        await there.deploy(document("- hello: {set: {a: 1}}", head=head))
        answer = await there.api.post("/v1/namespaces/tests/workflows/sample/executions", json={})
        assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")
        assert "name" in answer.json()["detail"]


async def test_starts_that_come_at_once_are_answered_each_for_itself(control_store: str) -> None:
    """They share a transaction; what is wrong with one of them is no trouble of the others."""
    async with world(control_store) as there:
        head = "input: {schema: {format: json, document: {type: object, required: [name]}}}"
        await there.deploy(document("- hello: {set: {name: '${ .name }'}}", head=head))
        path = "/v1/namespaces/tests/workflows/{}/executions"

        async def ask(name: str, given: object, **headers: str) -> int:
            return (await there.api.post(path.format(name), json=given, headers=headers)).status_code

        answers = await asyncio.gather(
            ask("sample", {"name": "Ada"}),
            ask("nowhere", {"name": "Ada"}),
            ask("sample", {}),
            ask("sample", {"name": "Bob"}, **{"idempotency-key": "k"}),
            ask("sample", {"name": "Cem"}, **{"idempotency-key": "k"}),
            ask("sample", {"name": "Dan"}),
        )
        assert sorted(answers[3:5]) == [202, 409]
        assert [*answers[:3], answers[5]] == [202, 404, 400, 202]
        listed = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
        names = sorted([(await there.show(one["id"]))["input"]["name"] for one in listed])
        assert names in (["Ada", "Bob", "Dan"], ["Ada", "Cem", "Dan"])


async def test_what_was_committed_before_a_crash_is_published_by_the_next_process(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        there.broker.down = True
        started = await there.start({"name": "Ada"})
    async with world(control_store) as there:
        await there.tick()
        shown = await there.until(started["id"], "completed", 40)
        assert shown["output"] == {"greeting": "Hello Ada"}


async def test_a_failed_task_faults_the_execution_with_its_error(control_store: str) -> None:
    async with world(control_store) as there:
        error = "{type: 'https://example.com/errors/out-of-stock', status: 409, title: Sold out}"
        await there.deploy(document(f"- stop: {{raise: {{error: {error}}}}}"))
        started = await there.start()
        shown = await there.until(started["id"], "faulted")
        assert (shown["error"]["status"], shown["error"]["title"]) == (409, "Sold out")
        async for attempt in eventually():
            with attempt:
                told = [change for change in there.ingest.changes if change.phase == "faulted"]
                assert [change.error.status for change in told if change.error] == [409]


async def test_outcomes_are_applied_once_however_often_they_come(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await there.start({"name": "Ada"})
        await there.until(started["id"], "completed")
        (event,) = there.broker.of_type(DISPATCH)
        for _ in range(3):
            await there.broker.deliver(event)
        assert (await there.show(started["id"]))["phase"] == "completed"
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(started["id"])[-1:] == ["completed"]
        assert there.ingest.phases(started["id"]).count("completed") == 1


class _Twice(Database):
    """Performs everything twice, as where the connection was lost with the answer of a statement that was committed."""

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        await super().run(work)
        return await super().run(work)


async def test_starts_and_ends_whose_answers_were_lost_are_stored_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        first = await there.start({"name": "Ada"})
        await there.until(first["id"], "completed")
        await there.service.desk.database.driver.close()
        there.service.desk.database.driver = _Twice("control", control_store, 2)
        begun = [await there.start({"name": name}) for name in ("Grace", "Mary")]
        for one in begun:
            shown = await there.until(one["id"], "completed")
            assert shown["output"]["greeting"] == f"Hello {shown['input']['name']}"
        listed = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
        assert {one["id"] for one in listed} == {first["id"], *(one["id"] for one in begun)}
        assert len(listed) == len(there.execute.taken) == 3
