"""Dead letters as operators see them: what is open, what redriving and discarding do."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.wire.cloudevents import from_json
from lowtide.wire.records import LeaseState
from lowtide.wire.types import DISPATCH, Ended, Extension
from tests.eventually import eventually
from tests.integration.orchestrate.test_lost_and_cancelled import GREET, dead, lost, silent
from tests.integration.orchestrate.test_rule_races import LISTEN, PAID
from tests.integration.orchestrate.world import World, outcome_event, play, world

pytestmark = pytest.mark.anyio

PATH = "/v1/namespaces/tests/deadletters"


async def listed(there: World, **query: Any) -> list[dict[str, Any]]:
    answer = await there.api.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def refused(there: World) -> str:
    """An execution that is suspended, for execute refuses its dispatch for good."""
    there.execute.answer = silent
    started = str((await there.start())["id"])
    async for attempt in eventually():
        with attempt:
            found = [event for event in there.broker.of_type(DISPATCH) if event.text(Extension.execution) == started]
            assert found
    await there.until(started, "running")
    await there.post(dead(found[0], 400, "no such snapshot format"), "/dead-letters")
    await there.until(started, "suspended")
    there.execute.answer = play
    return started


async def test_a_letter_says_what_was_done_about_it_and_is_open_where_nothing_more_happens(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution = await refused(there)
        (letter,) = await listed(there)
        assert (letter["execution"], letter["epoch"], letter["type"]) == (execution, 1, DISPATCH)
        assert (letter["verdict"], letter["open"], letter["code"]) == ("suspended", True, "400")
        assert letter["detail"] == "no such snapshot format"
        shown = (await there.api.get(f"{PATH}/{letter['id']}")).json()
        assert shown == {**letter, "event": None}
        assert (await there.api.get(f"/v1/namespaces/others/deadletters/{letter['id']}")).status_code == 404
        assert await listed(there, verdict="applied") == []
        assert await listed(there, open=True, execution=execution, type=DISPATCH) == [letter]


async def test_redriving_a_dispatch_lets_its_suspended_execution_go_on(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution = await refused(there)
        (letter,) = await listed(there)
        again = (await there.api.post(f"{PATH}/{letter['id']}/redrive")).json()
        assert (again["verdict"], again["open"], again["redrives"]) == ("again", False, 1)
        await there.until(execution, "completed")
        late = (await there.api.post(f"{PATH}/{letter['id']}/redrive")).json()
        assert (late["verdict"], late["redrives"]) == ("ignored", 2)
        assert len(there.execute.of(execution)) == 2


async def test_redriving_asks_the_journal_and_does_not_wait(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, _ = await lost(there)
        there.ingest.states[execution] = LeaseState(1, alive=True)
        await there.post(dead(there.broker.of_type(DISPATCH)[0], 503), "/dead-letters")
        (letter,) = await listed(there)
        assert (letter["verdict"], letter["open"]) == ("alive", False)
        assert (await there.api.post(f"{PATH}/{letter['id']}/redrive")).json()["verdict"] == "alive"
        there.ingest.states.clear()
        assert (await there.api.post(f"{PATH}/{letter['id']}/redrive")).json()["verdict"] == "again"
        await there.until(execution, "completed", 5)


async def test_redriving_an_outcome_or_an_event_is_done_once(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution, dispatch = await lost(there)
        digest = str(there.execute.taken[0][0].text(Extension.digest))
        ended = Ended(execution=dispatch.execution, epoch=1, status="completed", output=2)
        await there.post(dead(outcome_event(ended, digest), 500), "/dead-letters")
        form = {"specversion": "1.0", "id": "e", "source": "/world", "type": PAID, "data": 1}
        await there.post(dead(from_json(form), 500), "/dead-letters")
        event, outcome = await listed(there)
        assert (event["verdict"], event["namespace"], outcome["verdict"]) == ("ignored", None, "applied")
        assert (await there.api.get(f"{PATH}/{event['id']}")).json()["event"]["data"] == 1
        assert (await there.api.post(f"{PATH}/{outcome['id']}/redrive")).json()["verdict"] == "out of date"
        assert (await there.show(execution))["output"] == 2
        await there.deploy(LISTEN.replace("name: sample", "name: other"))
        waiting = (await there.start(name="other"))["id"]
        await there.until(waiting, "waiting")
        assert (await there.api.post(f"{PATH}/{event['id']}/redrive")).json()["verdict"] == "applied"
        assert (await there.until(waiting, "completed"))["output"] == [1]
        assert (await there.api.post(f"{PATH}/{event['id']}/redrive")).json()["verdict"] == "again"
        assert len(there.execute.of(waiting)) == 2, "whoever got it does not get it twice"


async def test_a_discarded_letter_is_not_redriven(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        execution = await refused(there)
        (letter,) = await listed(there)
        gone = (await there.api.post(f"{PATH}/{letter['id']}/discard")).json()
        assert (gone["verdict"], gone["open"]) == ("discarded", False)
        again = await there.api.post(f"{PATH}/{letter['id']}/redrive")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        assert (await there.show(execution))["phase"] == "suspended"
        for wrong in ("0", "x", "99"):
            assert (await there.api.post(f"{PATH}/{wrong}/discard")).status_code == 404
        assert (await there.api.get(PATH, params={"execution": "7"})).status_code == 400


async def test_many_are_redriven_by_an_operation(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(GREET)
        suspended = [await refused(there) for _ in range(3)]
        body = {"action": "redrive", "filter": {"open": True}, "rate": 500}
        dry = await there.api.post("/v1/namespaces/tests/operations", json={**body, "dryRun": True})
        assert dry.json() == {"action": "redrive", "matched": 3}
        operation = (await there.api.post("/v1/namespaces/tests/operations", json=body)).json()["id"]
        for execution in suspended:
            await there.until(execution, "completed")
        async for attempt in eventually():
            with attempt:
                shown = (await there.api.get(f"/v1/namespaces/tests/operations/{operation}")).json()
                assert (shown["phase"], shown["done"]) == ("completed", 3)
        assert await listed(there, open=True) == []
        wrong = {"action": "redrive", "filter": {"workflow": "x"}}
        assert (await there.api.post("/v1/namespaces/tests/operations", json=wrong)).status_code == 400
