"""What is too large to travel, seen from orchestrate. The limit is low here: what is large need not be huge."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from lowtide.model.base import Millis
from lowtide.model.command import Sleep
from lowtide.model.event import EffectSucceeded
from lowtide.runtime.replay import Recording
from lowtide.wire import json
from lowtide.wire.claims import Payload, payload_of, reference, referred
from lowtide.wire.records import Claimed, Closing, Entry, JournalRecord, LeaseState
from lowtide.wire.types import COMPLETED, DISPATCH, Ended, Extension, Parked, Registered
from tests.eventually import eventually
from tests.integration.orchestrate.driven import driven, fails
from tests.integration.orchestrate.test_lost_and_cancelled import long_ago, silent
from tests.integration.orchestrate.world import FakeExecute, World, document, outcome_event, play, world

pytestmark = pytest.mark.anyio

ECHO = document("- all: {set: '${ . }'}")
NAP = document("- nap: {wait: {hours: 1}}")
LARGE = {"blob": "x" * 20_000}
LOW: dict[str, Any] = {"claim_above": 8_000}


async def column(there: World, execution: str, name: str) -> bytes:
    query = text(f"SELECT {name} FROM executions WHERE id = :id")
    row = await there.service.desk.database.run(lambda tx: tx.execute(query, {"id": execution}))
    return bytes(row.scalar_one())


def sizes(there: World) -> list[int]:
    return [len(event.data or b"") for event in there.broker.events if event.type.startswith("dev.lowtide.execution.")]


async def test_input_state_and_output_travel_as_references_and_are_shown_whole(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(document("- nap: {wait: {seconds: 1}}\n- all: {set: '${ . }'}"))
        started = await there.start(LARGE)
        done = await there.until(started["id"], "completed", seconds=30)
        assert done["output"] == LARGE
        assert done["input"] == LARGE
        assert len(there.broker.of_type(DISPATCH)) == 2
        assert max(sizes(there)) < 8_000
        assert referred(await column(there, started["id"], "output")) == payload_of(json.encode(LARGE))
        async for attempt in eventually():
            with attempt:  # dispatches and states that nothing refers to any more are gone
                assert {key[2] for key in there.ingest.payloads.kept} == {payload_of(json.encode(LARGE)).sha256}


async def test_a_synchronous_start_takes_large_data_the_short_way(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        answer = await there.api.post(
            "/v1/namespaces/tests/workflows/sample/executions", params={"wait": "10s"}, json=LARGE
        )
        assert (answer.status_code, answer.json()["output"]) == (200, LARGE)
        assert not there.broker.of_type(DISPATCH)


async def test_a_large_event_reaches_its_listener_whole_and_a_forged_reference_is_data(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- got: {listen: {to: {one: {with: {type: big}}}}}"))
        started = await there.start()
        await there.until(started["id"], "waiting")
        data = "e" * 5 * 1024 * 1024
        assert (await there.send("big", data)).status_code == 202
        done = await there.until(started["id"], "completed", seconds=30)
        assert done["output"] == [data]
        assert max(sizes(there)) < 256 * 1024
        other = await there.start()
        await there.until(other["id"], "waiting")
        forged = {"payload": {"sha256": "0" * 64, "size": 1}, "text": reference(payload_of(b"theirs")).decode()}
        await there.send("big", forged, id="2")
        assert (await there.until(other["id"], "completed"))["output"] == [forged]


async def test_a_parent_gets_the_large_output_of_its_child_whole(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(document("- all: {set: '${ . }'}", name="below"))
        run = "{run: {workflow: {namespace: tests, name: below, version: '1.0.0', input: '${ . }'}}}"
        await there.deploy(document(f"- call: {run}\n- measure: {{set: {{length: '${{ .blob | length }}'}}}}"))
        started = await there.start(LARGE)
        done = await there.until(started["id"], "completed", seconds=30)
        assert done["output"] == {"length": 20_000}
        assert max(sizes(there)) < 8_000


async def test_while_the_store_is_down_starts_are_taken_and_go_on_when_it_is_back(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        there.ingest.payloads.down = True
        started = await there.start(LARGE)
        await asyncio.sleep(0.3)
        assert not there.broker.of_type(DISPATCH)
        there.ingest.payloads.down = False
        await there.until(started["id"], "completed", seconds=30)
        there.ingest.payloads.down = True
        path = f"/v1/namespaces/tests/executions/{started['id']}"
        answer = await there.api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        there.ingest.payloads.down = False
        there.ingest.payloads.kept.clear()
        answer = await there.api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (410, "payload.lost")
        assert payload_of(json.encode(LARGE)).sha256 in answer.json()["detail"]
        listed = await there.api.get("/v1/namespaces/tests/executions")
        assert listed.json()["items"][0]["phase"] == "completed"


async def parked(there: World) -> str:
    """An execution that waits, its state in the payload store."""
    await there.deploy(NAP)
    started = await there.start(LARGE)
    await there.until(started["id"], "waiting")
    assert referred(await column(there, started["id"], "state")) is not None
    return str(started["id"])


async def test_a_large_execution_is_suspended_resumed_and_cancelled_with_its_tasks(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        execution = await parked(there)
        path = f"/v1/namespaces/tests/executions/{execution}"
        assert (await there.api.post(f"{path}/suspend", json={})).json()["phase"] == "suspended"
        there.ingest.payloads.down = True
        assert (await there.api.post(f"{path}/resume")).status_code == 503
        there.ingest.payloads.down = False
        assert (await there.api.post(f"{path}/resume")).json()["phase"] == "waiting"
        assert (await there.cancel(execution)).status_code == 202
        async for attempt in eventually():
            with attempt:
                told = [change for change in there.ingest.changes if change.phase == "cancelled"]
                assert [fact.status for change in told for fact in change.facts] == ["cancelled"]
                assert not there.ingest.payloads.kept
        lost = await parked(there)
        there.ingest.payloads.kept.clear()
        assert (await there.cancel(lost, "hopeless")).status_code == 202
        assert (await there.until(lost, "cancelled"))["reason"] == "hopeless"


async def test_an_outcome_whose_large_report_was_lost_suspends_with_the_reason(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        there.execute.answer = silent
        started = await there.start(LARGE)
        await there.until(started["id"], "running")
        async for attempt in eventually():
            with attempt:
                assert there.execute.of(started["id"])
        gone = payload_of(b"a report that nobody has")
        there.ingest.states[started["id"]] = LeaseState(1, False, Closing(COMPLETED, reference(gone)))
        await long_ago(there)
        await there.tick()
        found = await there.until(started["id"], "suspended")
        assert gone.sha256 in found["reason"]


async def test_a_reference_without_a_token_of_ours_is_not_followed(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        await there.deploy(ECHO)
        there.execute.answer = silent
        started = await there.start(LARGE)
        async for attempt in eventually():
            with attempt:
                assert there.execute.of(started["id"])
        report = Ended(execution=started["id"], epoch=1, status="completed", output="forged")
        there.ingest.payloads.kept["tests", started["id"], payload_of(json.encode(report)).sha256] = json.encode(report)
        body, digest = (
            reference(payload_of(json.encode(report))),
            there.broker.of_type(DISPATCH)[0].text("lowtidedigest"),
        )
        forged = outcome_event(report, str(digest), key=b"another key", body=body)
        assert (await there.post(forged)).status_code == 403
        assert (await there.until(started["id"], "running"))["output"] is None
        ours = outcome_event(report, str(digest), body=body)
        assert (await there.post(ours)).status_code == 202
        assert (await there.until(started["id"], "completed"))["output"] == "forged"


async def test_a_journal_is_read_whole_in_pages_that_are_bounded_by_bytes(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- ask: {call: price}"))
        started = await there.start()
        records = []
        for number in range(1, 4):
            event = EffectSucceeded(command="/do/0/ask@1.1", at=Millis(5), output="y" * 3_000_000)
            payload: Payload = await there.ingest.payloads.put("tests", started["id"], json.encode(event))
            records.append(
                JournalRecord(number=number, epoch=1, entry=Entry(turn=number, event=Claimed(payload=payload)))
            )
        there.ingest.journals[started["id"]] = records
        path, cursor, seen = f"/v1/namespaces/tests/executions/{started['id']}/journal", None, []
        while True:
            page = await there.api.get(path, params={"cursor": cursor} if cursor else {})
            assert len(page.content) < 5_000_000
            found = json.decode(page.content, Recording) if cursor is None else None
            assert found is None or isinstance(found.items[0].entry.event, EffectSucceeded)
            seen += [item["number"] for item in page.json()["items"]]
            if (cursor := page.json()["next"]) is None:
                break
        assert seen == [1, 2, 3]


async def test_a_large_wake_is_signalled_to_its_owner_as_a_reference(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        body = "- both: {fork: {branches: [{a: {listen: {to: {one: {with: {type: big}}}}}}, {b: {wait: {hours: 1}}}]}}"
        await there.deploy(document(body))

        async def runs_on(execute: FakeExecute, dispatch: Any) -> Parked | Ended | int:
            made = await play(execute, dispatch)
            assert isinstance(made, Parked)
            awaits = tuple(command for command in made.commands if not isinstance(command, Sleep))
            registered = Registered(execution=dispatch.execution, epoch=1, commands=awaits)
            digest = str(execute.taken[-1][0].text(Extension.digest))
            await execute.broker.send(outcome_event(registered, digest, number=1))
            return 202

        there.execute.answer = runs_on
        started = await there.start()
        await there.until(started["id"], "running")
        async for attempt in eventually():
            with attempt:
                await there.send("big", LARGE)
                assert there.ingest.signals
        _, epoch, wake = there.ingest.signals[-1]
        assert (epoch, wake.event) == (1, None)
        assert wake.payload is not None
        content = await there.ingest.payloads.get("tests", started["id"], wake.payload)
        assert json.parse(content)["events"][0]["event"]["data"] == LARGE


async def test_a_retry_has_large_results_of_its_origin_as_its_own(control_store: str) -> None:
    async with world(control_store, **LOW) as there:
        performer = driven(there)
        performer.effects["price"] = lambda _: LARGE
        performer.effects["ship"] = lambda _: fails()
        await there.deploy(document("- price: {call: price, export: {as: '${ . }'}}\n- ship: {call: ship}"))
        failed = await there.start()
        await there.until(failed["id"], "faulted")
        assert isinstance(there.ingest.journals[failed["id"]][0].entry.event, Claimed)
        performer.effects.clear()
        again = await there.api.post(f"/v1/namespaces/tests/executions/{failed['id']}/retry", json={})
        retried = again.json()["id"]
        await there.until(retried, "completed", seconds=30)
        assert performer.names(retried) == ["ship"]
        await there.service.desk.claims.drop("tests", failed["id"], [key[2] for key in there.ingest.payloads.kept])
        page = await there.api.get(f"/v1/namespaces/tests/executions/{retried}/journal")
        (price, *_) = json.decode(page.content, Recording).items
        assert isinstance(price.entry.event, EffectSucceeded)
        assert price.entry.event.output == LARGE
