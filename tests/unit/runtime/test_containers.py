"""A container from its start to its end in this process, when nobody waits for it any more."""

from __future__ import annotations

import asyncio

import pytest

from lowtide.model.command import Container, RunContainer
from lowtide.model.container import Order
from lowtide.runtime.containers import run_here
from lowtide.testing.containers import FakeContainers

pytestmark = pytest.mark.anyio


class Slow(FakeContainers):
    """Like a daemon: what it was asked for it goes on making, though the one who asked has gone."""

    def __init__(self) -> None:
        super().__init__({"slow": None})
        self.asked = asyncio.Event()
        self.making: list[asyncio.Task[None]] = []

    async def start(self, order: Order) -> None:
        self.making.append(asyncio.create_task(self._make(order)))
        self.asked.set()
        await asyncio.shield(self.making[-1])

    async def _make(self, order: Order) -> None:
        await asyncio.sleep(0.1)
        await super().start(order)


async def test_one_that_is_given_up_while_it_is_being_made_is_ended() -> None:
    containers = Slow()
    command = RunContainer(id="c", container=Container(image="slow"), reference="/do/0/r")
    running = asyncio.ensure_future(run_here(containers, command, "e", most=30.0, wanted=lambda: True))
    await containers.asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.gather(*containers.making)
    assert len(containers.ended) == 1
    assert containers.there == []
