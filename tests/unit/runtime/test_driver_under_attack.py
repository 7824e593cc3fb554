"""Effects that do not behave, loops that do not end, and errors that come together with results."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import lowtide
from lowtide.effects import EffectTable
from lowtide.errors import Unavailable
from lowtide.expressions import JqHost, Limits
from lowtide.model.command import Passive, Perform
from lowtide.model.state import Completed, Faulted
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.inprocess import Report, run_plan
from lowtide.runtime.steps import StepRegistry
from lowtide.runtime.work import Policy
from lowtide.testing.clock import VirtualClock
from tests.plays import document
from tests.unit.runtime.test_driver import EXECUTION, World, calls, command_of, ended

pytestmark = pytest.mark.anyio


async def run_step(function: Any, more: str = "") -> Report:
    registry = StepRegistry([lowtide.step("s")(function)])
    made = document(f"do: [{{t: {{call: s{more}}}}}]")
    async with asyncio.timeout(10):
        return await run_plan(
            made, None, host=JqHost(), effects=EffectTable({"step": registry.perform}), clock=SystemClock()
        )


def stops() -> None:
    next(iter([]))


def exits() -> None:
    raise SystemExit(3)


async def exits_too() -> None:
    raise SystemExit(3)


async def is_cancelled() -> None:
    raise asyncio.CancelledError


def writes_half_a_character() -> str:
    return "\ud800"


@pytest.mark.parametrize("function", [stops, exits, exits_too, is_cancelled, writes_half_a_character])
async def test_whatever_a_step_does_is_its_tasks_failure(function: Any) -> None:
    report = await run_step(function)
    assert isinstance(report.outcome, Faulted)
    assert report.outcome.error.type.endswith("/runtime")


async def test_an_effect_that_does_not_keep_to_its_time_is_ended() -> None:
    world = World()

    async def hangs(command: Perform, key: str) -> None:
        await asyncio.sleep(60)

    world.perform = hangs  # type: ignore[method-assign]
    began = time.monotonic()
    result = ended(await world.driver(calls("a"), policy=Policy(effect_timeout=100)).run())
    assert result.error is not None
    assert result.error.status == 408
    assert time.monotonic() - began < 5


BUSY = "{spin: {do: [{a: {set: '${ . + 1 }'}}, {b: {switch: [{again: {when: '. < %s', then: a}}]}}]}}"


async def test_a_loop_without_an_end_meets_its_deadline() -> None:
    made = document(f"timeout: {{after: {{milliseconds: 300}}}}\ndo: [{BUSY % '1e300'}]")
    async with asyncio.timeout(20):
        report = await run_plan(made, 0, host=JqHost(), effects=EffectTable({}), clock=SystemClock())
    assert isinstance(report.outcome, Faulted)
    assert report.outcome.error.status == 408


async def test_an_effect_beside_a_busy_loop_does_not_wait_for_its_end() -> None:
    world = World()
    call = "{call: {call: http, with: {method: get, endpoint: 'http://x'}}}"
    driver = world.driver(f"do: [{{f: {{fork: {{branches: [{call}, {BUSY % 5000}]}}}}}}]", input=0)
    turns: list[int] = []
    world.effect = lambda command: turns.append(driver.state.turn)
    assert ended(await driver.run()).output == [None, 5000]
    assert turns[0] < driver.state.turn - 3


async def test_virtual_time_does_not_jump_over_a_long_computation() -> None:
    clock = VirtualClock()
    made = document(f"timeout: {{after: PT1H}}\ndo: [{BUSY % 20000}]")
    report = await run_plan(made, 0, host=JqHost(), effects=EffectTable({}), clock=clock)
    assert report.outcome == Completed(output=20000)
    assert clock.monotonic() < 1


async def test_an_error_takes_no_result_with_it() -> None:
    world = World()
    together = asyncio.Event()

    async def performed(command: Perform, key: str) -> str:
        await together.wait()
        return "done"

    async def broken(commands: tuple[Passive, ...]) -> None:
        together.set()
        await asyncio.sleep(0)
        raise Unavailable("the broker is down")

    world.perform = performed  # type: ignore[method-assign]
    world.register = broken  # type: ignore[method-assign]
    child = "{child: {run: {workflow: {namespace: tests, name: other, version: '1.0.0'}, await: false}}}"
    call = "{call: {call: http, with: {method: get, endpoint: 'http://x'}}}"
    with pytest.raises(Unavailable):
        await world.driver(f"do: [{{f: {{fork: {{branches: [{call}, {child}]}}}}}}]").run()
    assert [command_of(entry.happened) for _, entry in world.store.entries(EXECUTION)] == [
        "/do/0/f/fork/branches/0/call@1.1.1"
    ]


async def test_a_slow_expression_keeps_nobody_else_waiting() -> None:
    world = World(host=JqHost(limits=Limits(seconds=0.5)))
    driver = world.driver("do: [{a: {set: '${ last(range(1e9)) }'}}]")
    longest, last = 0.0, time.monotonic()
    running = asyncio.ensure_future(driver.run())
    while not running.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    world.host.close()
    result = ended(await running)
    assert result.error is not None
    assert "longer than 0.5 s" in (result.error.detail or "")
    assert longest < 0.4


async def test_healthy_executions_complete_while_a_runaway_runs_in_the_same_process() -> None:
    host = JqHost(limits=Limits(seconds=3.0))
    runaway = World(host=host).driver("do: [{a: {set: '${ [limit(3e7; repeat(1))] }'}}]")
    running = asyncio.ensure_future(runaway.run())
    await asyncio.sleep(0.05)
    loop = "do: [{f: {for: {in: '[1, 2, 3]'}, do: [{s: {set: {n: '${ (.n // 0) + ($item % 2) }'}}}]}}]"
    for _ in range(5):
        healthy = ended(await World(host=host).driver(loop).run())
        assert healthy.output == {"n": 2}
    assert not running.done()
    result = ended(await running)
    host.close()
    assert result.error is not None
    assert result.error.type.endswith("/expression")


async def test_steps_that_hang_keep_no_turn_waiting() -> None:
    """The loop's own threads compute turns and look names up; steps have others."""
    release = threading.Event()
    registry = StepRegistry([lowtide.step("s")(lambda: release.wait(10))])
    command = Perform(id="x", call="step", arguments={"name": "s", "with": None}, reference="/do/0/x")
    hanging = [asyncio.ensure_future(registry.perform(command, "k")) for _ in range(40)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        assert await asyncio.to_thread(lambda: 1) == 1
    release.set()
    await asyncio.gather(*hanging)
