"""One invocation: a dispatch event in, a reply out, and what each ending means for the Broker.

ending                              answer
outcome, park, already closed       200 and the outcome event
gone, fenced, token expired         204: out of date, nothing to redeliver
held, journal or broker down        503: deliver again later
the dispatch's own payload is gone  503: whoever sends it again puts it there again
forged                              403, logged
wrong event, diverged journal       400: this dispatch can never succeed
other large data is gone            400: likewise
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from lowtide.errors import Fenced, InvalidEvent, InvalidInput, LowtideError, PayloadLost, Unavailable
from lowtide.model.base import ExecutionId, Millis, Value
from lowtide.model.command import Passive, RunChild, RunContainer
from lowtide.model.fact import Fact
from lowtide.model.usage import Usage
from lowtide.runtime.claimed import ClaimedJournal
from lowtide.runtime.driver import Diverged, Driver, Gone, Reply
from lowtide.runtime.masked import masked
from lowtide.runtime.ports import Journal, Subject
from lowtide.runtime.work import Policy, Ports, Work
from lowtide.wire import json, mac, problem
from lowtide.wire.claims import MEDIA_TYPE, Payload, referred
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import (
    DISPATCH,
    Dispatch,
    Extension,
    Registered,
    outcome_id,
    registered_id,
    source_of,
    type_of,
    wants,
)

from .birth import since_birth
from .parts import Parts

if TYPE_CHECKING:
    from lowtide.runtime.relaxed import Away

    from .tracing import Traced

__all__ = ["Answer", "Invocations"]

log = logging.getLogger("lowtide.execute")

_TOKEN_LIFETIME: Final = 24 * 3_600_000


class Answer(Value, frozen=True):
    """What to say to whoever delivered: an HTTP status, and an outcome event or a problem document."""

    status: int
    event: CloudEvent | None = None
    problem: dict[str, object] | None = None


class _Order(Value, frozen=True):
    """A dispatch, verified, and what identifies it."""

    dispatch: Dispatch
    digest: str
    trace: str | None


class Invocations:
    """All invocations of this process. ``untold``: lifecycle events that nobody could be told of."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._drivers: set[Driver] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self.untold = 0
        self._first = True
        self._away: Away | None = None

    @property
    def running(self) -> int:
        return len(self._drivers)

    def yield_all(self) -> None:
        """Every invocation parks as soon as its effects in flight have ended."""
        for driver in self._drivers:
            driver.stop()

    async def handle(self, event: CloudEvent, abandoned: asyncio.Event | None = None) -> Answer:
        """Run what the event orders. ``abandoned``: the caller is gone; the outcome is then posted to the Broker."""
        try:
            order = await self._verify(event)
            if order is None:
                return Answer(204)
            return await self._run(order, abandoned or asyncio.Event())
        except (Gone, Fenced) as ended:
            log.info("out of date", extra={"event": event.id, "reason": str(ended)})
            return Answer(204)
        except Diverged as diverged:
            log.error("journal and dispatch disagree", extra={"event": event.id, "reason": str(diverged)})
            document = problem.problem(
                400, "journal.diverged", "The journal disagrees with the dispatch", str(diverged)
            )
            return Answer(400, problem=document)
        except LowtideError as error:
            log.warning("not run", extra={"event": event.id, "code": error.code, "reason": str(error)})
            status = 400 if isinstance(error, PayloadLost) else error.http_status
            return Answer(status, problem=problem.of_error(error))

    # ------------------------------------------------------------ before

    async def _verify(self, event: CloudEvent) -> _Order | None:
        """``None`` where the dispatch is ours but its token has expired: orchestrate issues it again.

        A reference is followed only once its token is known to be ours.
        """
        if event.type != DISPATCH:
            raise InvalidEvent(f"execute takes {DISPATCH} alone, this is {event.type}; check the Trigger's filter")
        body = event.data or b""
        payload = referred(body)
        digest = mac.digest_of(body) if payload is None else payload.sha256
        execution, token = event.text(Extension.execution) or "", event.text(Extension.token) or ""
        epoch = event.text(Extension.epoch) or ""
        if not epoch.isdecimal():
            raise InvalidEvent(f"{Extension.epoch} must be a whole number, it is {epoch!r}")
        now = self._parts.clock.now()
        if not mac.verify(self._parts.key, token, "dispatch", execution, int(epoch), digest, now):
            log.info("token expired", extra={"event": event.id})
            return None
        trace = _trace_of(event)
        with self._within(trace):
            if payload is not None:
                body = await self._fetched(event.text(Extension.namespace) or "", ExecutionId(execution), payload)
            dispatch = await self._whole(json.decode(body, Dispatch))
        if (dispatch.seed is None) == (dispatch.snapshot is None):
            raise InvalidInput("a dispatch has either a seed or a snapshot")
        return _Order(dispatch, digest, trace)

    def _within(self, trace: str | None) -> AbstractContextManager[None]:
        """What is fetched before there is an invocation is in the trace of its dispatch."""
        if trace is None or self._parts.traces is None:
            return nullcontext()
        from lowtide.telemetry.tracing import handed_on

        return handed_on(trace)

    async def _fetched(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        try:
            return await self._parts.claims.get(namespace, execution, payload)
        except PayloadLost as error:
            raise Unavailable(f"the dispatch is not in the payload store: {error}") from error

    async def _whole(self, dispatch: Dispatch) -> Dispatch:
        """With its state, wherever that was kept."""
        if dispatch.snapshot is None:
            return dispatch
        snapshot = await self._parts.claims.snapshot(dispatch.namespace, dispatch.execution, dispatch.snapshot)
        return msgspec.structs.replace(dispatch, snapshot=snapshot)

    # ------------------------------------------------------------ the run

    async def _run(self, order: _Order, abandoned: asyncio.Event) -> Answer:
        """In the execution's trace, where it has one or traces are recorded."""
        traces = self._parts.traces
        if traces is None and order.trace is None:
            return await self._perform(order, abandoned)
        if traces is None:
            from lowtide.telemetry.tracing import handed_on

            with handed_on(order.trace):
                return await self._perform(order, abandoned)
        from .tracing import Traced

        traced = Traced(traces.tracer, order.dispatch, order.trace)
        with traced.span as span:
            return await self._perform(msgspec.structs.replace(order, trace=span.trace.text), abandoned, traced)

    async def _perform(self, order: _Order, abandoned: asyncio.Event, traced: Traced | None = None) -> Answer:
        dispatch, parts = order.dispatch, self._parts
        work = self._work(order)
        numbers = iter(range(1, 1_000_000))

        async def register(commands: tuple[Passive, ...]) -> None:
            payload = Registered(execution=dispatch.execution, epoch=dispatch.epoch, commands=commands)
            number = registered_id(dispatch.execution, dispatch.epoch, next(numbers))
            sending = self._send(order, number, type_of(payload), json.encode(payload))
            if any(isinstance(command, RunChild | RunContainer) and command.detached for command in commands):
                await sending
            else:
                self._in_background(sending)

        history = masked(parts.history, dispatch.plan, parts.host.secrets)
        ports = Ports(
            journal=self._journal(dispatch),
            effects=parts.effects if parts.steps is None else parts.steps.effects(parts.effects, history, work.subject),
            publisher=parts.publisher_for(dispatch.namespace, order.trace, echo=dispatch.echo),
            history=history,
            clock=parts.clock,
            host=parts.host,
            register=register,
            announce=self._announce(order, work.subject),
            seal=partial(parts.claims.seal, dispatch.namespace),
        )
        driver = Driver(work, ports if traced is None else traced.ports(ports))
        meter = self._meter(dispatch, driver)
        async with self._tracked(driver, abandoned):
            reply = await (driver.run(meter) if traced is None else traced.run(driver, meter))
        parts.history.usage(work.subject, work.epoch, meter())
        log.info(
            "invocation ended",
            extra={"execution": dispatch.execution, "epoch": dispatch.epoch, "as": reply.type, "turns": driver.turns},
        )
        return await self._answer(order, reply, abandoned)

    def _journal(self, dispatch: Dispatch) -> Journal:
        journal = ClaimedJournal(self._parts.journal, self._parts.claims, dispatch.namespace)
        if dispatch.plan.durability == "full":
            return journal
        from lowtide.runtime.relaxed import Away, RelaxedJournal  # not at a cold start that has no use for it

        self._away = self._away or Away(self._parts.clock)
        return RelaxedJournal(journal, self._away)

    def _announce(self, order: _Order, subject: Subject) -> Callable[[tuple[Fact, ...]], None]:
        """Where the lifecycle events of tasks are told, if anybody wants them: not at a cold start, then."""
        dispatch, parts = order.dispatch, self._parts
        if not wants(dispatch.lifecycle, "task"):
            return lambda facts: None
        from lowtide.wire.lifecycle import About

        from .announcing import Announcer

        about = About(subject, dispatch.lifecycle, order.trace, dispatch.echo, bool(dispatch.plan.secrets))

        def count(dropped: int) -> None:
            self.untold += dropped

        return Announcer(parts.publisher, about, parts.clock, self._sending, count).tell

    def _work(self, order: _Order) -> Work:
        dispatch = order.dispatch
        return Work(
            subject=Subject(dispatch.namespace, dispatch.workflow, dispatch.version, dispatch.execution),
            epoch=dispatch.epoch,
            digest=order.digest,
            plan=dispatch.plan,
            seed=dispatch.seed,
            snapshot=dispatch.snapshot,
            wakes=dispatch.wakes,
            policy=Policy(
                budget=dispatch.budget,
                short_wait=dispatch.short_wait,
                effect_timeout=int(self._parts.effect_timeout * 1000),
                largest=self._parts.claims.largest,
                snapshot_format=self._parts.snapshot_format,
            ),
        )

    async def settle(self, grace: float) -> None:
        """Let what is being sent beside the invocations arrive, for at most ``grace`` seconds."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace)

    async def _send(self, order: _Order, event_id: str, event_type: str, body: bytes) -> None:
        dispatch = order.dispatch
        what = "what the execution waits for"
        body = await self._parts.claims.check_in(dispatch.namespace, dispatch.execution, body, what)
        await self._parts.publisher.send(self._event(order, event_id, event_type, body))

    def _in_background(self, sending: Coroutine[None, None, None]) -> None:
        """A registration that is lost is no harm: the commands come again when the invocation parks."""

        async def send() -> None:
            try:
                await sending
            except LowtideError as error:
                log.warning("not registered", extra={"code": error.code, "reason": str(error)})

        task = asyncio.ensure_future(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    @asynccontextmanager
    async def _tracked(self, driver: Driver, abandoned: asyncio.Event) -> AsyncIterator[None]:
        """While it runs: a gone caller makes it yield, and the process knows of it."""

        async def watch() -> None:
            await abandoned.wait()
            driver.stop()

        watching = asyncio.ensure_future(watch())
        self._drivers.add(driver)
        if self._parts.stopping:
            driver.stop()
        try:
            yield
        finally:
            self._drivers.discard(driver)
            watching.cancel()

    def _meter(self, dispatch: Dispatch, driver: Driver) -> Callable[[], Usage]:
        clock = self._parts.clock
        cold, self._first = self._first, False
        cold_ms = since_birth() * 1000 if cold else 0.0
        began, (cpu, _) = clock.monotonic(), _spent()
        queueing = max(0.0, float(clock.now() - dispatch.at))
        sharing = max(1, self.running + 1)

        def usage() -> Usage:
            spent, memory = _spent()
            return Usage(
                active_ms=round((clock.monotonic() - began) * 1000, 3),
                cpu_ms=round((spent - cpu) * 1000 / sharing, 3),
                memory_bytes=memory,
                cold_start=cold,
                cold_start_ms=round(cold_ms, 3),
                queueing_ms=queueing,
                turns=driver.turns,
                effects=driver.effects,
                records=driver.records,
                bytes_in=driver.meter.bytes_in,
                bytes_out=driver.meter.bytes_out,
                input_tokens=driver.meter.input_tokens,
                output_tokens=driver.meter.output_tokens,
                effect_kinds=dict(driver.meter.kinds),
            )

        return usage

    # ------------------------------------------------------------ after

    async def _answer(self, order: _Order, reply: Reply, abandoned: asyncio.Event) -> Answer:
        dispatch = order.dispatch
        event = self._event(order, outcome_id(dispatch.execution, dispatch.epoch), reply.type, reply.body)
        if abandoned.is_set():
            await self._parts.publisher.send(event)
            return Answer(204)
        return Answer(200, event=event)

    def _event(self, order: _Order, event_id: str, event_type: str, body: bytes) -> CloudEvent:
        dispatch = order.dispatch
        expires = Millis(self._parts.clock.now() + _TOKEN_LIFETIME)
        attributes: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": event_id,
            "source": source_of(dispatch.namespace, dispatch.workflow),
            "type": event_type,
            "datacontenttype": "application/json" if referred(body) is None else MEDIA_TYPE,
            Extension.namespace: dispatch.namespace,
            Extension.workflow: dispatch.workflow,
            Extension.execution: dispatch.execution,
            Extension.epoch: str(dispatch.epoch),
            Extension.digest: order.digest,
            Extension.token: mac.sign(
                self._parts.key, "outcome", dispatch.execution, dispatch.epoch, mac.digest_of(body), expires
            ),
        }
        if order.trace:
            from lowtide.wire.traces import written

            attributes.update(written(order.trace))
        return CloudEvent(attributes, body)


def _trace_of(event: CloudEvent) -> str | None:
    if Extension.traceparent not in event.attributes:
        return None
    from lowtide.wire.traces import carried

    return carried(event.attributes)


def _spent() -> tuple[float, int]:
    """CPU seconds of this process, and the most memory that it had, in bytes: one question to the system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
