"""Events and listeners: whoever comes first, no event is lost and none is delivered twice."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from functions.orchestrate import incoming
from functions.orchestrate.listening import catch_up
from lowtide.wire import json
from lowtide.wire.cloudevents import BATCH, from_json, to_batch
from lowtide.wire.types import Dispatch, Ended, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.world import FakeExecute, World, document, play, world

pytestmark = pytest.mark.anyio

PAID = "com.example.paid"
LISTEN = document(f"- pay: {{listen: {{to: {{one: {{with: {{type: {PAID}}}}}}}}}}}")
CORRELATED = document(
    f"""- pay:
    listen:
      to:
        one:
          with: {{type: {PAID}}}
          correlate:
            order: {{from: .data.order, expect: '${{ .order }}'}}
"""
)


async def test_a_listener_that_waits_is_woken_by_its_event(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        started = await there.start()
        shown = await there.until(started["id"], "waiting")
        assert shown["waitingFor"][0]["types"] == [PAID]
        answer = await there.send(PAID, {"amount": 7})
        assert (answer.status_code, answer.json()) == (202, {"received": 1, "kept": 1})
        shown = await there.until(started["id"], "completed")
        assert shown["output"] == [{"amount": 7}]


async def test_the_same_event_twice_is_one_event(control_store: str) -> None:
    async with world(control_store) as there:
        count = document(f"- two: {{listen: {{to: {{any: [{{with: {{type: {PAID}}}}}], until: '. | length == 2'}}}}}}")
        await there.deploy(count)
        started = await there.start()
        await there.until(started["id"], "waiting")
        for _ in range(3):
            await there.send(PAID, 1, id="same")
        await asyncio.sleep(0.3)
        assert (await there.show(started["id"]))["phase"] == "waiting"
        await there.send(PAID, 2, id="other")
        assert (await there.until(started["id"], "completed"))["output"] == [1, 2]


async def test_an_event_that_nothing_deployed_listens_for_is_not_kept(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        assert (await there.send("com.example.noise")).json() == {"received": 1, "kept": 0}


async def test_a_correlated_listener_takes_its_own_event_alone(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(CORRELATED)
        started = {order: (await there.start({"order": order}))["id"] for order in ("a", "b", "c")}
        for execution in started.values():
            await there.until(execution, "waiting")
        await there.send(PAID, {"order": "b"})
        shown = await there.until(started["b"], "completed")
        assert shown["output"] == [{"order": "b"}]
        assert (await there.show(started["a"]))["phase"] == "waiting"


async def test_call_then_listen_does_not_lose_the_callback(control_store: str) -> None:
    """The callback arrives while the execution still runs, before it listens."""
    async with world(control_store) as there:
        await there.deploy(CORRELATED)
        go = asyncio.Event()

        async def slowly(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            await go.wait()
            return await play(execute, dispatch)

        there.execute.answer = slowly
        started = await there.start({"order": "x"})
        await there.send(PAID, {"order": "x"})
        go.set()
        assert (await there.until(started["id"], "completed"))["output"] == [{"order": "x"}]


async def test_an_uncorrelated_listener_sees_nothing_from_before_its_dispatch(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        await there.send(PAID, "old", id="0")
        started = await there.start()
        await there.until(started["id"], "waiting")
        await asyncio.sleep(0.2)
        assert (await there.show(started["id"]))["phase"] == "waiting"
        await there.send(PAID, "new", id="1")
        assert (await there.until(started["id"], "completed"))["output"] == ["new"]


async def test_an_event_that_comes_before_the_second_listener_parks_is_seen_by_it(control_store: str) -> None:
    """Its dispatch was written before: what comes while the invocation runs is not lost."""
    async with world(control_store) as there:
        one = f"{{listen: {{to: {{one: {{with: {{type: {PAID}}}}}}}}}}}"
        await there.deploy(document(f"- first: {one}\n- second: {one}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        go = asyncio.Event()

        async def slowly(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            await go.wait()
            return await play(execute, dispatch)

        there.execute.answer = slowly
        await there.send(PAID, "first", id="1")
        await there.until(started["id"], "running")
        await there.send(PAID, "second", id="2")
        go.set()
        assert (await there.until(started["id"], "completed"))["output"] == ["second"]


async def test_all_filters_must_match_before_the_execution_wakes(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- both: {listen: {to: {all: [{with: {type: e.a}}, {with: {type: e.b}}]}}}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        await there.send("e.b", "b", id="b")
        await asyncio.sleep(0.2)
        assert len(there.execute.of(started["id"])) == 1
        await there.send("e.a", "a", id="a")
        assert (await there.until(started["id"], "completed"))["output"] == ["a", "b"]
        assert len(there.execute.of(started["id"])) == 2


# ---------------------------------------------------------------- the race between event and listener


async def _keep_only(there: World, data: Any) -> int:
    """An event's first transaction, as a process leaves it that dies before it matches."""
    form = {"specversion": "1.0", "id": "1", "source": "/w", "type": PAID, "data": data}
    event = from_json(form)
    (number,) = await there.service.desk.do(lambda work: incoming._keep(work, [event], "tests"))
    return number


async def _park_only(there: World) -> str:
    """A listener's first transaction: its catching up is kept from happening."""
    there.service._catch_up = _nothing  # type: ignore[method-assign, assignment]
    started = await there.start()
    await there.until(started["id"], "waiting")
    return str(started["id"])


async def _nothing(*_: object) -> None:
    return None


async def test_whichever_side_commits_last_finds_the_other(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        # The event's match finds the listener, which never caught up.
        execution = await _park_only(there)
        await incoming.match(there.service.desk, await _keep_only(there, 1))
        assert (await there.until(execution, "completed"))["output"] == [1]


async def test_a_listener_that_commits_last_finds_the_event(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution = await _park_only(there)
        await _keep_only(there, 2)
        (command,) = [item["command"] for item in (await there.show(execution))["waitingFor"]]
        await there.service.desk.do(lambda work: catch_up(work, execution, command))
        assert (await there.until(execution, "completed"))["output"] == [2]


async def test_both_sides_that_match_at_once_deliver_once(control_store: str) -> None:
    async with world(control_store) as there:
        many = document(f"- more: {{listen: {{to: {{any: [{{with: {{type: {PAID}}}}}], until: '. | length == 2'}}}}}}")
        await there.deploy(many)
        execution = await _park_only(there)
        number = await _keep_only(there, 3)
        (command,) = [item["command"] for item in (await there.show(execution))["waitingFor"]]
        desk = there.service.desk
        await asyncio.gather(
            incoming.match(desk, number),
            desk.do(lambda work: catch_up(work, execution, command)),
            incoming.match(desk, number),
        )
        await there.until(execution, "waiting")
        taken = [wake for dispatch in there.execute.of(execution) for wake in dispatch.wakes]
        assert len(taken) == 1


async def test_the_tick_matches_what_a_dead_process_left(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        execution = await _park_only(there)
        await _keep_only(there, 4)
        assert await incoming.match_leftovers(there.service.desk, 0.0, 10) == 1
        assert (await there.until(execution, "completed"))["output"] == [4]


async def test_ticks_that_overlap_do_not_begin_the_same_chore_twice(control_store: str) -> None:
    """Else a process that is too busy for its chores would be given more of them with every tick."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        await _park_only(there)
        await _keep_only(there, 4)
        database = there.service.desk.database
        await database.run(
            lambda tx: tx.execute(text("UPDATE kept_events SET received_at = received_at - interval '1 h'"))
        )
        with psycopg.connect(control_store) as holder:
            holder.execute("SELECT FROM kept_events FOR UPDATE")
            ticks = [asyncio.create_task(there.tick()) for _ in range(3)]
            async for attempt in eventually():
                with attempt:
                    assert (await database.run(lambda tx: tx.execute(waiting))).scalar_one() == 1
            await asyncio.sleep(0.3)
            assert (await database.run(lambda tx: tx.execute(waiting))).scalar_one() == 1
        assert [(await tick).status_code for tick in ticks] == [202] * 3


async def test_an_event_for_a_running_execution_is_signalled_and_waits_in_the_inbox(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        go = asyncio.Event()

        async def slowly(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
            await go.wait()
            return await play(execute, dispatch)

        there.execute.answer = slowly
        await there.send(PAID, "first", id="1")
        await there.until(started["id"], "running")
        await there.send(PAID, "second", id="2")
        async for attempt in eventually():
            with attempt:
                assert [(execution, epoch) for execution, epoch, _ in there.ingest.signals] == [(started["id"], 2)]
        go.set()
        assert (await there.until(started["id"], "completed"))["output"] == ["first"]


# ---------------------------------------------------------------- schedule.on


async def executions(there: World) -> list[dict[str, Any]]:
    listed = (await there.api.get("/v1/namespaces/tests/executions")).json()["items"]
    return [await there.show(item["id"]) for item in listed]


async def test_an_event_starts_an_execution_once(control_store: str) -> None:
    async with world(control_store) as there:
        head = f"schedule: {{on: {{one: {{with: {{type: {PAID}}}}}}}}}"
        await there.deploy(document("- keep: {set: {got: '${ $workflow.input }'}}", head=head))
        for _ in range(2):
            assert (await there.send(PAID, {"order": 5})).status_code == 202
        async for attempt in eventually():
            with attempt:
                (shown,) = await executions(there)
                assert shown["phase"] == "completed"
        assert shown["input"] == [{"order": 5}]
        assert shown["output"] == {"got": [{"order": 5}]}


async def test_only_the_newest_version_is_started_by_events(control_store: str) -> None:
    async with world(control_store) as there:
        head = f"schedule:\n  on: {{any: [{{with: {{type: {PAID}}}}}]}}\n  read: envelope\n"
        await there.deploy(document("- v: {set: {v: 1}}", head=head, version="1.0.0"))
        await there.deploy(document("- v: {set: {v: 2}}", head=head, version="2.0.0"))
        await there.send(PAID, 1)
        async for attempt in eventually():
            with attempt:
                (shown,) = await executions(there)
                assert (shown["version"], shown["phase"]) == ("2.0.0", "completed")
        assert shown["input"][0]["type"] == PAID


async def test_all_events_of_one_correlation_start_one_execution(control_store: str) -> None:
    async with world(control_store) as there:
        one = "{{with: {{type: {0}}}, correlate: {{order: {{from: .data.order}}}}}}"
        head = f"schedule: {{on: {{all: [{one.format('e.a')}, {one.format('e.b')}]}}}}"
        await there.deploy(document("- keep: {set: {done: true}}", head=head))
        await there.send("e.a", {"order": 1, "a": 1}, id="1")
        await there.send("e.b", {"order": 2, "b": 1}, id="2")
        assert await executions(there) == []
        await asyncio.gather(
            there.send("e.b", {"order": 1, "b": 2}, id="3"), there.send("e.b", {"order": 1, "b": 2}, id="3")
        )
        async for attempt in eventually():
            with attempt:
                (shown,) = await executions(there)
        assert shown["input"] == [{"order": 1, "a": 1}, {"order": 1, "b": 2}]


async def test_a_batch_is_accepted_as_a_whole(control_store: str) -> None:
    async with world(control_store) as there:
        head = f"schedule: {{on: {{one: {{with: {{type: {PAID}}}}}}}}}"
        await there.deploy(document("- keep: {set: {done: true}}", head=head))
        form = {"specversion": "1.0", "source": "/w", "type": PAID}
        headers, body = to_batch([from_json({**form, "id": str(number)}) for number in range(5)])
        answer = await there.api.post("/v1/namespaces/tests/events", content=body, headers=headers)
        assert headers["content-type"] == BATCH
        assert answer.json() == {"received": 5, "kept": 5}
        async for attempt in eventually():
            with attempt:
                assert [shown["phase"] for shown in await executions(there)] == ["completed"] * 5


async def test_an_emitted_event_reaches_a_listener_of_its_namespace(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        emit = f"- tell: {{emit: {{event: {{with: {{source: /me, type: {PAID}, data: {{n: 9}}}}}}}}}}"
        await there.deploy(document(emit, name="teller"))
        listener = await there.start()
        await there.until(listener["id"], "waiting")
        await there.start(name="teller")
        assert (await there.until(listener["id"], "completed"))["output"] == [{"n": 9}]


async def test_events_of_one_namespace_are_not_seen_in_another(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(LISTEN)
        started = await there.start()
        await there.until(started["id"], "waiting")
        event = from_json({"specversion": "1.0", "id": "1", "source": "/w", "type": PAID})
        answer = await there.post(event, "/v1/namespaces/others/events")
        assert answer.json() == {"received": 1, "kept": 0}
        assert (await there.show(started["id"]))["phase"] == "waiting"


async def test_expired_events_are_removed_unless_their_execution_lives(control_store: str) -> None:
    async with world(control_store, keep_events=0.05) as there:
        await there.deploy(CORRELATED)
        started = await there.start({"order": "z"})
        await there.until(started["id"], "waiting")
        await there.send(PAID, {"order": 1}, id="about", lowtideexecution=started["id"])
        await there.send(PAID, {"order": 2}, id="loose")
        await asyncio.sleep(0.1)
        await there.tick()
        kept = text("SELECT body FROM kept_events")
        rows = await there.service.desk.database.run(lambda tx: tx.execute(kept))
        assert [json.parse(row.body)["id"] for row in rows] == ["about"]
