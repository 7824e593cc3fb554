"""How many executions of a workflow run at once: never more than its limit, whoever dies, and nobody waits in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from functions.orchestrate.admitting import admit
from functions.orchestrate.cancelling import cancel
from lowtide.wire.types import DISPATCH
from tests.eventually import eventually
from tests.integration.orchestrate.busy import Busy, ask, begin, limited, order, rows
from tests.integration.orchestrate.test_suspending import resume, suspend
from tests.integration.orchestrate.world import document, world

pytestmark = pytest.mark.anyio

TWO = {"concurrency": {"limit": 2}}
ONE = {"concurrency": {"limit": 1}}


async def test_no_more_run_at_once_than_the_limit_and_all_run_in_the_end(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(TWO))
        started = await begin(there, 6)
        first = await busy.until(2)
        assert [one.execution for one in first] == started[:2], "those that came first begin first"
        assert (await there.show(started[5]))["phase"] == "pending"
        busy.let_go(first[0])
        await there.until(first[0].execution, "completed")
        await busy.until(2)
        busy.let_all_go()
        for execution in started:
            await there.until(execution, "completed")
        assert busy.most["sample"] == 2


async def test_each_value_of_the_key_has_slots_of_its_own_and_a_failing_key_is_refused(
    control_store: str,
) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited({"concurrency": {"limit": 1, "key": ".customer.id"}}, name="other"))
        refused = await ask(there, {"customer": "ada"}, name="other", key="k")
        assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid")
        assert "limits.concurrency.key (.customer.id)" in refused.json()["detail"]
        await there.deploy(limited({"concurrency": {"limit": 1, "key": "${ .customer }"}}))
        ada = await begin(there, 3, {"customer": "ada"})
        await busy.until(1)
        (bob,) = await begin(there, 1, {"customer": "bob"})
        assert {one.execution for one in await busy.until(2)} == {ada[0], bob}
        busy.let_all_go()
        for execution in [*ada, bob]:
            await there.until(execution, "completed")


async def test_two_orchestrates_that_admit_at_once_stay_within_the_limit(control_store: str) -> None:
    async with world(control_store) as there, world(control_store) as other:
        busy = Busy()
        there.execute.answer = other.execute.answer = busy
        await there.deploy(limited({"concurrency": {"limit": 3}}))
        sides = [side.start() for _ in range(10) for side in (there, other)]
        started = [shown["id"] for shown in await asyncio.gather(*sides)]
        await busy.until(3)
        for side in (there, other):
            for _ in range(3):
                await side.service.desk.do(lambda work: admit(work, {"tests/sample//"}))
        await busy.until(3)
        busy.let_all_go()
        for execution in started:
            await there.until(execution, "completed", 30)
        assert busy.most["sample"] == 3


async def test_a_waiting_execution_holds_no_slot_and_goes_on_before_those_that_start(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        listen = [{"pay": {"listen": {"to": {"one": {"with": {"type": "paid"}}}}}}]
        await there.deploy(limited(ONE, do=listen))
        parked, second, third = await begin(there, 3)
        busy.let_go((await busy.until(1))[0])
        await there.until(parked, "waiting")
        (running,) = await busy.until(1)
        assert running.execution == second, "the slot of the one that waits was free"
        await there.send("paid", 1)  # both have heard it: the first is woken, the second goes on at its own park
        shown = await there.show(parked)
        assert (shown["phase"], shown["epoch"]) == ("running", 2)
        assert len(busy.running) == 1, "it waits for a slot again"
        busy.let_go(running)
        async for attempt in eventually():
            with attempt:
                assert busy.running
                assert busy.running[0].execution == parked, "what goes on comes before what starts"
        busy.let_all_go()
        await there.send("paid", 2, id="2")
        for execution in (parked, second, third):
            await there.until(execution, "completed")
        assert busy.most["sample"] == 1


async def test_timers_that_fire_together_wait_for_slots(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited(TWO, do=[{"nap": {"wait": {"hours": 1}}}]))
        started = await begin(there, 6)
        for execution in started:
            await there.until(execution, "waiting")
        there.execute.answer = busy = Busy()
        await rows(there, "UPDATE timers SET due = clock_timestamp()")
        await there.tick()
        await busy.until(2)
        busy.let_all_go()
        for execution in started:
            await there.until(execution, "completed")
        assert busy.most["sample"] == 2


async def test_what_was_admitted_by_a_process_that_died_before_it_sent_it_is_sent(control_store: str) -> None:
    async with world(control_store) as there:
        there.broker.down = True
        await there.deploy(limited(ONE))
        started = await begin(there, 2)
        async for attempt in eventually():
            with attempt:
                admitted = "SELECT execution::text FROM dispatches WHERE queued_at IS NULL"
                assert await rows(there, admitted) == [(started[0],)]
        assert not there.broker.of_type(DISPATCH)
    async with world(control_store) as there:
        await rows(there, "UPDATE outbox SET not_before = clock_timestamp()")  # the claim of the one that died is over
        await there.tick()
        for execution in started:
            await there.until(execution, "completed")


async def test_a_slot_that_only_a_dead_process_knew_to_be_free_is_found_by_the_tick(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(ONE))
        first, second = await begin(there, 2)
        await busy.until(1)
        there.service.gatekeeper.look = lambda slots=(): None  # type: ignore[method-assign]  # it dies here
        busy.let_all_go()
        await there.until(first, "completed")
        assert (await there.show(second))["phase"] == "pending"
    async with world(control_store) as there:
        await there.tick()
        await there.until(second, "completed")


async def test_a_lost_dispatch_keeps_its_slot_until_it_is_given_up(control_store: str) -> None:
    async with world(control_store, lost_attempts=1) as there:
        there.broker.paused = True
        await there.deploy(limited(ONE))
        first, second = await begin(there, 2)
        for _ in range(2):
            async for attempt in eventually():
                with attempt:
                    assert not await rows(there, "SELECT FROM outbox WHERE kind = 'dispatch'")
            assert (await there.show(second))["phase"] == "pending"
            past = "sent_at = sent_at - interval '1 h', next_try = clock_timestamp()"
            await rows(there, f"UPDATE dispatches SET {past} WHERE sent_at IS NOT NULL")
            await there.tick()
        await there.until(first, "suspended")
        async for attempt in eventually():
            with attempt:
                assert (await there.show(second))["phase"] == "running", "the slot of what is suspended is free"
        await resume(there, first)
        assert (await rows(there, f"SELECT queued_at IS NULL FROM dispatches WHERE execution = '{first}'")) == [
            (False,)
        ], "it waits for a slot again"
        there.broker.paused = False
        for event in there.broker.of_type(DISPATCH)[-1:]:
            await there.broker.deliver(event)
        for execution in (first, second):
            await there.until(execution, "completed")


async def test_what_waits_in_line_is_cancelled_and_suspended_without_an_invocation(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(ONE))
        first, second, third = await begin(there, 3)
        await busy.until(1)
        await there.cancel(second)
        assert (await there.show(second))["phase"] == "cancelled"
        await suspend(there, third)
        busy.let_all_go()
        await there.until(first, "completed")
        assert (await there.show(third))["phase"] == "suspended"
        await resume(there, third)
        await there.until(third, "completed")
        assert not there.execute.of(second)


async def test_an_admission_and_a_cancel_that_cross_leave_no_slot_behind(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(ONE))
        first, second, third = await begin(there, 3)
        (running,) = await busy.until(1)
        busy.let_go(running)
        desk = there.service.desk
        await asyncio.gather(desk.do(lambda work: cancel(work, second, "no")), there.until(first, "completed"))
        busy.let_all_go()
        await there.until(second, "cancelled", 20)
        await there.until(third, "completed")
        assert not await rows(there, "SELECT FROM dispatches")


async def test_a_cancel_that_is_enforced_takes_over_the_slot(control_store: str) -> None:
    async with world(control_store, cancel_grace=0.2) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(ONE, do=[{"nap": {"wait": {"hours": 1}}}]))
        first, second = await begin(there, 2)
        await busy.until(1)
        await there.cancel(first)
        async for attempt in eventually():
            with attempt:
                assert [one.epoch for one in there.execute.of(first)] == [1, 2]
        assert not there.execute.of(second)
        busy.let_all_go()
        await there.until(first, "cancelled")
        await there.until(second, "waiting")


async def test_a_full_queue_refuses_with_429_and_the_same_key_still_finds_its_execution(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited({**ONE, "queue": 1}))
        first = await ask(there, key="first")
        await busy.until(1)
        assert (await ask(there, key="second")).status_code == 202
        refused = await ask(there, key="third")
        assert (refused.status_code, refused.json()["code"]) == (429, "limit.reached")
        assert int(refused.headers["retry-after"]) >= 1
        assert "tests/sample" in refused.json()["detail"]
        again = await ask(there, key="first")
        assert again.json()["id"] == first.json()["id"]
        busy.let_all_go()
        await there.until(again.json()["id"], "completed")
        async for attempt in eventually():
            with attempt:
                assert (await ask(there, key="third")).status_code == 202


async def test_a_queue_of_none_takes_what_can_begin_at_once_alone(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited({**TWO, "queue": 0}))
        answers = await asyncio.gather(*(ask(there) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [202, 202, 429, 429, 429]
        busy.let_all_go()


async def test_an_event_that_a_full_queue_refuses_is_a_dead_letter_with_the_reason(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        on: Any = {"schedule": {"on": {"one": {"with": {"type": "ordered"}}}}}
        await there.deploy(limited({**ONE, "queue": 0}, **on))
        await there.send("ordered", id="1")
        await busy.until(1)
        await there.send("ordered", id="2")
        letters = await rows(there, "SELECT event_id, code, verdict, detail FROM dead_letters")
        assert [letter[:3] for letter in letters] == [("2", "limit.reached", "refused")]
        assert "workflow tests/sample has reached its limits" in letters[0][3]
        busy.let_all_go()


async def test_a_parent_hears_that_its_child_was_refused(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited({**ONE, "queue": 0}, name="child"))
        run = "- call: {run: {workflow: {namespace: tests, name: child, version: '1.0.0'}}}"
        await there.deploy(document(run, name="parent"))
        await there.start(name="child")
        await busy.until(1)
        parent = (await there.start(name="parent"))["id"]
        busy.let_go((await busy.until(2))[1])
        async for attempt in eventually():
            with attempt:
                assert len(there.execute.of(parent)) == 2
        busy.let_all_go()
        shown = await there.until(parent, "faulted")
        assert "has reached its limits" in shown["error"]["detail"]


async def test_an_operator_sets_other_limits_while_starts_wait(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited(ONE))
        started = await begin(there, 4)
        await busy.until(1)
        put = await order(there, "workflows/sample/limits", {"concurrency": {"limit": 3}}, "PUT")
        assert put.json()["by"] == "operator"
        assert put.json()["limits"]["concurrency"]["limit"] == 3
        await busy.until(3)
        wrong = {"concurrency": {"limit": 0, "key": ".a b"}, "rate": {"limit": 1}, "quue": 1}
        answer = await there.api.put("/v1/namespaces/tests/workflows/sample/limits", json=wrong)
        assert answer.status_code == 400
        for part in ("concurrency.limit", "rate.period", "'quue' is no limit"):
            assert part in answer.json()["detail"], "every mistake is told"
        deleted = await order(there, "workflows/sample/limits", method="DELETE")
        assert (deleted.json()["by"], deleted.json()["limits"]["concurrency"]["limit"]) == ("document", 1)
        busy.let_all_go()
        for execution in started:
            await there.until(execution, "completed")


async def test_without_limits_no_dispatch_stands_in_a_line(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- done: {set: {done: true}}"))
        there.broker.paused = True
        await there.start()
        assert await rows(there, "SELECT lane, queued_at FROM dispatches") == [(None, None)]
