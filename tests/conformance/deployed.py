"""A workflow that is deployed: orchestrate starts it by its schedule, on PostgreSQL and in real time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lowtide.wire.cloudevents import from_json
from tests.eventually import eventually
from tests.integration.orchestrate.world import World, world

__all__ = ["run_deployed"]

_NAMESPACE = "/v1/namespaces/features"


async def run_deployed(
    database: str, definition: str, events: Sequence[dict[str, Any]], count: int, phase: str
) -> list[Any]:
    """Deploy, let the events occur one after the other, and give the first ``count`` executions in this phase.

    Raises ``AssertionError`` where there are fewer after a while.
    """
    async with world(database) as there:
        answer = await there.api.post(
            f"{_NAMESPACE}/workflows", content=definition, headers={"content-type": "application/yaml"}
        )
        assert answer.status_code == 201, answer.text
        for event in events:
            accepted = await there.post(from_json(event), f"{_NAMESPACE}/events")
            assert accepted.status_code == 202, accepted.text
        async for attempt in eventually(30):
            with attempt:
                found = await _executions(there)
                fitting = [one for one in found if one["phase"] == phase]
                assert len(fitting) >= count, found
        return fitting[:count]


async def _executions(there: World) -> list[Any]:
    listed = (await there.api.get(f"{_NAMESPACE}/executions")).json()["items"]
    shown = [(await there.api.get(f"{_NAMESPACE}/executions/{item['id']}")).json() for item in listed]
    return sorted(shown, key=lambda one: str(one["createdAt"]))
