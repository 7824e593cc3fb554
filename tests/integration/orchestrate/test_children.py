"""Children: started with their parent's park, one wake when they end, cancelled with it."""

from __future__ import annotations

import asyncio

import pytest

from tests.eventually import eventually
from tests.integration.orchestrate.world import document, world

pytestmark = pytest.mark.anyio

PARENT = document(
    "- call: {run: {workflow: {namespace: tests, name: child, version: latest, input: {n: 2}}}}", name="parent"
)
CHILD = document("- add: {set: {n: '${ .n + 1 }'}}", name="child")


async def children_of(there: object, parent: str) -> list[dict[str, object]]:
    listed = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]  # type: ignore[attr-defined]
    return [item for item in listed if item["parent"] == parent]


async def test_a_parent_waits_for_its_child_and_takes_its_output(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(CHILD)
        await there.deploy(PARENT)
        started = await there.start(name="parent")
        shown = await there.until(started["id"], "completed")
        assert shown["output"] == {"n": 3}
        (child,) = await children_of(there, started["id"])
        assert child["phase"] == "completed"


async def test_a_child_that_faults_faults_its_parent(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- no: {raise: {error: {type: 'https://e.com/no', status: 418}}}", name="child"))
        await there.deploy(PARENT)
        started = await there.start(name="parent")
        shown = await there.until(started["id"], "faulted")
        assert (shown["error"]["type"], shown["error"]["status"]) == ("https://e.com/no", 418)


async def test_a_child_whose_workflow_is_not_deployed_is_a_configuration_error(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(PARENT)
        started = await there.start(name="parent")
        shown = await there.until(started["id"], "faulted")
        assert shown["error"]["type"].endswith("/configuration")
        assert "tests/child" in shown["error"]["detail"]


async def test_children_are_cancelled_with_their_parent(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}", name="child"))
        await there.deploy(PARENT)
        started = await there.start(name="parent")
        await there.until(started["id"], "waiting")
        async for attempt in eventually():
            with attempt:
                assert [child["phase"] for child in await children_of(there, started["id"])] == ["waiting"]
        assert (await there.cancel(started["id"])).status_code == 202
        async for attempt in eventually():
            with attempt:
                assert [child["phase"] for child in await children_of(there, started["id"])] == ["cancelled"]
        assert (await there.show(started["id"]))["phase"] == "cancelled"


async def test_a_child_that_is_cancelled_faults_the_parent_that_waits_for_it(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}", name="child"))
        await there.deploy(PARENT)
        started = await there.start(name="parent")
        async for attempt in eventually():
            with attempt:
                assert [child["phase"] for child in await children_of(there, started["id"])] == ["waiting"]
        (child,) = await children_of(there, started["id"])
        await there.cancel(str(child["id"]), "not needed")
        shown = await there.until(started["id"], "faulted")
        assert "not needed" in shown["error"]["detail"]


async def test_the_loser_of_a_race_between_children_is_cancelled(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}", name="child"))
        await there.deploy(document("- quick: {set: {n: 1}}", name="quick"))
        run = "{{run: {{workflow: {{namespace: tests, name: {name}, version: latest}}}}}}"
        branches = f"[{{a: {run.format(name='child')}}}, {{b: {run.format(name='quick')}}}]"
        race = f"- race: {{fork: {{compete: true, branches: {branches}}}}}\n- then: {{wait: {{hours: 1}}}}"
        await there.deploy(document(race, name="parent"))
        started = await there.start(name="parent")
        async for attempt in eventually():
            with attempt:
                assert [child["phase"] for child in await children_of(there, started["id"])] == ["cancelled"]
        assert (await there.show(started["id"]))["phase"] == "waiting"


async def test_many_children_that_end_at_once_lose_no_wake(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(CHILD)
        run = "{run: {workflow: {namespace: tests, name: child, version: latest, input: {n: 1}}}}"
        branches = ", ".join(f"{{b{number}: {run}}}" for number in range(30))
        await there.deploy(document(f"- all: {{fork: {{branches: [{branches}]}}}}", name="parent"))
        started = await there.start(name="parent")
        shown = await there.until(started["id"], "completed", 30)
        assert shown["output"] == [{"n": 2}] * 30
        epochs = [dispatch.epoch for dispatch in there.execute.of(started["id"])]
        assert len(epochs) < 30, "children that end while the parent runs share the next epoch"
        await asyncio.sleep(0)
