"""Retry, restart and fork over HTTP: what is done again, what is not, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lowtide.expressions import JqHost
from lowtide.runtime.replay import Recording, steps
from lowtide.wire import json
from lowtide.wire.types import DISPATCH
from tests.eventually import eventually
from tests.integration.orchestrate.driven import Performer, driven, fails
from tests.integration.orchestrate.test_lost_and_cancelled import count
from tests.integration.orchestrate.test_rule_races import LISTEN
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

ORDER = """
- price: {call: price, with: {item: '${ .item }'}}
- charge: {call: charge, with: {amount: '${ . }'}, export: {as: '${ {charged: .} }'}}
- ship: {call: ship, with: {paid: '${ $context.charged }'}}
"""


async def repeat(there: World, execution: str, verb: str, body: Any = None, **headers: str) -> httpx.Response:
    path = f"/v1/namespaces/tests/executions/{execution}/{verb}"
    return await there.api.post(path, json=body or {}, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def faulted(there: World, source: str = ORDER, at: str = "ship") -> tuple[Performer, dict[str, Any]]:
    """An execution whose call ``at`` failed; it will not fail again."""
    performer = driven(there)
    performer.effects[at] = lambda _: fails()
    await there.deploy(document(source))
    started = await there.start({"item": "book"})
    shown = await there.until(started["id"], "faulted")
    performer.effects.clear()
    return performer, shown


async def test_a_retry_does_what_failed_again_and_nothing_that_was_done(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        answer = await repeat(there, failed["id"], "retry")
        assert (answer.status_code, answer.json()["phase"]) == (202, "pending")
        retried = answer.json()["id"]
        assert answer.headers["location"] == f"/v1/namespaces/tests/executions/{retried}"
        shown = await there.until(retried, "completed")
        assert (performer.names(retried), shown["output"]) == (["ship"], "ship")
        assert shown["origin"] == {"execution": failed["id"], "kind": "retry", "task": "/do/2/ship@1.3"}
        assert shown["input"] == {"item": "book"}
        assert (await there.show(failed["id"]))["phase"] == "faulted", "its outcome stays what it was"
        assert performer.keys[-1].startswith(retried), "another execution, so another idempotency key"


async def test_the_journal_of_a_retry_is_a_whole_one(control_store: str) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        retried = (await repeat(there, failed["id"], "retry")).json()["id"]
        await there.until(retried, "completed")
        page = (await there.api.get(f"/v1/namespaces/tests/executions/{retried}/journal")).content
        recording = json.decode(page, Recording)
        assert [(item.number, item.epoch) for item in recording.items] == [(1, 0), (2, 0), (3, 0), (4, 1)]
        played = list(steps(recording.plan, recording.seed, recording.items, JqHost()))
        assert json.encode(played[-1].outcome) == b'{"status":"completed","output":"ship"}'


async def test_the_timeline_of_a_retry_tells_of_what_was_done_before(control_store: str) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        retried = (await repeat(there, failed["id"], "retry")).json()["id"]
        await there.until(retried, "completed")
        async for attempt in eventually():
            with attempt:
                told = [change for change in there.ingest.changes if change.subject.execution == retried]
                facts = [(fact.name, fact.status) for change in told for fact in change.facts]
                assert facts[:3] == [("price", "running"), ("price", "completed"), ("charge", "running")]


async def test_a_retry_twice_is_one_until_it_has_ended(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        there.broker.paused = True
        both = await asyncio.gather(*(repeat(there, failed["id"], "retry") for _ in range(2)))
        assert len({answer.json()["id"] for answer in both}) == 1, [answer.text for answer in both]
        retried = both[0].json()["id"]
        async for attempt in eventually():
            with attempt:
                assert len(there.broker.of_type(DISPATCH)) == 2
        there.broker.paused = False
        await there.broker.deliver(there.broker.of_type(DISPATCH)[1])
        await there.until(retried, "completed")
        again = await repeat(there, failed["id"], "retry")
        assert (again.status_code, retried in again.json()["detail"]) == (409, True)
        assert performer.names(retried) == ["ship"]


async def test_a_retry_of_a_retry_goes_on_from_where_that_failed(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there, at="charge")
        performer.effects["ship"] = lambda _: fails()
        second = (await repeat(there, failed["id"], "retry")).json()["id"]
        await there.until(second, "faulted")
        performer.effects.clear()
        third = (await repeat(there, second, "retry")).json()["id"]
        assert (await there.until(third, "completed"))["output"] == "ship"
        assert [performer.names(one) for one in (second, third)] == [["charge", "ship"], ["ship"]]


async def test_what_fails_by_itself_is_retried_with_a_mended_version_only(control_store: str) -> None:
    wrong = "- price: {call: price}\n- sum: {set: {sum: '${ . + 1 }'}}"
    async with world(control_store) as there:
        performer = driven(there)
        await there.deploy(document(wrong))
        started = await there.start()
        await there.until(started["id"], "faulted")
        refused = await repeat(there, started["id"], "retry")
        assert (refused.status_code, "mended version" in refused.json()["detail"]) == (409, True), refused.text
        await there.deploy(document(wrong.replace("+ 1", '+ "1"'), version="1.0.1"))
        answer = await repeat(there, started["id"], "retry", {"version": "latest"})
        assert answer.status_code == 202, answer.text
        retried = answer.json()
        assert (await there.until(retried["id"], "completed"))["output"] == {"sum": "price1"}
        assert (retried["version"], performer.names(retried["id"])) == ("1.0.1", [])


async def test_a_timeout_begins_anew_where_its_clock_stood(control_store: str) -> None:
    """The deadline that struck lies in the past; the retry gets what was left of it when the failed call began."""
    async with world(control_store) as there:
        performer = driven(there)
        await there.deploy(
            document("- bell: {listen: {to: {one: {with: {type: bell}}}}, timeout: {after: {hours: 2}}}")
        )
        started = await there.start()
        await there.until(started["id"], "waiting")
        await there.service.desk.database.run(
            lambda tx: tx.execute(text("UPDATE timers SET due = clock_timestamp() WHERE command LIKE '%!deadline'"))
        )
        await there.tick()
        shown = await there.until(started["id"], "faulted")
        assert shown["error"]["type"].endswith("/timeout")
        retried = (await repeat(there, started["id"], "retry")).json()["id"]
        waiting = await there.until(retried, "waiting")
        assert {wait["kind"] for wait in waiting["waitingFor"]} == {"timer", "events"}
        await there.send("bell", "dong")
        assert (await there.until(retried, "completed"))["output"] == ["dong"]
        assert performer.performed == []


async def test_a_failed_child_is_run_again_by_the_retry_of_its_parent(control_store: str) -> None:
    async with world(control_store) as there:
        performer = driven(there)
        performer.effects["pay"] = lambda _: fails()
        await there.deploy(document("- pay: {call: pay}", name="child"))
        await there.deploy(document("- c: {run: {workflow: {namespace: tests, name: child, version: latest}}}"))
        started = await there.start()
        await there.until(started["id"], "faulted")
        performer.effects.clear()
        retried = (await repeat(there, started["id"], "retry")).json()["id"]
        assert (await there.until(retried, "completed"))["output"] == "pay"
        children = (await there.api.get("/v1/namespaces/tests/executions?workflow=child")).json()["items"]
        assert sorted(child["phase"] for child in children) == ["completed", "faulted"]


# ---------------------------------------------------------------- restart


async def test_a_restart_begins_anew_with_the_same_input(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        await there.deploy(document("- only: {set: '${ {got: .item} }'}", version="2.0.0"))
        same = (await repeat(there, failed["id"], "restart")).json()
        newest = (await repeat(there, failed["id"], "restart", {"version": "latest"})).json()
        assert (same["version"], newest["version"]) == ("1.0.0", "2.0.0")
        assert (await there.until(same["id"], "completed"))["output"] == "ship"
        assert performer.names(same["id"]) == ["price", "charge", "ship"]
        shown = await there.until(newest["id"], "completed")
        assert (shown["output"], shown["origin"]["kind"]) == ({"got": "book"}, "restart")


async def test_a_restart_with_a_key_is_one_and_the_key_is_for_this_alone(control_store: str) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        answers = [await repeat(there, failed["id"], "restart", idempotency_key="k") for _ in range(2)]
        assert len({answer.json()["id"] for answer in answers}) == 1
        other = await repeat(there, failed["id"], "fork", {"task": "ship"}, idempotency_key="k")
        assert other.status_code == 409
        assert await count(there, "executions") == 2


async def test_a_removed_version_is_not_begun_again(control_store: str) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        await there.deploy(document(ORDER, version="1.0.1"))
        await there.api.delete("/v1/namespaces/tests/workflows/sample/versions/1.0.0")
        for verb in ("restart", "retry"):
            refused = await repeat(there, failed["id"], verb)
            assert (refused.status_code, "latest" in refused.json()["detail"]) == (409, True)
        assert (await repeat(there, failed["id"], "retry", {"version": "latest"})).status_code == 202


# ---------------------------------------------------------------- fork


async def test_a_fork_goes_on_from_any_task_with_other_data(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        body = {"task": "ship", "context": {"charged": "by hand"}}
        forked = (await repeat(there, failed["id"], "fork", body)).json()
        assert (await there.until(forked["id"], "completed"))["output"] == "ship"
        assert (performer.names(forked["id"]), performer.given[-1]) == (["ship"], {"paid": "by hand"})
        answer = await repeat(there, failed["id"], "fork", {"task": "/do/1/charge", "taskInput": 42})
        forked = answer.json()
        await there.until(forked["id"], "completed")
        assert performer.names(forked["id"]) == ["charge", "ship"]
        assert performer.given[-2:] == [{"amount": 42}, {"paid": "charge"}]


async def test_a_fork_of_a_fork_has_the_past_of_both(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        first = (await repeat(there, failed["id"], "fork", {"task": "charge", "taskInput": 1})).json()["id"]
        await there.until(first, "completed")
        second = (await repeat(there, first, "fork", {"task": "ship"})).json()["id"]
        await there.until(second, "completed")
        assert performer.names(second) == ["ship"]
        happened = [type(record.entry.event).__name__ for record in there.ingest.journals[second]]
        assert happened == ["EffectSucceeded", "Forked", "EffectSucceeded", "Forked", "EffectSucceeded"]


async def test_a_newer_version_takes_over_what_it_would_have_done_itself(control_store: str) -> None:
    async with world(control_store) as there:
        performer, failed = await faulted(there)
        await there.deploy(document(ORDER.replace("- ship:", "- wrap: {call: wrap}\n- ship:"), version="1.1.0"))
        forked = (await repeat(there, failed["id"], "fork", {"task": "ship", "version": "1.1.0"})).json()["id"]
        await there.until(forked, "completed")
        assert performer.names(forked) == ["wrap", "ship"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda source: source.replace("{item: '${ .item }'}", "{item: other}"), "other arguments"),
        (lambda source: "- first: {call: first}\n" + source.strip(), "would not have come to"),
    ],
    ids=["other arguments", "another call before"],
)
async def test_a_version_whose_earlier_part_differs_is_refused(
    control_store: str, change: Callable[[str], str], said: str
) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        await there.deploy(document(change(ORDER), version="1.1.0"))
        refused = await repeat(there, failed["id"], "fork", {"task": "ship", "version": "1.1.0"})
        assert (refused.status_code, said in refused.json()["detail"]) == (409, True), refused.text
        assert await count(there, "executions") == 1


async def test_another_input_is_taken_where_what_was_done_does_not_depend_on_it(control_store: str) -> None:
    source = ORDER.replace("{paid: '${ $context.charged }'}", "{to: '${ $workflow.input.to }'}")
    async with world(control_store) as there:
        performer, failed = await faulted(there, source)
        changed = {"task": "ship", "input": {"item": "book", "to": "Rome"}}
        forked = (await repeat(there, failed["id"], "fork", changed)).json()["id"]
        await there.until(forked, "completed")
        assert performer.given[-1] == {"to": "Rome"}
        refused = await repeat(there, failed["id"], "fork", {"task": "ship", "input": {"item": "pen"}})
        assert (refused.status_code, "other input" in refused.json()["detail"]) == (409, True)


async def test_a_task_in_a_loop_is_named_by_its_entry(control_store: str) -> None:
    source = '- each: {for: {in: \'["a", "b"]\'}, do: [{send: {call: send}}]}\n- last: {call: last}'
    async with world(control_store) as there:
        performer, failed = await faulted(there, source, at="last")
        refused = await repeat(there, failed["id"], "fork", {"task": "send"})
        entries = [f"/do/0/each/do/0/send@1.1.{number}.1" for number in (1, 2)]
        assert refused.status_code == 409
        assert all(entry in refused.json()["detail"] for entry in entries), refused.text
        forked = (await repeat(there, failed["id"], "fork", {"task": entries[1]})).json()["id"]
        await there.until(forked, "completed")
        assert performer.names(forked) == ["send", "last"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "said"),
    [
        ("fork", {"task": "nothing"}, 409, "it entered /do/0/price, /do/1/charge, /do/2/ship"),
        ("fork", {}, 400, "name the task"),
        ("fork", {"task": "ship", "vesion": "1"}, 400, "vesion"),
        ("fork", {"task": "ship", "version": "9.9.9"}, 404, "9.9.9"),
        ("retry", {"version": 7}, 400, "version"),
        ("restart", [], 400, "the body is an object"),
    ],
)
async def test_what_cannot_be_is_a_problem_that_says_why(
    control_store: str, verb: str, body: Any, status: int, said: str
) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        answer = await there.api.post(f"/v1/namespaces/tests/executions/{failed['id']}/{verb}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert said in answer.json()["detail"], answer.text


async def test_what_has_not_ended_or_not_faulted_is_refused(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        for verb, body in (("retry", {}), ("restart", {}), ("fork", {"task": "pay"})):
            refused = await repeat(there, started["id"], verb, body)
            assert (refused.status_code, "cancel it first" in refused.json()["detail"]) == (409, True)
        await there.cancel(started["id"])
        assert (await repeat(there, started["id"], "retry")).status_code == 409
        assert (await repeat(there, started["id"], "restart")).status_code == 202
        assert (await repeat(there, "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f", "retry")).status_code == 404


async def test_without_its_past_nothing_begins(control_store: str) -> None:
    async with world(control_store) as there:
        _, failed = await faulted(there)
        there.ingest.down = True
        assert (await repeat(there, failed["id"], "retry")).status_code == 503
        there.ingest.down = False
        assert await count(there, "executions") == 1
        assert (await repeat(there, failed["id"], "retry")).status_code == 202
