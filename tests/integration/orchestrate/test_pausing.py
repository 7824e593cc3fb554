"""Pause and resume of workflows and namespaces: starts wait, nothing is lost, and a ramp keeps a burst away."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from functions.orchestrate.pausing import pause
from lowtide.wire.types import DISPATCH
from tests.eventually import eventually
from tests.integration.orchestrate.busy import Busy, ask, begin, limited, order, rows, state_of
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

QUICK = document("- done: {set: '${ . }'}")


async def test_starts_of_a_paused_workflow_wait_and_what_runs_goes_on(control_store: str) -> None:
    async with world(control_store) as there:
        there.execute.answer = busy = Busy()
        assert (await there.api.post("/v1/namespaces/tests/workflows/nobody/pause")).status_code == 404
        await there.deploy(document("- pay: {listen: {to: {one: {with: {type: paid}}}}}"))
        (parked,) = await begin(there, 1)
        busy.let_go((await busy.until(1))[0])
        await there.until(parked, "waiting")
        paused = (await order(there, "workflows/sample/pause", {"reason": "the bank is down"})).json()
        assert (paused["paused"]["reason"], paused["paused"]["by"]) == ("the bank is down", "workflow")
        queued = await begin(there, 3)
        short = await there.start(wait="100ms")
        assert short["phase"] == "pending"
        (shown,) = (await there.api.get("/v1/namespaces/tests/workflows")).json()["items"]
        assert shown["paused"]["reason"] == "the bank is down"
        await there.send("paid", 1)
        busy.let_go((await busy.until(1))[0])
        await there.until(parked, "completed")
        assert (await state_of(there))["pending"] == 4
        busy.let_all_go()
        for wrong in ({"ramp": 0}, {"ramp": "fast"}, {"ramp": True}, [1]):
            answer = await there.api.post("/v1/namespaces/tests/workflows/sample/resume", json=wrong)
            assert answer.status_code == 400, wrong
        resumed = (await order(there, "workflows/sample/resume")).json()
        assert (resumed["paused"], resumed["ramp"]) == (None, None)
        for execution in [*queued, short["id"]]:
            await there.until(execution, "completed")  # the event came after they were asked for
        assert not await rows(there, "SELECT FROM gates")


async def test_a_paused_namespace_holds_all_its_workflows_and_no_other(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(QUICK)
        elsewhere = QUICK.replace("namespace: tests", "namespace: elsewhere")
        path = "/v1/namespaces/elsewhere/workflows"
        await there.api.post(path, content=elsewhere, headers={"content-type": "application/yaml"})
        paused = (await order(there, "pause", {"reason": "an audit"})).json()
        assert (paused["workflow"], paused["paused"]["by"]) == (None, "namespace")
        (held,) = await begin(there, 1)
        assert (await there.api.get("/v1/namespaces/tests/workflows/sample")).json()["paused"]["by"] == "namespace"
        other = await there.api.post(f"{path}/sample/executions", params={"wait": "20s"})
        assert other.json()["phase"] == "completed"
        assert (await order(there, "pause", {"reason": "another"})).json()["paused"]["reason"] == "an audit"
        assert (await there.show(held))["phase"] == "pending"
        assert (await order(there, "resume")).json()["waiting"] in (0, 1)
        await there.until(held, "completed")


async def test_starts_that_nobody_has_sent_yet_wait_for_the_end_of_the_pause(control_store: str) -> None:
    async with world(control_store, max_outstanding=1) as there:
        there.execute.answer = busy = Busy()
        await there.deploy(QUICK)
        started = await begin(there, 5)
        (running,) = await busy.until(1)
        await order(there, "workflows/sample/pause")
        busy.let_all_go()
        await there.until(running.execution, "completed")
        assert (await state_of(there)) == {"completed": 1, "pending": 4}
        await order(there, "workflows/sample/resume")
        for execution in started:
            await there.until(execution, "completed")


async def test_a_ramp_lets_through_so_many_per_second_and_ends_when_nothing_waits(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(QUICK)
        await order(there, "workflows/sample/pause")
        started = await begin(there, 12)
        resumed = (await order(there, "workflows/sample/resume", {"ramp": 20})).json()
        assert resumed["ramp"] == 20
        started += await begin(there, 4)  # they come while others wait: behind them
        for execution in started:
            await there.until(execution, "completed", 30)
        moments = await rows(there, "SELECT extract(epoch FROM started_at) FROM executions ORDER BY started_at")
        seconds = [float(row[0]) for row in moments]
        assert seconds[-1] - seconds[0] >= 14 / 20 - 0.2, "sixteen starts, two at once, twenty per second"
        assert not await rows(there, "SELECT FROM gates")
        assert (await there.start(wait="20s"))["phase"] == "completed", "nothing holds starts any more"


async def test_a_start_that_crosses_a_pause_runs_or_waits_and_is_never_lost(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(QUICK)
        desk = there.service.desk
        sides = [ask(there, key=str(number)) for number in range(8)]
        pausing = desk.do(lambda work: pause(work, "tests", "sample", "now"))
        answers = [one for one in await asyncio.gather(*sides[:4], pausing, *sides[4:]) if one is not None]
        assert {answer.status_code for answer in answers} == {202}
        await order(there, "workflows/sample/resume")
        for answer in answers:
            await there.until(answer.json()["id"], "completed")


async def test_a_pause_outlives_the_process_and_so_does_what_waits(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(limited({"concurrency": {"limit": 1}, "queue": 0}))
        await order(there, "workflows/sample/pause")
        started = await begin(there, 2)  # no queue that is full refuses what a pause holds
    async with world(control_store) as there:
        await there.tick()
        assert (await state_of(there)) == {"pending": 2}
        assert not there.broker.of_type(DISPATCH)
        await order(there, "workflows/sample/resume")
        for execution in started:
            await there.until(execution, "completed")


async def flood(there: World, namespace: str, count: int) -> None:
    source = QUICK.replace("namespace: tests", f"namespace: {namespace}")
    path = f"/v1/namespaces/{namespace}/workflows"
    await there.api.post(path, content=source, headers={"content-type": "application/yaml"})
    await asyncio.gather(*(there.api.post(f"{path}/sample/executions") for _ in range(count)))


async def test_the_flood_of_one_namespace_does_not_starve_another(control_store: str) -> None:
    async with world(control_store, max_outstanding=2) as there:
        there.execute.answer = busy = Busy()
        await flood(there, "loud", 30)
        await busy.until(2)
        await flood(there, "quiet", 2)
        for _ in range(6):
            gone = (await busy.until(2))[0]
            busy.let_go(gone)
            async for attempt in eventually():
                with attempt:
                    assert gone not in busy.running
                    assert len(busy.running) == 2
        namespaces = [dispatch.namespace for _, dispatch in there.execute.taken]
        assert namespaces.count("quiet") == 2, namespaces
        assert len([one for one, other in pairwise(namespaces[2:]) if one == other == "loud"]) <= 3, "they take turns"
        busy.let_all_go()
