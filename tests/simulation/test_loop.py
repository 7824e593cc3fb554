"""The loop and the processes of simulated worlds, by what the rest relies on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from lowtide.testing.simulate.loop import Loop, Stuck
from lowtide.testing.simulate.process import Process


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.end()


def run(loop: Loop, work: Coroutine[Any, Any, Any]) -> Any:
    return loop.run_until_complete(work)


def test_time_jumps_to_what_is_due(loop: Loop) -> None:
    run(loop, asyncio.sleep(30 * 86_400))
    assert loop.time() == 30 * 86_400


def test_waiting_for_what_never_comes_is_an_error(loop: Loop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(loop, wait())


def test_a_dead_process_runs_nothing_more_not_even_a_finally(loop: Loop) -> None:
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1)
            told.append("went on")
        finally:
            told.append("cleaned up")

    async def world() -> None:
        process = Process("execute", 1)
        process.at_end(lambda: told.append("let go"))
        process.spawn(work())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(10)

    run(loop, world())
    assert told == ["let go"]


def test_a_frozen_process_goes_on_later_and_finds_its_time_gone(loop: Loop) -> None:
    told: list[float] = []

    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            told.append(loop.time())

    async def world() -> None:
        process = Process("execute", 1)
        process.spawn(work())
        await asyncio.sleep(1.5)
        process.freeze()
        await asyncio.sleep(20)
        process.thaw()
        await asyncio.sleep(5)

    run(loop, world())
    assert told == [1.0, 21.5, 22.5]


def test_what_was_called_off_before_a_thaw_does_not_happen(loop: Loop) -> None:
    told: list[str] = []

    async def work() -> None:
        soon = loop.call_later(1, told.append, "happened")
        loop.call_later(0.5, process.freeze)
        await asyncio.sleep(2)
        assert soon.cancelled()

    async def world() -> None:
        task = process.spawn(work())
        await asyncio.sleep(1.5)
        (held,) = process.held
        held.__self__.cancel()  # type: ignore[attr-defined]  # as whoever set the timer does
        process.thaw()
        await task

    process = Process("execute", 1)
    run(loop, world())
    assert told == []


def test_what_a_task_starts_dies_with_its_process(loop: Loop) -> None:
    told: list[str] = []

    async def grandchild() -> None:
        await asyncio.sleep(1)
        told.append("alive")

    async def work() -> None:
        await asyncio.gather(asyncio.create_task(grandchild()), asyncio.sleep(5))

    async def world() -> None:
        process = Process("execute", 1)
        process.spawn(work())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(10)

    run(loop, world())
    assert told == []
