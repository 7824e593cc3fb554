"""The tick as Knative sends it: an event of one fixed type, posted to the path that the manifests name."""

from __future__ import annotations

import pytest

from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.triggers import TICK_PATH
from lowtide.wire.types import DISPATCH
from tests.eventually import eventually
from tests.integration.orchestrate.world import document, world

pytestmark = pytest.mark.anyio

_PING = CloudEvent(
    {
        "specversion": "1.0",
        "type": "dev.knative.sources.ping",
        "source": "/apis/v1/namespaces/lowtide/pingsources/tick",
        "id": "8a9f2f0e-6d3f-4a53-9d3e-2f1f5b9c6f10",
        "time": "2026-11-23T12:00:00.13Z",
    },
    None,
)


async def test_the_tick_of_a_pingsource_fires_what_is_due(control_store: str) -> None:
    async with world(control_store) as there:
        await there.deploy(document("- nap: {wait: {seconds: 1}}\n- done: {set: {woken: true}}"))
        there.broker.paused = True  # the tick that orchestrate asks for itself does not arrive
        started = await there.start()
        async for attempt in eventually():
            with attempt:
                assert len(there.broker.of_type(DISPATCH)) == 1
        await there.broker.deliver(there.broker.of_type(DISPATCH)[0])
        assert (await there.show(started["id"]))["phase"] == "waiting"
        answer = await there.post(_PING, TICK_PATH)
        assert (answer.status_code, answer.content) == (202, b"")
        async for attempt in eventually():
            with attempt:
                assert (await there.show(started["id"]))["epoch"] == 2
