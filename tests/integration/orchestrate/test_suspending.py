"""Suspend and resume by an operator: what is kept meanwhile, what goes on afterwards, and the races."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lowtide.wire.records import LeaseState
from lowtide.wire.types import DISPATCH, Extension, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.test_lost_and_cancelled import GREET, count, dead, long_ago, lost, silent
from tests.integration.orchestrate.test_rule_races import LISTEN, PAID, held_back
from tests.integration.orchestrate.world import World, document, outcome_event, play, world

pytestmark = pytest.mark.anyio

NAP = document("- nap: {wait: {hours: 1}}")


async def suspend(there: World, execution: str, reason: str = "closed") -> httpx.Response:
    return await there.api.post(f"/v1/namespaces/tests/executions/{execution}/suspend", json={"reason": reason})


async def resume(there: World, execution: str) -> httpx.Response:
    return await there.api.post(f"/v1/namespaces/tests/executions/{execution}/resume")


async def waiting(there: World, source: str = LISTEN) -> str:
    await there.deploy(source)
    started = await there.start()
    await there.until(started["id"], "waiting")
    return str(started["id"])


async def run_sql(there: World, statement: str) -> None:
    await there.service.desk.database.run(lambda tx: tx.execute(text(statement)))


# ---------------------------------------------------------------- what rests


async def test_a_waiting_execution_is_suspended_at_once_and_shows_why(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        answer = await suspend(there, execution, "the warehouse is closed")
        assert (answer.status_code, answer.json()["phase"]) == (202, "suspended")
        shown = await there.show(execution)
        assert shown["reason"] == "the warehouse is closed"
        assert shown["waitingFor"][0]["types"] == [PAID]
        async for attempt in eventually():
            with attempt:
                assert there.ingest.phases(execution)[-1:] == ["suspended"]


async def test_an_event_that_comes_meanwhile_is_kept_until_it_is_resumed(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        await suspend(there, execution)
        await there.send(PAID, "meanwhile")
        assert (await there.show(execution))["phase"] == "suspended"
        assert await count(there, "inbox") == 1
        assert (await resume(there, execution)).json()["phase"] == "running"
        shown = await there.until(execution, "completed")
        assert (shown["output"], shown["reason"]) == (["meanwhile"], None)


async def test_a_timer_that_falls_due_meanwhile_is_kept_until_it_is_resumed(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there, NAP)
        await suspend(there, execution)
        await run_sql(there, "UPDATE timers SET due = clock_timestamp()")
        await there.tick()
        assert (await there.show(execution))["phase"] == "suspended"
        assert await count(there, "timers") == 0
        await resume(there, execution)
        await there.until(execution, "completed")


async def test_a_child_that_ends_meanwhile_is_kept_until_its_parent_is_resumed(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document(f"- pay: {{listen: {{to: {{one: {{with: {{type: {PAID}}}}}}}}}}}", name="child"))
        parent = await waiting(
            there, document("- c: {run: {workflow: {namespace: tests, name: child, version: latest}}}")
        )
        (child,) = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        await there.until(child["id"], "waiting")
        await suspend(there, parent)
        await there.send(PAID, 7)
        await there.until(child["id"], "completed")
        assert (await there.show(parent))["phase"] == "suspended", "children go on, their parent does not"
        await resume(there, parent)
        assert (await there.until(parent, "completed"))["output"] == [7]


async def test_resuming_with_nothing_in_the_inbox_goes_on_waiting(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        await suspend(there, execution)
        assert (await resume(there, execution)).json()["phase"] == "waiting"
        await there.send(PAID, 1)
        await there.until(execution, "completed")
        assert len(there.execute.of(execution)) == 2


async def test_a_pending_execution_is_not_sent_until_it_is_resumed(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
    async with world(control_store, max_outstanding=0) as there:
        started = await there.start()
        assert (await suspend(there, started["id"])).json()["phase"] == "suspended"
        assert await count(there, "outbox WHERE kind = 'dispatch'") == 0
        await there.tick()
        assert there.broker.of_type(DISPATCH) == []
        assert (await resume(there, started["id"])).json()["phase"] == "pending"
    async with world(control_store) as there:
        await there.tick()
        assert (await there.until(started["id"], "completed"))["epoch"] == 1


async def test_a_suspended_execution_can_be_cancelled(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        await suspend(there, execution)
        assert (await there.cancel(execution, "enough")).json()["phase"] == "cancelled"
        assert (await there.show(execution))["reason"] == "enough"
        assert (await resume(there, execution)).status_code == 409


async def test_suspending_and_resuming_twice_is_doing_it_once(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        answers = await asyncio.gather(*(suspend(there, execution, f"reason {n}") for n in range(4)))
        assert {(answer.status_code, answer.json()["phase"]) for answer in answers} == {(202, "suspended")}
        assert len({answer.json()["reason"] for answer in answers}) == 1, "the first reason stays"
        answers = await asyncio.gather(*(resume(there, execution) for _ in range(4)))
        assert {(answer.status_code, answer.json()["phase"]) for answer in answers} == {(202, "waiting")}


@pytest.mark.parametrize("order", ["suspend", "resume"])
async def test_what_has_ended_answers_409_and_what_is_not_there_404(control_store: str, order: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        started = await there.start()
        await there.until(started["id"], "completed")
        path = "/v1/namespaces/tests/executions"
        ended = await there.api.post(f"{path}/{started['id']}/{order}")
        assert (ended.status_code, ended.json()["code"]) == (409, "conflict")
        assert "has completed" in ended.json()["detail"]
        missing = await there.api.post(f"{path}/0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f/{order}")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        elsewhere = await there.api.post(f"/v1/namespaces/other/executions/{started['id']}/{order}")
        assert elsewhere.status_code == 404


@pytest.mark.parametrize("body", [[1], {"reason": 5}, "why"])
async def test_a_reason_that_is_no_text_is_refused(control_store: str, body: Any) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        answer = await there.api.post(f"/v1/namespaces/tests/executions/{execution}/suspend", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")
        assert (await there.show(execution))["phase"] == "waiting"


# ---------------------------------------------------------------- what runs


async def test_a_running_owner_is_told_to_park_and_is_suspended_then(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        assert (await suspend(there, execution)).json()["phase"] == "running"
        async for attempt in eventually():
            with attempt:
                ((told, epoch, wake),) = there.ingest.signals
        assert (told, epoch, wake.event) == (execution, 1, None)
        go.set()
        assert (await there.until(execution, "suspended"))["reason"] == "closed"
        assert await count(there, "timers") == 0
        await there.send(PAID, 1)
        assert (await there.show(execution))["phase"] == "suspended"
        await resume(there, execution)
        assert (await there.until(execution, "completed"))["output"] == [1]


async def test_an_owner_that_did_not_hear_is_told_again(control_store: str) -> None:
    async with world(control_store, cancel_grace=0.3) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        await suspend(there, execution)
        async for attempt in eventually():
            with attempt:
                assert len(there.ingest.signals) >= 2
        go.set()
        await there.until(execution, "suspended")


async def test_work_that_the_park_interrupted_goes_on_when_resumed(control_store: str) -> None:
    """The owner yields with a call that it had not begun: nothing but the resume will ever wake it."""
    async with world(control_store) as there:
        await there.deploy(document("- one: {call: http, with: {method: get, endpoint: 'http://x.test'}}"))
        execution, go = await held_back(there)
        event, dispatch = there.execute.taken[0]
        await suspend(there, execution)
        parked = await _interrupted(dispatch)
        await there.post(outcome_event(parked, str(event.text(Extension.digest))))
        assert (await there.show(execution))["phase"] == "suspended"
        assert (await resume(there, execution)).json()["phase"] == "running"
        await there.until(execution, "completed")
        go.set()


async def _interrupted(dispatch: Any) -> Parked:
    from lowtide.engine import begin
    from lowtide.wire.states import snapshot_of
    from tests.integration.orchestrate.world import HOST

    turn = begin(dispatch.plan, dispatch.seed, HOST)
    snapshot = snapshot_of(turn.state, 0)
    return Parked(execution=dispatch.execution, epoch=1, snapshot=snapshot, resume_now=True)


async def test_a_suspend_that_is_withdrawn_lets_the_execution_go_on(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution, go = await held_back(there)
        await suspend(there, execution)
        assert (await resume(there, execution)).json()["phase"] == "running"
        go.set()
        await there.until(execution, "waiting")


async def test_an_execution_that_ends_before_it_parks_has_ended(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, go = await held_back(there)
        await suspend(there, execution)
        go.set()
        await there.until(execution, "completed")
        assert (await there.api.get(f"/v1/namespaces/tests/executions/{execution}")).json()["reason"] is None


# ---------------------------------------------------------------- what the system does meanwhile


async def test_ticks_and_dead_letters_leave_a_suspended_execution_alone(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        await suspend(there, execution)
        letter = there.broker.of_type(DISPATCH)[0]
        await there.post(dead(letter, 503), "/dead-letters")
        there.ingest.states[execution] = LeaseState(epoch=5, alive=False)
        await there.tick()
        shown = await there.show(execution)
        assert (shown["phase"], shown["reason"], shown["epoch"]) == ("suspended", "closed", 1)
        assert len(there.broker.of_type(DISPATCH)) == 1


async def test_a_park_that_comes_twice_keeps_the_reason(control_store: str) -> None:
    async with world(control_store) as there:
        execution = await waiting(there)
        event, dispatch = there.execute.taken[0]
        await suspend(there, execution)
        again = await play(there.execute, dispatch)
        assert isinstance(again, Parked)
        assert (await there.post(outcome_event(again, str(event.text(Extension.digest))))).status_code == 202
        assert (await there.show(execution))["reason"] == "closed"


async def test_an_execution_whose_dispatches_were_lost_is_issued_again_when_resumed(control_store: str) -> None:
    async with world(control_store, lost_attempts=0) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        await there.tick()
        await there.until(execution, "suspended")
        first = there.broker.of_type(DISPATCH)[0]
        assert (await resume(there, execution)).json()["phase"] == "running"
        assert (await there.until(execution, "completed"))["reason"] is None
        second = there.broker.of_type(DISPATCH)[1]
        assert second.data == first.data, "byte for byte"


async def test_what_is_resumed_in_vain_is_suspended_again_after_as_many_attempts(control_store: str) -> None:
    async with world(control_store, lost_attempts=1) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.execute.answer = silent
        for _ in range(2):
            await _tick_until_suspended(there, execution)
            assert (await resume(there, execution)).json()["phase"] == "running"
        sent = len(there.broker.of_type(DISPATCH))
        await _tick_until_suspended(there, execution)
        assert len(there.broker.of_type(DISPATCH)) > sent, "the count began anew"


async def _tick_until_suspended(there: World, execution: str) -> None:
    for _ in range(5):
        async for attempt in eventually():
            with attempt:
                assert await count(there, "outbox WHERE kind = 'dispatch'") == 0
        await long_ago(there)
        await there.tick()
        if (await there.show(execution))["phase"] == "suspended":
            return
    raise AssertionError(await there.show(execution))


async def test_a_lost_invocation_that_parks_after_all_stays_suspended_where_an_operator_wants_it(
    control_store: str,
) -> None:
    async with world(control_store, lost_attempts=0) as there:
        await there.deploy(LISTEN)
        execution, dispatch = await lost(there)
        await there.tick()
        await there.until(execution, "suspended")
        await suspend(there, execution, "leave it")
        parked = await play(there.execute, dispatch)
        assert isinstance(parked, Parked)
        await there.post(outcome_event(parked, str(there.execute.taken[0][0].text(Extension.digest))))
        shown = await there.show(execution)
        assert (shown["phase"], shown["reason"]) == ("suspended", "leave it")
