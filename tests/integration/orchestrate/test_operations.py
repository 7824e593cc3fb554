"""Bulk operations: whom they mean, that nothing is done twice, that they survive and can be stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.eventually import eventually
from tests.integration.orchestrate.driven import driven, fails
from tests.integration.orchestrate.test_lost_and_cancelled import count
from tests.integration.orchestrate.test_rule_races import LISTEN
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

PATH = "/v1/namespaces/tests/operations"


async def begin(there: World, action: str, wanted: Any, **more: Any) -> httpx.Response:
    return await there.api.post(PATH, json={"action": action, "filter": wanted, "rate": 1000, **more})


async def completed(there: World, operation: str, phase: str = "completed") -> dict[str, Any]:
    async for attempt in eventually():
        with attempt:
            shown = (await there.api.get(f"{PATH}/{operation}")).json()
            assert shown["phase"] == phase, shown
    return dict(shown)


async def waiting(there: World, number: int, name: str = "sample") -> list[str]:
    await there.deploy(LISTEN.replace("name: sample", f"name: {name}"))
    found = [(await there.start(name=name))["id"] for _ in range(number)]
    for execution in found:
        await there.until(execution, "waiting")
    return found


async def faulted(there: World, number: int) -> list[str]:
    performer = driven(there)
    performer.effects["ask"] = lambda _: fails()
    await there.deploy(document("- ask: {call: ask}"))
    found = [(await there.start())["id"] for _ in range(number)]
    for execution in found:
        await there.until(execution, "faulted")
    performer.effects.clear()
    return found


async def origins(there: World) -> list[str]:
    page = (await there.api.get("/v1/namespaces/tests/executions?limit=500")).json()
    return sorted(item["origin"]["execution"] for item in page["items"] if item["origin"])


async def test_a_dry_run_counts_and_does_nothing(control_store: str) -> None:
    async with world(control_store) as there:
        mine, _ = await waiting(there, 2), await waiting(there, 1, "other")
        answer = await begin(there, "cancel", {"workflow": "sample"}, dryRun=True)
        assert (answer.status_code, answer.json()) == (200, {"action": "cancel", "matched": 2})
        assert (await there.show(mine[0]))["phase"] == "waiting"
        assert await count(there, "operations") == 0


async def test_an_operation_is_done_to_those_that_are_meant_alone(control_store: str) -> None:
    async with world(control_store) as there:
        mine, (other,) = await waiting(there, 3), await waiting(there, 1, "other")
        answer = await begin(there, "cancel", {"workflow": "sample"}, reason="ordered twice")
        assert (answer.status_code, answer.json()["matched"]) == (202, 3)
        shown = await completed(there, answer.json()["id"])
        assert (shown["done"], shown["skipped"], shown["failed"]) == (3, 0, 0)
        assert {(await there.show(one))["reason"] for one in mine} == {"ordered twice"}
        assert (await there.show(other))["phase"] == "waiting"
        listed = (await there.api.get(PATH)).json()["items"]
        assert [item["id"] for item in listed] == [shown["id"]]


async def test_suspend_and_resume_come_round(control_store: str) -> None:
    async with world(control_store) as there:
        mine = await waiting(there, 2)
        await completed(there, (await begin(there, "suspend", {"all": True})).json()["id"])
        assert {(await there.show(one))["phase"] for one in mine} == {"suspended"}
        await completed(there, (await begin(there, "resume", {"workflow": "sample"})).json()["id"])
        assert {(await there.show(one))["phase"] for one in mine} == {"waiting"}


async def test_what_failed_in_one_way_is_retried(control_store: str) -> None:
    async with world(control_store) as there:
        failed = await faulted(there, 2)
        await there.deploy(
            document("- own: {raise: {error: {type: 'https://example.com/own', status: 400}}}", name="b")
        )
        await there.until((await there.start(name="b"))["id"], "faulted")
        page = await there.api.get("/v1/namespaces/tests/executions", params={"errorType": "https://example.com/own"})
        assert [item["workflow"] for item in page.json()["items"]] == ["b"]
        shown = await completed(there, (await begin(there, "retry", {"errorType": "communication"})).json()["id"])
        assert (shown["matched"], shown["done"], await origins(there)) == (2, 2, sorted(failed))


async def test_a_restart_does_not_restart_what_it_began(control_store: str) -> None:
    async with world(control_store) as there:
        failed = await faulted(there, 3)
        shown = await completed(there, (await begin(there, "restart", {"all": True})).json()["id"])
        assert (shown["done"], await origins(there)) == (3, sorted(failed))


async def test_what_cannot_be_done_is_told_and_holds_nobody_up(control_store: str) -> None:
    async with world(control_store) as there:
        failed = await faulted(there, 2)
        await there.api.post(f"/v1/namespaces/tests/executions/{failed[0]}/retry")
        async for attempt in eventually():
            with attempt:
                assert await count(there, "executions WHERE phase = 'completed'") == 1
        shown = await completed(there, (await begin(there, "retry", {"workflow": "sample"})).json()["id"])
        assert (shown["done"], shown["failed"]) == (1, 1)
        assert shown["problems"][0]["id"] == failed[0]
        assert "it was retried" in shown["problems"][0]["detail"]


async def test_what_a_process_left_in_the_middle_goes_on_and_nothing_is_done_twice(control_store: str) -> None:
    async with world(control_store) as there:
        failed = await faulted(there, 6)
        there.execute.answer = _nothing
        operation = (await begin(there, "restart", {"all": True}, rate=20)).json()["id"]
        async for attempt in eventually():
            with attempt:
                assert (await there.api.get(f"{PATH}/{operation}")).json()["done"] >= 2
    async with world(control_store) as there:
        there.execute.answer = _nothing
        shown = (await there.api.get(f"{PATH}/{operation}")).json()
        assert shown["phase"] == "running", "it was left in the middle"
        await there.tick()
        shown = await completed(there, operation)
        assert (shown["done"], await origins(there)) == (6, sorted(failed))


async def test_two_processes_do_nothing_twice(control_store: str) -> None:
    async with world(control_store) as one, world(control_store) as other:
        failed = await faulted(one, 8)
        other.execute.answer = _nothing
        operation = (await begin(one, "restart", {"all": True})).json()["id"]
        while (await one.api.get(f"{PATH}/{operation}")).json()["phase"] == "running":
            await one.service.desk.database.run(lambda tx: _forget_claims(tx))
            other.service.steward.kick()
        shown = (await one.api.get(f"{PATH}/{operation}")).json()
        assert (shown["done"], await origins(one)) == (8, sorted(failed))


async def test_an_operation_that_is_stopped_does_nothing_more(control_store: str) -> None:
    async with world(control_store) as there:
        await waiting(there, 4)
        operation = (await begin(there, "suspend", {"workflow": "sample"}, rate=5)).json()["id"]
        stopped = (await there.api.post(f"{PATH}/{operation}/stop")).json()
        assert stopped["phase"] == "stopped"
        await asyncio.sleep(0.5)
        assert (await there.api.get(f"{PATH}/{operation}")).json()["done"] == stopped["done"] < 4
        assert await count(there, "executions WHERE phase = 'suspended'") == stopped["done"]
        again = (await there.api.post(f"{PATH}/{operation}/stop")).json()
        assert again["phase"] == "stopped"


async def test_a_slow_operation_does_not_hold_the_process(control_store: str) -> None:
    async with world(control_store, tick_horizon=1.0) as there:
        await waiting(there, 2)
        operation = (await begin(there, "suspend", {"workflow": "sample"}, rate=0.01)).json()["id"]
        async for attempt in eventually():
            with attempt:
                assert (await there.api.get(f"{PATH}/{operation}")).json()["done"] == 1
        await there.tick()
        assert (await there.api.get(f"{PATH}/{operation}")).json()["phase"] == "running"


async def test_the_same_key_begins_one_operation(control_store: str) -> None:
    async with world(control_store) as there:
        await waiting(there, 1)
        body = {"action": "suspend", "filter": {"workflow": "sample"}}
        both = [await there.api.post(PATH, json=body, headers={"idempotency-key": "k"}) for _ in range(2)]
        assert len({answer.json()["id"] for answer in both}) == 1
        other = await there.api.post(PATH, json={**body, "rate": 2}, headers={"idempotency-key": "k"})
        assert other.status_code == 409


WRONG: list[tuple[Any, str]] = [
    ({"action": "explode", "filter": {"all": True}}, "action: one of cancel"),
    ({"action": "cancel"}, "filter"),
    ({"action": "cancel", "filter": {}}, '{"all": true}'),
    ({"action": "cancel", "filter": {"workflo": "x"}}, "workflow"),
    ({"action": "retry", "filter": {"phase": "completed"}}, "retry is for faulted"),
    ({"action": "cancel", "filter": {"createdAfter": "yesterday"}}, "filter.createdAfter"),
    ({"action": "cancel", "filter": {"all": True}, "rate": 0}, "rate"),
    ({"action": "retry", "filter": {"all": True}, "reason": "why"}, "reason"),
    ([], "the body is an object"),
]


async def test_what_makes_no_sense_is_refused(control_store: str) -> None:
    async with world(control_store) as there:
        for body, said in WRONG:
            answer = await there.api.post(PATH, json=body)
            assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
            assert said in answer.json()["detail"], answer.text


async def test_an_unknown_operation_is_not_there(control_store: str) -> None:
    async with world(control_store) as there:
        for wrong in ("7", "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"):
            assert (await there.api.get(f"{PATH}/{wrong}")).status_code == 404
            assert (await there.api.post(f"{PATH}/{wrong}/stop")).status_code == 404


async def _nothing(*_: Any) -> int:
    return 202


async def _forget_claims(tx: Any) -> None:
    from sqlalchemy import text

    await tx.execute(text("UPDATE operations SET claimed_until = NULL"))
