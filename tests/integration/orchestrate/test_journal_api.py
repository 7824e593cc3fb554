"""The journal of an execution over HTTP."""

from __future__ import annotations

import pytest

from lowtide.expressions import JqHost
from lowtide.model.base import Millis
from lowtide.model.event import EffectSucceeded
from lowtide.runtime.replay import Recording, steps
from lowtide.wire import json
from lowtide.wire.records import Entry, JournalRecord
from tests.integration.orchestrate.world import document, world

pytestmark = pytest.mark.anyio


async def test_plan_seed_and_records_are_all_that_a_replay_needs(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- ask: {call: price}\n- done: {set: {price: '${ . }'}}"))
        started = await there.start({"n": 12345678901234567890})
        events = [EffectSucceeded(command="/do/0/ask@1.1", at=Millis(5), output=number) for number in range(3)]
        there.ingest.journals[started["id"]] = [
            JournalRecord(number=number, epoch=1, entry=Entry(turn=1, event=event))
            for number, event in enumerate(events, 1)
        ]
        path = f"/v1/namespaces/tests/executions/{started['id']}/journal"
        page = (await there.api.get(path, params={"limit": 2})).content
        recording = json.decode(page, Recording)
        assert recording.seed.input == {"n": 12345678901234567890}
        assert [item.number for item in recording.items] == [1, 2]
        played = list(steps(recording.plan, recording.seed, recording.items, JqHost()))
        assert played[1].outcome is not None
        rest = (await there.api.get(path, params={"cursor": json.parse(page)["next"]})).json()
        assert ([item["number"] for item in rest["items"]], rest["next"]) == ([3], None)
        assert "plan" not in rest


async def test_what_cannot_be_read_is_a_problem(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- done: {set: {done: true}}"))
        started = await there.start()
        path = f"/v1/namespaces/tests/executions/{started['id']}/journal"
        wrong = [
            (path.replace("/tests/", "/others/"), {}, 404),
            (path.replace(started["id"], "7"), {}, 404),
            (path, {"cursor": "nonsense"}, 400),
            (path, {"limit": "0"}, 400),
        ]
        for url, query, status in wrong:
            answer = await there.api.get(url, params=query)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        there.ingest.down = True
        assert (await there.api.get(path)).status_code == 503
