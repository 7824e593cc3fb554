"""Tasks that no request waits for."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from functions.orchestrate.background import Background

pytestmark = pytest.mark.anyio


async def test_work_that_is_cancelled_before_it_begins_is_closed() -> None:
    async def work() -> None:
        raise AssertionError("it has begun")

    given = work()
    task = Background().spawn(given, "working")
    task.cancel()
    await asyncio.wait([task])
    assert inspect.getcoroutinestate(given) == inspect.CORO_CLOSED
