"""The driver loop on a journal in memory and a virtual clock: what is durable before what, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lowtide.errors import Fenced, Held, TaskFailed, Unavailable
from lowtide.expressions import JqHost
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Passive, Perform
from lowtide.model.error import standard_error
from lowtide.model.event import CancelAsked, ChildEnded, EffectSucceeded, Event, Forked
from lowtide.model.fact import Fact
from lowtide.model.state import Seed
from lowtide.model.usage import Usage
from lowtide.runtime.driver import Driver, Gone, Reply
from lowtide.runtime.ports import Subject
from lowtide.runtime.work import Policy, Ports, Work
from lowtide.testing.clock import VirtualClock
from lowtide.testing.journal import JournalStore, MemoryJournal
from lowtide.wire.json import decode
from lowtide.wire.types import Ended, Parked, Wake
from tests.plays import document

pytestmark = pytest.mark.anyio

EXECUTION = ExecutionId("01900000-0000-7000-8000-000000000001")


class Crash(BaseException):
    """The process is gone."""


@dataclass
class World:
    """One installation: what outlives its processes, and what they did."""

    store: JournalStore = field(default_factory=lambda: JournalStore(VirtualClock(waits=False)))
    performed: list[tuple[str, str]] = field(default_factory=list)
    registered: list[Passive] = field(default_factory=list)
    published: list[dict[str, JSON]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    effect: Callable[[Perform], Any] = lambda command: command.arguments["endpoint"]
    delay: float = 0.0
    host: JqHost = field(default_factory=JqHost)

    async def perform(self, command: Perform, key: str) -> JSON:
        self.performed.append((command.reference, key))
        if self.delay:
            await self.store.clock.sleep(self.delay)
        return self.effect(command)

    async def publish(self, event: dict[str, JSON]) -> None:
        self.published.append(event)

    async def register(self, commands: tuple[Passive, ...]) -> None:
        self.registered.extend(commands)

    def driver(self, body: str, owner: str = "one", *, input: JSON = None, epoch: int = 1, **more: Any) -> Driver:
        subject = Subject("tests", "sample", "1.0.0", EXECUTION)
        seed = Seed(execution=EXECUTION, input=input, at=self.store.clock.now(), random=0.5)
        if "snapshot" in more:
            seed = None  # type: ignore[assignment]
        work = Work(subject, epoch, "digest", document(body), seed, **more)
        journal = self.store.journals.get(owner) or MemoryJournal(self.store, owner)
        history = _History(self)
        clock = self.store.clock
        return Driver(work, Ports(journal, self, self, history, clock, self.host, self.register))


class _History:
    def __init__(self, world: World) -> None:
        self._world = world

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None:
        self._world.facts += facts

    def log(self, subject: Subject, level: str, message: str, task: str = "", fields: Any = None) -> None: ...

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None: ...


def calls(*names: str) -> str:
    tasks = ", ".join(f"{{{name}: {{call: http, with: {{method: get, endpoint: 'http://{name}'}}}}}}" for name in names)
    return f"do: [{tasks}]"


async def until(condition: Callable[[], object]) -> None:
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("not in time")


def command_of(event: Event) -> str:
    assert not isinstance(event, CancelAsked | Forked)
    return event.command


def ended(reply: Reply) -> Ended:
    return decode(reply.body, Ended)


async def test_results_are_journaled_before_what_follows_is_started() -> None:
    world = World()
    await world.driver(calls("a", "b")).run()
    assert [reference for reference, _ in world.performed] == ["/do/0/a", "/do/1/b"]
    assert [command_of(entry.happened) for _, entry in world.store.entries(EXECUTION)] == ["/do/0/a@1.1", "/do/1/b@1.2"]


async def test_what_an_effect_took_is_told_with_the_end_of_its_task() -> None:
    world = World(delay=2.0, effect=lambda command: "x" * 1000)
    driver = world.driver(calls("a", "b"))
    await driver.run()
    told = {(fact.name, fact.status): fact.spent for fact in world.facts}
    spent = told["a", "completed"]
    assert told["a", "running"] is None
    assert spent is not None
    assert (spent.effect, spent.active_ms, spent.duration_ms) == ("http", 2000.0, 2000.0)
    assert spent.bytes_in > 1000 > spent.bytes_out > len("http://a")
    meter = driver.meter
    other = told["b", "completed"]
    assert other is not None
    assert (meter.kinds, meter.bytes_in) == ({"http": 2}, spent.bytes_in + other.bytes_in)
    assert meter.bytes_out == spent.bytes_out + other.bytes_out


async def test_tokens_that_an_answer_reports_are_told_of_the_task_and_of_the_invocation() -> None:
    world = World(effect=lambda command: {"usage": {"prompt_tokens": 12, "completion_tokens": 3}})
    driver = world.driver(calls("a", "b"))
    await driver.run()
    spent = [fact.spent for fact in world.facts if fact.status == "completed" and fact.spent is not None]
    assert [(one.input_tokens, one.output_tokens) for one in spent] == [(12, 3), (12, 3)]
    assert (driver.meter.input_tokens, driver.meter.output_tokens) == (24, 6)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
async def test_a_crash_around_any_journal_write_loses_and_repeats_nothing_acknowledged(moment: str, at: int) -> None:
    world = World()
    seen = 0

    def crash(when: str, execution: ExecutionId, epoch: int) -> None:
        nonlocal seen
        seen += when == moment
        if when == moment and seen == at:
            raise Crash

    world.store.on_append = crash
    body = calls("a", "b", "c", "d")
    try:
        reply = await world.driver(body, "one").run()
    except Crash:
        world.store.journals["one"].freeze()
        acknowledged = {command_of(entry.happened) for _, entry in world.store.entries(EXECUTION)}
        before = [reference for reference, _ in world.performed]
        await world.store.clock.sleep(world.store.ttl + 1)
        reply = await world.driver(body, "two").run()
        repeated = [reference for reference, _ in world.performed[len(before) :] if reference in before]
        assert not {f"{reference}" for reference in repeated} & {name.partition("@")[0] for name in acknowledged}
        assert len(repeated) <= 1
    assert ended(reply).output == "http://d"
    keys = dict.fromkeys(key for _, key in world.performed)
    assert len(keys) == 4


async def test_effects_of_a_fork_run_at_the_same_time() -> None:
    world = World(delay=10.0)
    branches = ", ".join(
        f"{{{name}: {{call: http, with: {{method: get, endpoint: 'http://{name}'}}}}}}" for name in "abc"
    )
    before = world.store.clock.monotonic()
    reply = await world.driver(f"do: [{{f: {{fork: {{branches: [{branches}]}}}}}}]").run()
    assert ended(reply).output == ["http://a", "http://b", "http://c"]
    assert world.store.clock.monotonic() - before < 11


async def test_a_short_wait_stays_and_a_long_one_parks() -> None:
    short, long = World(), World()
    assert ended(await short.driver("do: [{w: {wait: PT4S}}]").run()).status == "completed"
    parked = decode((await long.driver("do: [{w: {wait: PT6S}}]").run()).body, Parked)
    assert [command.id for command in parked.commands] == ["/do/0/w@1.1"]
    assert not parked.resume_now


async def test_a_deadline_that_passes_cancels_the_effect_in_flight() -> None:
    world = World(delay=60.0)
    body = "do: [{c: {call: http, with: {method: get, endpoint: 'http://x'}, timeout: {after: PT2S}}}]"
    result = ended(await world.driver(body).run())
    assert result.error is not None
    assert result.error.status == 408
    assert world.store.clock.monotonic() < 10


async def test_what_cannot_fit_the_budget_is_left_to_the_next_invocation() -> None:
    world = World(delay=8.0)
    parked = decode((await world.driver(calls("a", "b", "c"), policy=Policy(budget=40_000)).run()).body, Parked)
    assert parked.resume_now
    assert [reference for reference, _ in world.performed] == ["/do/0/a", "/do/1/b"]
    reply = await world.driver(calls("a", "b", "c"), epoch=2, snapshot=parked.snapshot).run()
    assert ended(reply).output == "http://c"
    assert len(world.performed) == 3


async def test_an_effect_that_outlasts_every_budget_still_gets_one() -> None:
    world = World()
    body = "do: [{c: {call: http, with: {method: get, endpoint: 'http://x'}, timeout: {after: PT10M}}}]"
    assert ended(await world.driver(body).run()).output == "http://x"


async def test_stopping_lets_effects_end_and_parks() -> None:
    world = World(delay=5.0)
    driver = world.driver(calls("a", "b"))
    running = asyncio.ensure_future(driver.run())
    await until(lambda: world.performed)
    driver.stop()
    parked = decode((await running).body, Parked)
    assert parked.resume_now
    assert parked.snapshot.upto == 1
    assert len(world.performed) == 1


async def test_a_signal_without_an_event_makes_it_yield() -> None:
    world = World(delay=5.0)
    running = asyncio.ensure_future(world.driver(calls("a", "b")).run())
    await until(lambda: world.performed)
    assert world.store.signal(EXECUTION, 1, Wake(key="yield", event=None))
    parked = decode((await running).body, Parked)
    assert parked.resume_now
    assert [reference for reference, _ in world.performed] == ["/do/0/a"], "what was in flight ended, nothing began"
    assert parked.consumed == (), "no inbox row stands behind it"


async def test_a_busy_loop_stops_for_the_budget_and_goes_on_from_its_snapshot() -> None:
    world = World()
    body = "do: [{a: {set: '${ . + 1 }'}}, {b: {switch: [{again: {when: '. < 3000', then: a}}]}}]"
    driver = world.driver(body, input=0)
    driver.stop()
    parked = decode((await driver.run()).body, Parked)
    assert parked.resume_now
    assert ended(await world.driver(body, epoch=2, snapshot=parked.snapshot).run()).output == 3000


async def test_a_signal_is_journaled_with_its_key_and_consumed_once() -> None:
    world = World(delay=5.0)
    body = """
do:
- both:
    fork:
      branches:
      - call: {call: http, with: {method: get, endpoint: 'http://x'}}
      - child: {run: {workflow: {namespace: tests, name: other, version: '1.0.0'}}}
"""
    running = asyncio.ensure_future(world.driver(body).run())
    await until(lambda: world.registered)
    end = ChildEnded(command=world.registered[0].id, execution="c", output=7, at=world.store.clock.now())
    for _ in range(2):
        assert world.store.signal(EXECUTION, 1, Wake(key="child", event=end))
    result = ended(await running)
    assert result.output == ["http://x", 7]
    assert result.consumed == ("child",)
    assert [entry.key for _, entry in world.store.entries(EXECUTION)] == ["child", None]


async def test_wakes_of_the_dispatch_that_the_tail_already_has_are_not_fed_again() -> None:
    world = World()
    wake = Wake(key="k", event=CancelAsked(at=world.store.clock.now(), reason="r"))
    first = await world.driver("do: [{w: {wait: PT1H}}]", wakes=(wake,)).run()
    again = await world.driver("do: [{w: {wait: PT1H}}]", wakes=(wake,)).run()
    assert first == again
    assert len(world.store.entries(EXECUTION)) == 1


async def test_a_second_owner_is_held_an_older_epoch_is_gone() -> None:
    world = World(delay=5.0)
    running = asyncio.ensure_future(world.driver(calls("a"), "one").run())
    await until(lambda: world.performed)
    with pytest.raises(Held):
        await world.driver(calls("a"), "two").run()
    await running
    await world.driver(calls("a"), "two", epoch=2).run()
    with pytest.raises(Gone):
        await world.driver(calls("a"), "one").run()


async def test_a_frozen_owner_that_wakes_up_is_fenced_and_starts_nothing_more() -> None:
    world = World(delay=60.0)
    running = asyncio.ensure_future(world.driver(calls("a", "b"), "one").run())
    await until(lambda: world.performed)
    world.store.journals["one"].freeze()
    await world.store.clock.sleep(world.store.ttl + 1)
    assert ended(await world.driver(calls("a", "b"), "two").run()).output == "http://b"
    world.store.journals["one"].thaw()
    with pytest.raises(Fenced):
        await running
    assert [reference for reference, _ in world.performed].count("/do/1/b") == 1


async def test_a_failure_seen_by_a_process_that_was_frozen_is_not_believed() -> None:
    """Its own clock ran on while its answers lay unread; nobody took the execution over meanwhile."""
    world = World()
    mine = world.driver(calls("a", "b"), "one")
    journal = world.store.journals["one"]

    async def times_out_once(command: Perform, key: str) -> JSON:
        world.performed.append((command.reference, key))
        if len(world.performed) == 1:
            journal.freeze()
            await world.store.clock.sleep(world.store.ttl + 1)
            world.store.on_append = lambda *_: journal.thaw()
            raise TaskFailed(standard_error("timeout", "no answer within 15 s"))
        return command.arguments["endpoint"]

    world.perform = times_out_once  # type: ignore[method-assign]
    assert ended(await mine.run()).output == "http://b"
    first, again, _ = world.performed
    assert first == again
    assert all(isinstance(entry.happened, EffectSucceeded) for _, entry in world.store.entries(EXECUTION))


async def test_a_failure_seen_by_a_process_that_lost_its_execution_is_not_journaled() -> None:
    world = World()
    mine, other = (world.driver(calls("a"), owner) for owner in ("one", "two"))

    async def fails_when_taken_over(command: Perform, key: str) -> JSON:
        world.perform = World.perform.__get__(world)  # type: ignore[method-assign]
        world.store.journals["one"].freeze()
        await world.store.clock.sleep(world.store.ttl + 1)
        await other.run()
        raise TaskFailed(standard_error("timeout", "no answer within 15 s"))

    world.perform = fails_when_taken_over  # type: ignore[method-assign]
    with pytest.raises(Fenced):
        await mine.run()
    ((_, entry),) = world.store.entries(EXECUTION)
    assert isinstance(entry.happened, EffectSucceeded)


async def test_a_journal_that_is_down_ends_the_invocation_for_redelivery() -> None:
    world = World()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.driver(calls("a")).run()
    assert world.performed == []


async def test_a_fault_of_an_effect_is_the_tasks_error() -> None:
    nothing: dict[str, JSON] = {}
    world = World(effect=lambda command: nothing["missing"])
    result = ended(await world.driver(calls("a")).run())
    assert result.error is not None
    assert result.error.type.endswith("/runtime")
    assert "KeyError" in (result.error.detail or "")
