"""Starts per time, debounce and priority, on the real store."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.integration.orchestrate.busy import Busy, ask, begin, limited, order, rows, state_of
from tests.integration.orchestrate.world import world

pytestmark = pytest.mark.anyio


async def test_starts_above_the_rate_wait_for_their_moment(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"rate": {"limit": 3, "period": "PT1S"}}))
        started = await begin(there, 8)
        for execution in started:
            await there.until(execution, "completed", 20)
        moments = "SELECT (jsonb_array_elements_text(convert_from(moments, 'utf8')::jsonb)) FROM rates"
        assert len(await rows(there, moments)) == 3, "as many are remembered as matter"
        seconds = [
            float(row[0])
            for row in await rows(there, "SELECT extract(epoch FROM started_at) FROM executions ORDER BY 1")
        ]
        assert seconds[-1] - seconds[0] >= 1.5, "the last two had to wait for the third second"
        await rows(there, "UPDATE rates SET until = clock_timestamp() - interval '1 s'")
        await there.tick()
        assert not await rows(there, "SELECT FROM rates")


async def test_a_rate_whose_clock_was_set_back_holds_nobody_longer_than_its_period(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"rate": {"limit": 1, "period": "PT0.3S"}}))
        (first,) = await begin(there, 1)
        await there.until(first, "completed")
        tomorrow = "extract(epoch FROM clock_timestamp() + interval '1 day')::bigint * 1000000"
        await rows(there, f"UPDATE rates SET moments = convert_to(jsonb_build_array({tomorrow})::text, 'utf8')")
        (second,) = await begin(there, 1)
        await there.until(second, "completed")


async def test_above_the_rate_a_start_without_a_queue_is_told_when_to_come_again(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"rate": {"limit": 2, "period": "PT5M", "key": ".who"}, "queue": 0}))
        for _ in range(2):
            assert (await ask(there, {"who": "ada"})).status_code == 202
        async for attempt in eventually():
            with attempt:
                assert (await state_of(there))["completed"] == 2
        refused = await ask(there, {"who": "ada"})
        assert refused.status_code == 429
        assert 200 < int(refused.headers["retry-after"]) <= 300
        assert (await ask(there, {"who": "bob"})).status_code == 202


async def test_the_last_start_within_the_period_wins_and_repeated_keys_change_nothing(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"debounce": {"period": "PT5S", "key": ".doc"}}))
        first = (await ask(there, {"doc": 1, "text": "a"}, key="a")).json()
        other = (await ask(there, {"doc": 2, "text": "z"}, key="z")).json()
        last = (await ask(there, {"doc": 1, "text": "b"}, key="b")).json()
        replaced = (await ask(there, {"doc": 1, "text": "a"}, key="a")).json()
        assert (replaced["id"], replaced["phase"]) == (first["id"], "cancelled")
        assert replaced["reason"] == f"execution {last['id']} was started in its place (debounce)"
        assert (await there.show(last["id"]))["phase"] == "pending"
        assert (await there.until(last["id"], "completed"))["output"] == {"doc": 1, "text": "b"}
        await there.until(other["id"], "completed")
        assert not there.execute.of(first["id"])


async def test_a_start_is_put_off_no_longer_than_at_most(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"debounce": {"period": "PT1H", "atMost": "PT5S"}}))
        started = [(await there.start({"text": text}))["id"] for text in ("a", "b", "c")]
        await there.until(started[-1], "completed")
        assert [(await there.show(one))["phase"] for one in started[:2]] == ["cancelled", "cancelled"]


async def test_those_that_wait_begin_by_priority(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(limited({"concurrency": {"limit": 1}, "priority": "${ .p }"}))
        refused = await ask(there, {"p": "high"})
        assert (refused.status_code, "limits.priority" in refused.json()["detail"]) == (400, True)
        await begin(there, 1, {"p": 0})
        await busy.until(1)
        await order(there, "workflows/sample/pause")
        for priority in (-5, 0, 500, 7):
            await there.start({"p": priority})
        await order(there, "workflows/sample/resume")
        busy.let_all_go()
        async for attempt in eventually():
            with attempt:
                assert (await state_of(there)) == {"completed": 5}
        assert [given["p"] for given in busy.began] == [0, 500, 7, 0, -5]


async def test_those_that_are_admitted_together_are_sent_by_priority(control_store: str) -> None:
    async with world(control_store) as there:
        there.broker.down = True
        await there.deploy(limited({"concurrency": {"limit": 10}, "priority": "${ .p }"}))
        await order(there, "workflows/sample/pause")
        given = {(await there.start({"p": priority}))["id"]: priority for priority in (-5, 0, 500, 7)}
        await order(there, "workflows/sample/resume")
        sent = "SELECT execution::text FROM outbox WHERE kind = 'dispatch' ORDER BY id"
        async for attempt in eventually():
            with attempt:
                assert [given[execution] for (execution,) in await rows(there, sent)] == [500, 7, 0, -5]
