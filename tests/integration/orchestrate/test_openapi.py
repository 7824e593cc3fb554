"""The API answers as its OpenAPI document says, whatever it is asked: of what there is and of what there is not."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.orchestrate.test_human_tasks import asking, waiting
from tests.integration.orchestrate.world import document, world

pytestmark = pytest.mark.anyio


async def test_every_answer_is_one_that_the_openapi_document_tells_of(control_store: str) -> None:
    from tests.conforming import conforms  # here, so that other tests need not pay for these imports

    async with world(control_store) as there:
        await there.deploy(asking("assignee: {user: ann}", name="approve"))
        await there.deploy(document("- refuse: {raise: {error: {type: 'https://example.com/no', status: 409}}}\n"))
        waits, task = await waiting(there, name="approve")
        faulted = (await there.start({"order": 1}))["id"]
        await there.until(faulted, "faulted")
        known = {
            "namespace": ["tests"],
            "name": ["approve", "sample"],
            "version": ["1.0.0"],
            "execution": [waits, faulted],
            "task": [task],
        }
        asked = await asyncio.to_thread(conforms, there.url, "/v1/openapi.json", known)
        assert {"POST /v1/namespaces/{namespace}/workflows/{name}/executions", "POST /events"} <= set(asked)
