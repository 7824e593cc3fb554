"""Lifecycle events of executions: published with the change that they tell of, and heard without running away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lowtide.wire.types import LIFECYCLE, Dispatch, Ended, Listened, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.test_lost_and_cancelled import count, long_ago, silent
from tests.integration.orchestrate.test_rule_races import LISTEN, PAID
from tests.integration.orchestrate.test_suspending import resume, suspend, waiting
from tests.integration.orchestrate.world import FakeExecute, World, document, play, world

pytestmark = pytest.mark.anyio

GREET = document("- hello: {set: {greeting: hello}}")
COMPLETED = LIFECYCLE + "workflow.completed.v1"


def told(there: World, execution: str, of: str = "workflow") -> list[str]:
    """The ends of the types, in the order of their sequence, each event once."""
    found = {event.id: event for event in there.broker.events if event.type.startswith(f"{LIFECYCLE}{of}.")}
    mine = [event for event in found.values() if event.text("lowtideexecution") == execution]
    names = [(str(event.text("sequence")), event.type.split(".")[-2]) for event in mine]
    return [name for _, name in sorted(names)]


async def told_eventually(there: World, execution: str, expected: list[str], of: str = "workflow") -> None:
    async for attempt in eventually():
        with attempt:
            assert told(there, execution, of) == expected


async def of_workflow(there: World, name: str) -> list[dict[str, Any]]:
    return list((await there.api.get(f"/v1/namespaces/tests/executions?workflow={name}")).json()["items"])


async def test_an_execution_tells_that_it_started_and_completed(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await there.start()
        await told_eventually(there, started["id"], ["started", "completed"])
        (event,) = there.broker.of_type(COMPLETED)
        form = event.as_json()
        assert form["source"] == "/lowtide/tests/sample"
        assert form["subject"] == started["id"]
        assert form["data"]["name"] == f"sample-{started['id']}.tests"
        assert form["data"]["output"] == {"greeting": "hello"}


async def test_what_an_operator_does_is_told_with_the_tasks_that_it_stops(control_store: str) -> None:
    async with world(control_store, lifecycle="task") as there:
        execution = await waiting(there)
        await suspend(there, execution)
        await resume(there, execution)
        await there.cancel(execution)
        expected = ["started", "correlation-started", "suspended", "resumed", "cancelled"]
        await told_eventually(there, execution, expected)
        await told_eventually(there, execution, ["suspended", "resumed", "cancelled"], "task")
        assert there.execute.of(execution)[0].lifecycle == "task", "execute tells of what it runs"


async def test_a_fault_is_told_with_its_error(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- stop: {raise: {error: {type: 'https://example.com/closed', status: 409}}}"))
        started = await there.start()
        await told_eventually(there, started["id"], ["started", "faulted"])
        (event,) = there.broker.of_type(LIFECYCLE + "workflow.faulted.v1")
        assert event.as_json()["data"]["error"]["status"] == 409


async def test_a_listener_that_got_what_it_wanted_is_told_with_its_keys(control_store: str) -> None:
    async def answer(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
        outcome = await play(execute, dispatch)
        if not isinstance(outcome, Ended):
            return outcome
        listened = Listened(task="/do/0/pay@1.1", at=dispatch.at, keys={"order": "A-17"})
        return Ended(execution=outcome.execution, epoch=outcome.epoch, status="completed", listened=(listened,))

    async with world(control_store) as there:
        there.execute.answer = answer
        execution = await waiting(there)
        await there.send(PAID, 1)
        expected = ["started", "correlation-started", "correlation-completed", "completed"]
        await told_eventually(there, execution, expected)
        (event,) = there.broker.of_type(LIFECYCLE + "workflow.correlation-completed.v1")
        assert event.as_json()["data"]["correlationKeys"] == {"order": "A-17"}


async def test_an_event_that_the_broker_never_takes_keeps_none_of_the_others_back(control_store: str) -> None:
    async with world(control_store) as there:
        there.broker.refused = frozenset({COMPLETED})
        await there.deploy(GREET)
        await there.deploy(
            document("- stop: {raise: {error: {type: 'https://example.com/closed', status: 409}}}", name="bad")
        )
        ended = [await there.start(), await there.start(name="bad"), await there.start()]
        await told_eventually(there, ended[0]["id"], ["started"])
        await told_eventually(there, ended[1]["id"], ["started", "faulted"])
        await told_eventually(there, ended[2]["id"], ["started"])


async def test_one_that_never_ran_never_started(control_store: str) -> None:
    async with world(control_store, max_outstanding=0) as there:
        await there.deploy(GREET)
        started = await there.start()
        assert (await there.cancel(started["id"])).json()["startedAt"] is None
        await told_eventually(there, started["id"], ["cancelled"])


async def test_a_document_says_for_itself_what_is_told_of_it(control_store: str) -> None:
    async with world(control_store) as there:
        quiet = GREET.replace("version: '1.0.0'}", "version: '1.0.0', metadata: {lowtide: {lifecycle: none}}}")
        await there.deploy(quiet)
        started = await there.start()
        await there.until(started["id"], "completed")
        await there.deploy(document("- hello: {set: {a: 1}}", name="loud"))
        loud = await there.start(name="loud")
        await told_eventually(there, loud["id"], ["started", "completed"])
        assert told(there, started["id"]) == []


async def test_a_broker_that_refuses_them_keeps_nothing_from_ending(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        there.broker.down = True
        assert (await there.cancel(execution)).json()["phase"] == "cancelled"
        there.broker.down = False
        await told_eventually(there, execution, ["started", "correlation-started", "cancelled"])


async def test_workflows_that_are_scheduled_on_lifecycle_events_do_not_run_away(control_store: str) -> None:
    """Two auditors hear of everybody but of themselves and of each other's echoes."""
    async with world(control_store) as there:
        for name in ("audit", "bill"):
            on = f"schedule: {{on: {{one: {{with: {{type: {COMPLETED}}}}}}}}}"
            await there.deploy(document("- note: {set: {a: 1}}", name=name, head=on))
        await there.deploy(GREET)
        started = await there.start()
        await there.until(started["id"], "completed")
        for name in ("audit", "bill"):
            async for attempt in eventually():
                with attempt:
                    found = await of_workflow(there, name)
                    assert [one["phase"] for one in found] == ["completed"]
            only = found[0]
            await told_eventually(there, only["id"], ["started", "completed"])
        await there.tick()
        await asyncio.sleep(0.5)  # time for a loop to show itself
        assert [len(await of_workflow(there, name)) for name in ("audit", "bill")] == [1, 1]


async def test_a_workflow_that_names_itself_is_started_by_its_own_end(control_store: str) -> None:
    async with world(control_store) as there:
        on = f"schedule: {{on: {{one: {{with: {{type: {COMPLETED}, lowtideworkflow: again}}}}}}}}"
        await there.deploy(document("- note: {set: {a: 1}}", name="again", head=on))
        await there.start(name="again")
        async for attempt in eventually():
            with attempt:
                assert len(await of_workflow(there, "again")) >= 3
        await there.api.delete("/v1/namespaces/tests/workflows/again")


async def test_listeners_of_any_event_hear_no_lifecycle_events(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- all: {listen: {to: {any: []}}}", name="curious"))
        curious = await there.start(name="curious")
        await there.until(curious["id"], "waiting")
        await there.deploy(GREET)
        started = await there.start()
        await told_eventually(there, started["id"], ["started", "completed"])
        assert (await there.show(curious["id"]))["phase"] == "waiting"


async def test_a_listener_that_names_the_type_hears_of_others_and_not_of_itself(control_store: str) -> None:
    async with world(control_store) as there:
        begun = LIFECYCLE + "workflow.started.v1"
        listen = f"- hear: {{listen: {{to: {{one: {{with: {{type: {begun}}}}}}}}}}}"
        await there.deploy(document(listen, name="curious"))
        curious = await there.start(name="curious")
        await there.until(curious["id"], "waiting")
        await there.deploy(GREET)
        started = await there.start()
        shown = await there.until(curious["id"], "completed")
        assert shown["output"][0]["name"] == f"sample-{started['id']}.tests"


async def test_tasks_of_an_execution_that_is_cancelled_while_it_waits_are_cancelled(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there, LISTEN)
        await there.cancel(execution)
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(execution)[-1:] == ["cancelled"]
        (last,) = [change for change in there.ingest.changes if change.phase == "cancelled"]
        assert [(fact.status, fact.reference) for fact in last.facts] == [("cancelled", "/do/0/pay")]
        assert last.reason == "enough"
        assert last.facts[0].number > 2, "after what the invocation told"


async def test_cancelled_tasks_of_a_lost_invocation_are_numbered_apart_from_what_it_may_have_told(
    control_store: str,
) -> None:
    async with world(control_store, lost_attempts=0) as there:
        execution = await waiting(there, LISTEN)
        there.execute.answer = silent
        await there.send(PAID, 1)
        async for attempt in eventually():
            with attempt:
                assert len(there.execute.of(execution)) == 2
                assert await count(there, "outbox WHERE kind = 'dispatch'") == 0
        await long_ago(there)
        await there.tick()
        await there.until(execution, "suspended")
        await there.cancel(execution)
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(execution)[-1:] == ["cancelled"]
        (last,) = [change for change in there.ingest.changes if change.phase == "cancelled"]
        assert [fact.status for fact in last.facts] == ["cancelled"]
        assert last.facts[0].number > 1_000_000
