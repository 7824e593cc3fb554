"""A workflow from start to outcome in this process, without any server: what ``lowtide run`` and tests use.

The driver loop is the one that execute runs; here nothing is durable, nothing parks, children run beside their parent,
and a bus carries the given events and the emitted ones to the listeners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from lowtide.engine import Host
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Await, Command, Passive, RunChild, RunContainer, Sleep
from lowtide.model.error import Error, standard_error
from lowtide.model.event import CancelAsked, ChildEnded, EffectFailed, EffectSucceeded, Event
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Cancelled, Completed, Faulted, Outcome, Seed
from lowtide.model.usage import Usage
from lowtide.runtime.active import is_served_elsewhere
from lowtide.runtime.bus import Bus
from lowtide.runtime.chance import new_execution_id, uniform
from lowtide.runtime.clock import Clock
from lowtide.runtime.containers import Containers, run_here
from lowtide.runtime.driver import Driver
from lowtide.runtime.masked import masked
from lowtide.runtime.ports import Closing, Effects, Opened, Subject
from lowtide.runtime.telling import Tell, Teller
from lowtide.runtime.work import Policy, Ports, Work
from lowtide.wire import json
from lowtide.wire.records import Entry
from lowtide.wire.types import PARKED, Ended, Level, Parked, Snapshot, Wake

__all__ = ["Pause", "Report", "run_plan"]

_CONTAINER_SECONDS: Final = 3600.0
_FOREVER: Final = Policy(budget=10 * 365 * 86_400_000, stay=True)

Find = Callable[[str, str, str | None], Plan | None]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. ``outcome`` is ``None`` where nothing is left that could wake it: ``waiting`` says for what."""

    outcome: Outcome | None
    facts: tuple[Fact, ...]
    waiting: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """Suspends an execution when ``asked`` is set, once its effects in flight have ended, until ``over`` is set."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def run_plan(
    plan: Plan,
    input: JSON,
    *,
    host: Host,
    effects: Effects,
    clock: Clock,
    events: Sequence[dict[str, JSON]] = (),
    find: Find = lambda namespace, name, version: None,
    on_facts: Callable[[tuple[Fact, ...]], None] | None = None,
    cancelled: asyncio.Event | None = None,
    containers: Containers | None = None,
    pause: Pause | None = None,
    on_lifecycle: Tell | None = None,
    lifecycle: Level = "task",
) -> Report:
    """Run one workflow to its end.

    ``events`` (CloudEvents in JSON form) occur one after the other, each as soon as somebody listens for it.
    ``find`` gives the plans of ``run: workflow``. Setting ``cancelled`` cancels, ``pause`` suspends. ``on_lifecycle``
    is told the lifecycle events of ``lifecycle``, or of what a document wants instead, its children's among them.
    Without ``containers`` none is run.
    """
    town = _Town(host, effects, clock, find, events, containers, (on_lifecycle, lifecycle))
    facts: list[Fact] = []

    def keep(new: tuple[Fact, ...]) -> None:
        facts.extend(new)
        if on_facts is not None and new:
            on_facts(new)

    top = _Execution(town, plan, input, keep, pause or Pause())
    running = asyncio.ensure_future(top.run())
    stuck = asyncio.ensure_future(town.stuck.wait())
    asked = asyncio.ensure_future((cancelled or asyncio.Event()).wait())
    try:
        await asyncio.wait({running, stuck, asked}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done() and not running.done():
            top.signal("cancel", CancelAsked(at=clock.now()))
            await asyncio.wait({running})
        if running.done():
            return Report(running.result(), tuple(facts))
        return Report(None, tuple(facts), tuple(top.driver.state.pending.values()))
    finally:
        for task in (running, stuck, asked):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await town.close()


class _Town:
    """What the executions of one run share: the bus, the children, and who is idle."""

    def __init__(
        self,
        host: Host,
        effects: Effects,
        clock: Clock,
        find: Find,
        events: Sequence[dict[str, JSON]],
        containers: Containers | None,
        telling: tuple[Tell | None, Level],
    ) -> None:
        self.host, self.effects, self.clock, self.find, self.telling = host, effects, clock, find, telling
        self._containers = containers
        self.stuck = asyncio.Event()
        self.bus = Bus(host, clock, events)
        self._idle: dict[ExecutionId, bool] = {}
        self._children: set[asyncio.Task[None]] = set()

    async def publish(self, event: dict[str, JSON]) -> None:
        self.bus.publish(event)

    # -------------------------------------------------------- children

    def start(self, parent: _Execution, command: RunChild) -> None:
        plan = self.find(command.namespace, command.workflow, command.version)
        if plan is None:
            wanted = f"{command.namespace}/{command.workflow}" + (f":{command.version}" if command.version else "")
            error = standard_error(
                "configuration", f"there is no workflow {wanted}; give its document with --also FILE"
            )
            self._ended(parent, command, "", Faulted(error))
            return
        child = _Execution(self, plan, command.input, lambda facts: None)
        task = asyncio.ensure_future(self._run_child(parent, command, child))
        self._children.add(task)
        task.add_done_callback(self._children.discard)

    async def _run_child(self, parent: _Execution, command: RunChild, child: _Execution) -> None:
        try:
            self._ended(parent, command, child.id, await child.run())
        finally:
            self.gone(child.id)  # after its parent knows: between the two, nobody must look idle

    def _ended(self, parent: _Execution, command: RunChild, child: str, outcome: Outcome) -> None:
        if command.detached:
            return
        output, error = outcome.output if isinstance(outcome, Completed) else None, _error_of(outcome)
        ended = ChildEnded(
            command=command.id, execution=child, output=output, error=error, at=self.clock.now(), random=uniform()
        )
        parent.signal(f"{command.id} ended", ended)

    # -------------------------------------------------------- containers

    def start_container(self, parent: _Execution, command: RunContainer) -> None:
        itself = ExecutionId(f"{parent.id} {command.id}")
        self.busy(itself)
        task = asyncio.ensure_future(self._run_container(parent, command, itself))
        self._children.add(task)
        task.add_done_callback(self._children.discard)

    async def _run_container(self, parent: _Execution, command: RunContainer, itself: ExecutionId) -> None:
        """Nobody is stuck while a container runs, and time that is not real stands still."""
        happened: EffectSucceeded | EffectFailed
        try:
            try:
                with self.clock.working():
                    output = await self._contain(parent, command)
                happened = EffectSucceeded(command=command.id, output=output, at=self.clock.now(), random=uniform())
            except TaskFailed as failure:
                happened = EffectFailed(command=command.id, error=failure.error, at=self.clock.now(), random=uniform())
            if not command.detached and command.id in parent.driver.state.pending:
                parent.signal(f"{command.id} ended", happened)
        finally:
            self.gone(itself)  # after its parent knows, as with children

    async def _contain(self, parent: _Execution, command: RunContainer) -> JSON:
        if self._containers is None:
            raise TaskFailed(standard_error("configuration", "nothing runs containers here"))
        return await run_here(
            self._containers,
            command,
            parent.id,
            most=_CONTAINER_SECONDS,
            wanted=lambda: command.detached or command.id in parent.driver.state.pending,
        )

    async def close(self) -> None:
        for task in list(self._children):
            task.cancel()
        await asyncio.gather(*self._children, return_exceptions=True)

    # -------------------------------------------------------- who is idle

    def busy(self, execution: ExecutionId) -> None:
        self._idle[execution] = False

    def idle(self, execution: ExecutionId) -> None:
        self._idle[execution] = True
        if all(self._idle.values()):
            self.stuck.set()

    def gone(self, execution: ExecutionId) -> None:
        self._idle.pop(execution, None)
        if self._idle and all(self._idle.values()):
            self.stuck.set()


class _Execution:
    """One execution: its driver, and the journal port of a process that keeps nothing."""

    def __init__(
        self,
        town: _Town,
        plan: Plan,
        input: JSON,
        on_facts: Callable[[tuple[Fact, ...]], None],
        pause: Pause | None = None,
    ) -> None:
        now = town.clock.now()
        self.id = new_execution_id(now)
        self._town = town
        self._on_facts = on_facts
        self._receive: Callable[[Wake], None] | None = None
        self._is_roused = False
        self.born = self.roused = town.bus.occurred
        self._early: list[Wake] = []
        self._known: dict[str, Passive] = {}
        self._plan = plan
        self._pause = pause
        self._subject = Subject(plan.namespace, plan.name, plan.version, self.id)
        self._teller = Teller(town.telling[0], plan, self._subject, town.telling[1], now)
        self.driver = self._driver(seed=Seed(execution=self.id, input=input, at=now, random=uniform()))
        town.busy(self.id)

    def _driver(self, seed: Seed | None = None, snapshot: Snapshot | None = None) -> Driver:
        work = Work(
            subject=self._subject, epoch=1, digest="", plan=self._plan, seed=seed, snapshot=snapshot, policy=_FOREVER
        )
        town = self._town
        ports = Ports(
            journal=self,
            effects=town.effects,
            publisher=town,
            history=masked(self, self._plan, town.host.secrets),
            clock=town.clock,
            host=town.host,
            register=self._register,
            on_idle=lambda: town.idle(self.id),
            announce=self._teller.facts,
        )
        return Driver(work, ports)

    async def run(self) -> Outcome:
        now = self._town.clock.now
        self._teller.phase("running", now())
        stopping = asyncio.ensure_future(self._stop_when_asked())
        try:
            reply = await self.driver.run()
            while reply.type == PARKED:
                snapshot = json.decode(reply.body, Parked).snapshot
                await self._rest(snapshot)
                reply = await self.driver.run()
        finally:
            stopping.cancel()
            self._town.bus.heard(self.id)
        ended = json.decode(reply.body, Ended)
        self._teller.phase(ended.status, now(), output=ended.output, error=ended.error)
        return _outcome_of(ended)

    async def _stop_when_asked(self) -> None:
        if self._pause is not None:
            await self._pause.asked.wait()
            self.driver.stop()

    async def _rest(self, snapshot: Snapshot) -> None:
        """Suspended: what arrives is kept, and fed when it goes on."""
        assert self._pause is not None
        state = self.driver.state
        self._town.busy(self.id)
        self._teller.rest("suspended", state, self._town.clock.now())
        await self._pause.over.wait()
        self._teller.rest("running", state, self._town.clock.now())
        self.driver = self._driver(snapshot=snapshot)

    def signal(self, key: str, event: Event) -> None:
        wake = Wake(key=key, event=event)
        if self._rests():
            self.roused = self._town.bus.occurred
        self._is_roused = True
        self._town.busy(self.id)
        if self._receive is None:
            self._early.append(wake)
        else:
            self._receive(wake)

    @property
    def pending(self) -> Mapping[str, Command]:
        return self.driver.state.pending

    def _rests(self) -> bool:
        """Whether the platform would have parked it: nothing is under way, and no wait is short."""
        if self._receive is None or self._is_roused or self.driver.state.more:
            return False
        soon = self._town.clock.now() + _FOREVER.short_wait
        return all(
            is_served_elsewhere(command) or (isinstance(command, Sleep) and command.until > soon)
            for command in self.pending.values()
        )

    async def _register(self, commands: tuple[Passive, ...]) -> None:
        new = [command for command in commands if self._known.get(command.id) != command]
        for command in new:
            if isinstance(command, RunChild):
                self._town.start(self, command)
            elif isinstance(command, RunContainer):
                self._town.start_container(self, command)
            elif isinstance(command, Await) and command.ask is None and command.id not in self._known:
                self._teller.listens(command.id, self._town.clock.now())
            self._known[command.id] = command
        self._town.bus.listen(self, [command for command in new if isinstance(command, Await)])

    # -------------------------------------------------------- the ports of a process that keeps nothing

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        return Opened("ok")

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        self._is_roused = False
        self._town.bus.heard(self.id, {entry.key for _, entry in entries if entry.key is not None})

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return True

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        self._receive = receive
        early, self._early = self._early, []
        for wake in early:
            receive(wake)

        def silence() -> None:
            self._receive = None

        return silence

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        return None

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None:
        self._on_facts(facts)

    def log(
        self, subject: Subject, level: str, message: str, task: str = "", fields: dict[str, JSON] | None = None
    ) -> None:
        return None

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None:
        return None


def _outcome_of(ended: Ended) -> Outcome:
    match ended.status:
        case "completed":
            return Completed(output=ended.output)
        case "faulted":
            assert ended.error is not None
            return Faulted(error=ended.error)
        case "cancelled":
            return Cancelled(reason=ended.reason)


def _error_of(outcome: Outcome) -> Error | None:
    match outcome:
        case Faulted(error=error):
            return error
        case Cancelled(reason=reason):
            return standard_error("runtime", f"the child was cancelled: {reason}", title="Cancelled")
        case _:
            return None
