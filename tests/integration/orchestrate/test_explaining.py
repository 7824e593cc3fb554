"""Why an execution is where it is, as the API explains it."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.wire.records import LeaseState
from tests.eventually import eventually
from tests.integration.orchestrate.driven import driven, fails
from tests.integration.orchestrate.test_lost_and_cancelled import GREET, count, silent
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio


async def explained(there: World, execution: str) -> dict[str, Any]:
    answer = await there.api.get(f"/v1/namespaces/tests/executions/{execution}/explanation")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def parked(there: World, do: str, given: Any = None, head: str = "") -> tuple[str, dict[str, Any]]:
    await there.deploy(document(do, head=head))
    started = (await there.start(given))["id"]
    await there.until(started, "waiting")
    return started, await explained(there, started)


async def test_a_timer_and_the_deadline_above_it_say_when_they_are_due(control_store: str) -> None:
    async with world(control_store) as there:
        _, said = await parked(there, "- nap: {wait: {hours: 1}}", head="timeout: {after: {hours: 2}}")
        wait, deadline = sorted(said["waits"], key=lambda one: str(one["purpose"]), reverse=True)
        assert (wait["task"], wait["purpose"], deadline["purpose"]) == ("/do/0/nap", "wait", "deadline")
        assert said["since"] <= wait["since"] < wait["due"] < deadline["due"]
        assert said["sentences"] == [
            "It waits for 2 things; the first that is complete wakes it. No process runs for it meanwhile.",
            deadline["sentence"],
            wait["sentence"],
        ]
        assert wait["sentence"] == f"/do/0/nap waits until {wait['due']}."


async def test_a_listener_tells_its_filters_and_what_it_has(control_store: str) -> None:
    paid = "{with: {type: paid}, correlate: {order: {from: .order, expect: '${ .order }'}}}"
    events = f"{{all: [{paid}, {{with: {{type: packed}}}}]}}"
    async with world(control_store) as there:
        execution, said = await parked(there, f"- both: {{listen: {{to: {events}}}}}", {"order": "A-17"})
        (wait,) = said["waits"]
        assert (wait["need"], [one["matched"] for one in wait["filters"]]) == ("all", [False, False])
        assert wait["filters"][0]["correlate"] == {"order": "A-17"}
        assert (
            wait["sentence"] == '/do/0/both listens for one of each of: type paid, order equal to "A-17"; type packed.'
        )
        await there.send("packed", 1)
        async for attempt in eventually():
            with attempt:
                assert await count(there, "inbox") == 1
        said = await explained(there, execution)
        assert [one["matched"] for one in said["waits"][0]["filters"]] == [False, True]
        assert [one["command"] for one in said["arrived"]] == ["/do/0/both@1.1"]


async def test_a_listener_that_goes_on_tells_how_much_it_has_consumed(control_store: str) -> None:
    async with world(control_store) as there:
        listen = "{to: {any: [{with: {type: tick}}], until: {one: {with: {type: end}}}}}"
        execution, _ = await parked(there, f"- all: {{listen: {listen}}}")
        await there.send("tick", 1, id="t1")
        async for attempt in eventually():
            with attempt:
                waits = (await explained(there, execution))["waits"]
                assert [wait["consumed"] for wait in waits] == [1]
                (wait,) = waits
                assert "It has consumed 1 so far." in wait["sentence"]
                assert "to end it: type end" in wait["sentence"]


async def test_a_retry_tells_what_failed_and_when_it_is_tried_again(control_store: str) -> None:
    async with world(control_store) as there:
        driven(there).effects["ask"] = lambda _: fails("no answer")
        retry = "{delay: {hours: 1}, limit: {attempt: {count: 3}}}"
        _, said = await parked(there, f"- again: {{try: [{{ask: {{call: ask}}}}], catch: {{retry: {retry}}}}}")
        (wait,) = said["waits"]
        assert (wait["purpose"], wait["attempt"], wait["error"]["detail"]) == ("retry", 1, "no answer")
        assert wait["sentence"].startswith(
            "Attempt 1 of /do/0/again failed with communication (503); the next one begins"
        )


async def test_a_child_is_named_with_its_phase(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {hours: 1}}", name="child"))
        do = "- c: {run: {workflow: {namespace: tests, name: child, version: latest}}}"
        execution, _ = await parked(there, do)
        async for attempt in eventually():
            with attempt:
                (wait,) = (await explained(there, execution))["waits"]
                assert wait["child"] is not None
                assert (await there.show(wait["child"]))["phase"] == "waiting"
                assert wait["sentence"].endswith(f"execution {wait['child']} of workflow child is waiting.")


async def test_a_suspended_one_says_why_and_what_is_kept(control_store: str) -> None:
    async with world(control_store) as there:
        execution, _ = await parked(there, "- one: {listen: {to: {one: {with: {type: paid}}}}}")
        await there.api.post(f"/v1/namespaces/tests/executions/{execution}/suspend", json={"reason": "closed"})
        await there.send("paid", 1)
        said = await explained(there, execution)
        assert said["sentences"][0] == (
            "It is suspended: closed. Nothing wakes it until it is resumed: "
            f"lowtide executions resume {execution}. One wake has come meanwhile and is kept."
        )


async def test_one_that_is_on_its_way_says_how_far_it_came(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        there.execute.answer = silent
        started = (await there.start())["id"]
        await there.until(started, "running")
        async for attempt in eventually():
            with attempt:
                (sentence,) = (await explained(there, started))["sentences"]
                assert "nobody has begun to perform it" in sentence
        for state, said in (
            (LeaseState(1, alive=True), "A process performs epoch 1"),
            (LeaseState(1, alive=False), "is gone; the next tick issues it again"),
        ):
            there.ingest.states[started] = state
            found = await explained(there, started)
            assert said in found["sentences"][0]
            assert found["dispatch"]["lease"]["alive"] == state.alive
        await there.cancel(started)
        assert "It was asked to cancel" in (await explained(there, started))["sentences"][1]
        there.ingest.down = True
        assert "The journal could not be asked" in (await explained(there, started))["sentences"][0]


async def test_one_whose_dispatch_waits_in_the_outbox_says_so(control_store: str) -> None:
    async with world(control_store, max_outstanding=0) as there:
        await there.deploy(GREET)
        started = (await there.start())["id"]
        found = await explained(there, started)
        assert "waits in the outbox since" in found["sentences"][0]
        assert (found["phase"], found["dispatch"]["sentAt"]) == ("pending", None)


async def test_one_that_a_pause_holds_says_so(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        await there.api.post("/v1/namespaces/tests/workflows/sample/pause", json={})
        started = (await there.start())["id"]
        (sentence,) = (await explained(there, started))["sentences"]
        assert "waits in line since" in sentence
        assert "a limit or a pause of its workflow holds it" in sentence


async def test_one_that_has_ended_says_how(control_store: str) -> None:
    async with world(control_store) as there:
        driven(there).effects["ask"] = lambda _: fails()
        await there.deploy(document("- ask: {call: ask}"))
        started = (await there.start())["id"]
        await there.until(started, "faulted")
        said = await explained(there, started)
        assert said["sentences"] == [
            f"It has faulted (communication). To go on from there: lowtide executions retry {started}"
        ]
        unknown = "/v1/namespaces/tests/executions/0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f/explanation"
        assert (await there.api.get(unknown)).status_code == 404
