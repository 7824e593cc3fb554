"""What a listener hears, on the bus of one process and on orchestrate with PostgreSQL alike (decision 13)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Protocol

import pytest

from lowtide.dsl import plan
from lowtide.effects import build
from lowtide.expressions import JqHost
from lowtide.model.state import Completed
from lowtide.runtime.inprocess import run_plan
from lowtide.testing.clock import VirtualClock
from tests.integration.orchestrate.world import World, document, world

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
WAITING: Final = "it still waits"


class Ground(Protocol):
    """Where a document may run. ``play`` gives its output, or ``WAITING``; the events of the world come one after the
    other, each when the execution waits."""

    async def play(self, source: str, events: Sequence[Event]) -> Any: ...


class InProcess:
    async def play(self, source: str, events: Sequence[Event]) -> Any:
        host, effects = JqHost(), build()
        try:
            given = plan(source, "sample.yaml")
            report = await run_plan(given, None, host=host, effects=effects, clock=VirtualClock(), events=events)
        finally:
            await effects.close()
            host.close()
        return report.outcome.output if isinstance(report.outcome, Completed) else WAITING


class OnThePlatform:
    def __init__(self, there: World) -> None:
        self._there = there

    async def play(self, source: str, events: Sequence[Event]) -> Any:
        await self._there.deploy(source)
        execution = (await self._there.start())["id"]
        for event in events:
            await self._settled(execution)
            given = dict(event)
            await self._there.send(given.pop("type"), given.pop("data", None), **given)
        shown = await self._settled(execution)
        for _ in range(60):  # what was published may still be on its way
            if shown["phase"] != "waiting":
                break
            await asyncio.sleep(0.05)
            shown = await self._settled(execution)
        return shown["output"] if shown["phase"] == "completed" else WAITING

    async def _settled(self, execution: str) -> dict[str, Any]:
        """The execution once it waits, or has ended."""
        while True:
            shown = await self._there.show(execution)
            if shown["phase"] not in ("pending", "running"):
                return shown
            await asyncio.sleep(0.02)


Grounds = Callable[[], contextlib.AbstractAsyncContextManager[Ground]]


@pytest.fixture(params=["in process", "on the platform"])
def grounds(request: pytest.FixtureRequest) -> Grounds:
    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[Ground]:
        if request.param == "in process":
            yield InProcess()
            return
        async with world(request.getfixturevalue("control_store")) as there:
            yield OnThePlatform(there)

    if request.param == "on the platform":
        request.getfixturevalue("control_store")
    return make


def tell(event_type: str, data: int = 1) -> str:
    return f"- tell{data}: {{emit: {{event: {{with: {{type: {event_type}, source: /me, data: {data}}}}}}}}}\n"


def hear(name: str, event_type: str, more: str = "") -> str:
    """One event, its data kept beside what was heard before."""
    listen = f"{{listen: {{to: {{one: {{with: {{type: {event_type}}}{more}}}}}}}"
    return f"- {name}: {listen}, export: {{as: '($context // []) + .'}}}}\n"


def expecting(value: object) -> str:
    return f", correlate: {{n: {{from: .data, expect: {value}}}}}"


def heard(do: str) -> str:
    """The output is all that was heard."""
    return document(do, head="output: {as: $context}\n")


async def test_an_event_from_before_the_listener_is_heard_by_it(grounds: Grounds) -> None:
    async with grounds() as ground:
        assert await ground.play(heard(tell("tick") + hear("one", "tick")), []) == [1]


async def test_what_woke_an_execution_is_not_heard_again_by_the_next_listener(grounds: Grounds) -> None:
    async with grounds() as ground:
        assert await ground.play(heard(tell("tick") + hear("one", "tick") + hear("two", "tick")), []) == WAITING


async def test_a_listener_that_knows_what_it_expects_hears_what_another_heard(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = tell("tick") + hear("one", "tick") + hear("two", "tick", expecting("'${ 1 }'"))
        assert await ground.play(heard(do), []) == [1, 1]


async def test_a_listener_that_knows_what_it_expects_hears_what_came_long_before(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = tell("tick", 7) + hear("one", "tock") + hear("two", "tick", expecting("'${ 7 }'"))
        assert await ground.play(heard(do), [{"type": "tock", "data": 2}]) == [2, 7]


async def test_one_that_does_not_hears_nothing_from_before_it_was_woken(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = tell("tick", 7) + hear("one", "tock") + hear("two", "tick")
        assert await ground.play(heard(do), [{"type": "tock", "data": 2}]) == WAITING


async def test_listeners_that_are_open_at_once_hear_the_same(grounds: Grounds) -> None:
    async with grounds() as ground:
        branches = [f"{{hear{n}: {{listen: {{to: {{one: {{with: {{type: tick}}}}}}}}}}}}" for n in (1, 2)]
        do = f"- both: {{fork: {{branches: [{', '.join(branches)}]}}}}\n"
        assert await ground.play(document(do), [{"type": "tick", "data": 3}]) == [[3], [3]]


async def test_each_of_several_listeners_takes_the_next_event(grounds: Grounds) -> None:
    async with grounds() as ground:
        events = [{"type": "tick", "id": str(n), "data": n} for n in (1, 2, 3)]
        do = "".join(hear(f"hear{n}", "tick") for n in (1, 2, 3))
        assert await ground.play(heard(do), events) == [1, 2, 3]


async def test_an_event_that_comes_twice_is_one(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = "- two: {listen: {to: {any: [{with: {type: tick}}], until: length == 2}}}\n"
        same = [{"type": "tick", "source": "/world", "id": "same", "data": 1}] * 2
        assert await ground.play(document(do), same) == WAITING


async def test_events_that_differ_in_their_source_are_two(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = "- two: {listen: {to: {any: [{with: {type: tick}}], until: length == 2}}}\n"
        events = [{"type": "tick", "source": source, "id": "same", "data": 1} for source in ("/here", "/there")]
        assert await ground.play(document(do), events) == [1, 1]


async def test_one_event_may_fit_several_filters_of_all(grounds: Grounds) -> None:
    async with grounds() as ground:
        do = "- both: {listen: {to: {all: [{with: {type: tick}}, {with: {source: /world}}]}}}\n"
        assert await ground.play(document(do), [{"type": "tick", "source": "/world", "data": 1}]) == [1, 1]


async def test_what_one_listener_learnt_the_next_one_expects(grounds: Grounds) -> None:
    async with grounds() as ground:
        learn = ", correlate: {order: {from: .data.order}}"
        do = hear("paid", "paid", learn) + hear("packed", "packed", learn)
        events = [
            {"type": "paid", "id": "1", "data": {"order": "a"}},
            {"type": "packed", "id": "2", "data": {"order": "b"}},
            {"type": "packed", "id": "3", "data": {"order": "a"}},
        ]
        assert await ground.play(heard(do), events) == [{"order": "a"}, {"order": "a"}]
