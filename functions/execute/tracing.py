"""The spans of one invocation: itself, its tasks, its effects, its journal. Imported where traces are sent anywhere.

One execution is one trace, however often it parks: each invocation is below its dispatch and linked to the invocation
before it. Ids of invocations and tasks follow from what they are (execution, epoch, task), so that nobody has to carry
them from one process to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from lowtide.engine.frames import open_frames
from lowtide.engine.run import frame_id
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Perform
from lowtide.model.error import Error, short_type
from lowtide.model.fact import Fact
from lowtide.model.state import State
from lowtide.model.usage import Usage
from lowtide.runtime.driver import Driver, Reply
from lowtide.runtime.ports import Closing, Effects, History, Journal, Opened, Publisher, Subject
from lowtide.runtime.work import Ports
from lowtide.telemetry.tracing import Span, Tracer, current
from lowtide.wire import states
from lowtide.wire.records import Entry
from lowtide.wire.traces import Trace, carried, derived, trace_of_execution, written
from lowtide.wire.types import Dispatch, Wake

__all__ = ["Traced"]

_ENDED: Final = frozenset({"skipped", "cancelled", "faulted", "completed"})
_WENT_ON: Final = _ENDED - {"skipped"}
"""A task whose first fact here is one of these began in an invocation before."""
_MILLION: Final = 1_000_000


class Traced:
    """The span of an invocation, current while it lasts, and what is done in it."""

    def __init__(self, tracer: Tracer, dispatch: Dispatch, text: str | None) -> None:
        above = trace_of_execution(dispatch.execution, text)
        self.execution, self.epoch = dispatch.execution, dispatch.epoch
        self.tracer = tracer
        self._snapshot = dispatch.snapshot
        self.span = tracer.span(
            f"invocation {dispatch.workflow}",
            above,
            "consumer",
            span=self._invocation(self.epoch),
            execution=dispatch.execution,
            epoch=dispatch.epoch,
            namespace=dispatch.namespace,
            workflow=dispatch.workflow,
            version=dispatch.version,
        )
        if dispatch.epoch > 1:
            self.span.links = (msgspec.structs.replace(above, span=self._invocation(dispatch.epoch - 1)),)
        self.tasks = _Tasks(self)

    def _invocation(self, epoch: int) -> str:
        return derived(self.execution, epoch)

    def ports(self, ports: Ports) -> Ports:
        """The same, each watched."""
        return msgspec.structs.replace(
            ports,
            effects=_Effects(ports.effects, self),
            journal=_Journal(ports.journal, self),
            history=_History(ports.history, self.tasks),
            publisher=_Publisher(ports.publisher, self),
        )

    async def run(self, driver: Driver, meter: Callable[[], Usage]) -> Reply:
        """What is under way in the end is cut off here, and goes on in the next invocation."""
        if self._snapshot is not None:
            self.tasks.known(states.read(self._snapshot.state))
        try:
            reply = await driver.run(meter)
            self.span.note(end=reply.type.split(".")[-2])
            return reply
        finally:
            if driver.ran:
                self.tasks.cut(driver.state)
            else:  # the epoch is somebody else's, and so is the id of its invocation's span
                self.span.trace = self.tracer.span("", self.span.trace).trace
            usage = meter()
            self.span.note(cold_start=usage.cold_start, effects=usage.effects)


def _kind(error: Error) -> str:
    """One of the standard's, else nothing that a document made up: that may be secret."""
    kind = short_type(error.type)
    return kind if kind != error.type else "error"


class _Tasks:
    """Task spans, from the facts that history is told. A task that goes on from an invocation before begins here with
    this one, and is linked to where it went on then."""

    def __init__(self, traced: Traced) -> None:
        self._traced = traced
        self._open: dict[str, Span] = {}

    def tell(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            at = fact.at * _MILLION
            span = self._open.get(fact.task)
            if span is None:
                span = self._begun(fact.task, fact.kind, fact.name, at, before=fact.status in _WENT_ON)
            if fact.attempt > 1:
                span.note(attempt=fact.attempt)
            if fact.status in _ENDED:
                span.note(status=fact.status)
                if fact.error is not None:
                    span.failure = _kind(fact.error)
                del self._open[fact.task]
                span.end(at)

    def known(self, state: State) -> None:
        """Tasks that were under way when the invocation began."""
        for frame in open_frames(state):
            self._begun(frame_id(frame), "", frame.ref.rpartition("/")[2], self._traced.span.began, before=True)

    def cut(self, state: State) -> None:
        under_way = {frame_id(frame) for frame in open_frames(state)}
        for task, span in self._open.items():
            if task in under_way:
                span.note(status="under way")
                span.end()
        self._open.clear()

    def below(self, entry: str) -> Trace:
        """The context of a task's entry, or of the nearest that is under way around it."""
        span = self._open.get(entry)
        return span.trace if span is not None else self._around(entry)

    def _begun(self, task: str, kind: str, name: str, at: int, *, before: bool) -> Span:
        traced = self._traced
        own = traced.span
        span = traced.tracer.span(
            f"{kind} {name}".strip(),
            self._around(task),
            span=derived(traced.execution, traced.epoch, task),
            began=max(own.began, at) if not before else own.began,
            task=task,
        )
        if before and traced.epoch > 1:
            earlier = derived(traced.execution, traced.epoch - 1, task)
            span.links = (msgspec.structs.replace(own.trace, span=earlier),)
        self._open[task] = span
        return span

    def _around(self, task: str) -> Trace:
        ref, _, path = task.partition("@")
        while "." in path:
            path = path.rpartition(".")[0]
            for other, span in self._open.items():
                outer, _, entries = other.partition("@")
                if entries == path and ref.startswith(outer):
                    return span.trace
        return self._traced.span.trace


class _History:
    def __init__(self, history: History, tasks: _Tasks) -> None:
        self._history = history
        self._tasks = tasks

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None:
        self._tasks.tell(facts)
        self._history.facts(subject, facts)

    def log(
        self, subject: Subject, level: str, message: str, task: str = "", fields: dict[str, JSON] | None = None
    ) -> None:
        self._history.log(subject, level, message, task, fields)

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None:
        self._history.usage(subject, epoch, usage)


class _Effects:
    def __init__(self, effects: Effects, traced: Traced) -> None:
        self._effects = effects
        self._traced = traced

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """A failure is told by its kind alone: what it says of itself may be secret."""
        above = self._traced.tasks.below(command.id)
        with self._traced.tracer.span(f"call {command.call}", above, "client", task=command.id) as span:
            try:
                return await self._effects.perform(command, idempotency_key)
            except TaskFailed as failed:
                span.failure = _kind(failed.error)
                span.note(status_code=failed.error.status)
                raise


class _Publisher:
    def __init__(self, publisher: Publisher, traced: Traced) -> None:
        self._publisher = publisher
        self._traced = traced

    async def publish(self, event: dict[str, JSON]) -> None:
        """A document may name its own trace."""
        entry = str(event.get("id", "")).removeprefix(self._traced.execution)
        with self._traced.tracer.span("emit", self._traced.tasks.below(entry), "producer"):
            own = {} if carried(event) else written(current())
            await self._publisher.publish({**event, **own})


class _Journal:
    def __init__(self, journal: Journal, traced: Traced) -> None:
        self._journal = journal
        self._traced = traced

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        with self._traced.tracer.span("journal open", self._traced.span.trace, "client") as span:
            opened = await self._journal.open(execution, epoch, digest, upto)
            span.note(answer=opened.answer, tail=len(opened.tail))
            return opened

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        name = "journal append" if closing is None else "journal close"
        with self._traced.tracer.span(name, self._traced.span.trace, "client", records=len(entries)):
            await self._journal.append(execution, epoch, entries, closing)

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return self._journal.holds(execution, epoch)

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        return self._journal.listen(execution, epoch, receive)

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        await self._journal.release(execution, epoch)
