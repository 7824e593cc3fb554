"""Starts: one transaction, one dispatch, one outcome."""

from __future__ import annotations

import pytest

from tests.integration.orchestrate.world import document, world

GREET = document("- hello: {set: {greeting: '${ \"Hello \" + .name }'}}")

pytestmark = pytest.mark.anyio


async def test_an_execution_goes_by_the_broker_to_its_outcome(fresh_database: str) -> None:
    async with world(fresh_database) as there:
        await there.deploy(GREET)
        started = await there.start({"name": "Ada"})
        assert started["phase"] == "pending"
        shown = await there.until(started["id"], "completed")
        assert shown["output"] == {"greeting": "Hello Ada"}
        assert shown["input"] == {"name": "Ada"}
