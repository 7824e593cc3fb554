"""Orchestrate put together: the parts, what follows a commit, how it starts and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from lowtide.clients.broker import Broker as HttpBroker
from lowtide.clients.ingest import IngestClient
from lowtide.clients.objects import object_store
from lowtide.effects.container import Bounds, LocalContainers
from lowtide.errors import LowtideError
from lowtide.expressions import JqHost
from lowtide.expressions.secrets import FolderSecrets
from lowtide.runtime import chance
from lowtide.runtime.claims import Claims
from lowtide.runtime.clock import Clock, SystemClock, nanos
from lowtide.runtime.containers import Containers
from lowtide.runtime.ports import Payloads
from lowtide.runtime.traced import TracedPayloads
from lowtide.settings import OrchestrateSettings, whole_environment
from lowtide.telemetry.otlp import Traces
from lowtide.telemetry.tracing import current

from .actions import ELIGIBLE, ExecutionActions, Kind
from .background import Background
from .containers.caretaker import Caretaker
from .containers.job import Limits
from .containers.kubernetes import Jobs
from .deleting import Remover
from .gatekeeper import Gatekeeper
from .listening import catch_up
from .nouns import Signal, Unused
from .operating import Steward
from .outgoing import channels
from .ports import Broker, Execute, Ingest
from .redriving import LetterActions, Redriver
from .relay import Channel
from .repeating import Repeats
from .reports import Reports
from .requests import Starts
from .shortway import HttpExecute, ShortWay, Waiters
from .store.database import Database
from .store.operations import Action
from .store.outbox import Kind as OutboxKind
from .tallying import Tally
from .ticking import Holders, Tick, TickRequests
from .timekeeper import Timekeeper
from .work import Aftermath, Desk, Terms

if TYPE_CHECKING:
    from lowtide.effects.outside import Fetcher

__all__ = ["Neighbours", "Service"]

log = logging.getLogger("lowtide.orchestrate")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who orchestrate talks to."""

    broker: Broker
    execute: Execute
    ingest: Ingest
    containers: Containers
    payloads: Payloads
    clock: Clock = field(default_factory=SystemClock)


class Service:
    """``async with Service.of(settings) as service``; must be made inside the event loop."""

    def __init__(
        self,
        desk: Desk,
        neighbours: Neighbours,
        fetcher: Callable[[], Fetcher],
        *,
        max_body_bytes: int,
        shutdown_grace: float,
        container_start: float = 300.0,
        traces: Traces | None = None,
    ) -> None:
        self.stopping = False
        self.traces = traces
        self.tracer = tracer = None if traces is None else traces.tracer
        self.desk = desk
        self._make_fetcher = fetcher
        self._fetcher: Fetcher | None = None
        self.key = desk.terms.key
        self.max_body_bytes = max_body_bytes
        self.ingest = neighbours.ingest
        self.waiters = Waiters(desk)
        self.tally = Tally()
        self.background = Background()
        clock = neighbours.clock
        self.starts = Starts(desk, tracer)
        self.repeats = Repeats(desk, neighbours.ingest)
        self.reports = Reports(desk, tracer, self.tally.reported)
        self.short_way = ShortWay(desk, self.reports, neighbours.execute, clock, self.background, tracer)
        self.channels: dict[OutboxKind, Channel] = channels(desk, clock, neighbours.broker, neighbours.ingest, tracer)
        self.keeper = Timekeeper(desk, clock, self.background, warm=neighbours.execute.wake)
        self.ticks = TickRequests(neighbours.broker, clock, self.keeper, self.background, desk.terms.tick_period)
        self.caretaker = Caretaker(desk, clock, neighbours.containers, start_within=container_start)
        self.gatekeeper = Gatekeeper(desk, clock, desk.terms.tick_horizon)
        of_executions: Kind = ExecutionActions(self.repeats)
        self.redriver = Redriver(desk, neighbours.ingest, self.reports)
        of_letters: Kind = LetterActions(self.redriver)
        self.kinds: dict[Action, Kind] = {
            **dict.fromkeys(ELIGIBLE, of_executions),
            "redrive": of_letters,
            "discard": of_letters,
        }
        self.steward = Steward(desk, clock, self.kinds)
        self.remover = Remover(desk, neighbours.ingest)
        holders = Holders(self.keeper, self.caretaker, self.gatekeeper, self.steward, self.remover)
        self.tick = Tick(desk, clock, neighbours.ingest, neighbours.broker, holders, self.channels, self.background)
        self._neighbours = neighbours
        self._grace = shutdown_grace
        self._loops: list[asyncio.Task[None]] = []
        desk.afterwards = self._afterwards

    @classmethod
    def of(cls, settings: OrchestrateSettings, neighbours: Neighbours | None = None) -> Service:
        """The real thing; tests bring ``neighbours`` of their own."""
        terms = Terms(
            key=settings.key,
            budget=settings.budget,
            short_wait=settings.short_wait,
            token_lifetime=settings.token_lifetime,
            tick_horizon=settings.tick_horizon,
            overdue_per_second=settings.overdue_per_second,
            lost_after=settings.lost_after,
            lost_attempts=settings.lost_attempts,
            max_outstanding=settings.max_outstanding,
            keep_events=settings.keep_events,
            cancel_grace=settings.cancel_grace,
            container_seconds=settings.container_seconds,
            retain=settings.retain,
            lifecycle=settings.lifecycle,
            snapshot_format=settings.snapshot_format,
        )
        host = JqHost()
        secrets = FolderSecrets(settings.secrets_dir) if settings.secrets_dir else None
        known = neighbours or _neighbours(settings)
        traces = Traces.of("orchestrate", settings.otlp_endpoint, settings.trace_share, nanos, chance.digits)
        payloads = known.payloads if traces is None else TracedPayloads(known.payloads, traces.tracer)
        claims = Claims(payloads, above=settings.claim_above, largest=settings.max_payload_bytes)
        return cls(
            Desk(Database(settings.control_url, settings.connections), terms, host, claims, secrets),
            known,
            lambda: _fetcher(settings, host, secrets),
            max_body_bytes=settings.max_body_bytes,
            shutdown_grace=settings.shutdown_grace,
            container_start=settings.container_start,
            traces=traces,
        )

    @property
    def fetcher(self) -> Fetcher:
        """Fetches what documents refer to outside themselves; made when the first of them is deployed."""
        if self._fetcher is None:
            self._fetcher = self._make_fetcher()
        return self._fetcher

    async def __aenter__(self) -> Self:
        self._loops = [
            asyncio.create_task(channel.run(), name=f"outbox {kind}") for kind, channel in self.channels.items()
        ]
        self._loops.append(asyncio.create_task(self.caretaker.run(), name="containers"))
        self._loops.append(asyncio.create_task(self.gatekeeper.run(), name="admission"))
        self._loops.append(asyncio.create_task(self.steward.run(), name="operations"))
        self._loops.append(asyncio.create_task(self.remover.run(), name="removals"))
        self._loops.append(asyncio.create_task(self.tick.begin(), name="the first look"))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Requests have ended: let what is on its way arrive, then let go of everything."""
        self.stop()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        grace = min(self._grace, 10.0)
        await asyncio.gather(*(channel.close(grace) for channel in self.channels.values()))
        await self.background.close(grace)
        await self.caretaker.close(grace)
        await self.steward.close(grace)
        await self.remover.close(grace)
        for neighbour in (self._neighbours.broker, self._neighbours.execute, self._neighbours.ingest):
            close = getattr(neighbour, "aclose", None) or getattr(neighbour, "close", None)
            if close is not None:
                await close()
        if self._fetcher is not None:
            await self._fetcher.close()
        await self.desk.database.close()
        host_close = getattr(self.desk.host, "close", None)
        if host_close is not None:
            host_close()

    def stop(self) -> None:
        """The process is asked to end: what it holds is given back, and another one is asked to hold it."""
        self.stopping = True
        self.remover.stop()  # the next tick goes on
        held = [self.keeper.stop(), self.caretaker.stop(), self.gatekeeper.stop(), self.steward.stop()]
        if any(held):
            self.ticks.publish()

    def _afterwards(self, after: Aftermath) -> None:
        self.tally.committed(after)
        if after.publish:
            self.channels["dispatch"].kick()
        if after.publish_in is not None:
            self.channels["dispatch"].expect(after.publish_in)
        if after.room:
            self.channels["dispatch"].unblock()
        if after.report:
            self.channels["change"].kick()
        if after.lifecycle:
            self.channels["lifecycle"].kick()
        if after.cancels:
            self.channels["cancel"].kick()
        if after.outlines:
            self.channels["outline"].kick()
        for rounds, wanted in ((self.caretaker, after.containers), (self.steward, after.operations)):
            if wanted:
                rounds.kick()
                if not rounds.held:
                    self.ticks.publish()
        if after.removals:
            self.remover.kick()
        if after.queued or after.slots:
            self.gatekeeper.look(after.slots)
        if after.queued_until is not None and not self.gatekeeper.held:
            self.ticks.expected(after.queued_until)
        for ended in after.ended:
            self.waiters.ended(ended)
        for signal in after.signals:
            self.background.spawn(self._signal(signal), f"a signal to {signal.execution}")
        for unused in after.unused:
            self.background.spawn(self._drop(unused), f"dropping a payload of {unused.execution}")
        for execution, command in after.listeners:
            self.background.spawn(self._catch_up(execution, command), f"catching up {command} of {execution}")
        if after.due is not None:
            self.ticks.needed(after.due)

    async def _signal(self, signal: Signal) -> None:
        """Best effort: the inbox row is there for the next dispatch."""
        try:
            wake = await self.desk.claims.claimed_wake(signal.namespace, signal.execution, signal.wake)
            await self.ingest.signal(signal.execution, signal.epoch, wake)
        except LowtideError as error:
            log.info("no signal to %s: %s", signal.execution, error, extra={"execution": signal.execution})

    async def _drop(self, unused: Unused) -> None:
        await self.desk.claims.drop(unused.namespace, unused.execution, [unused.sha256])

    async def _catch_up(self, execution: str, command: str) -> None:
        await self.desk.do(lambda work: catch_up(work, execution, command))


def _fetcher(settings: OrchestrateSettings, host: JqHost, secrets: FolderSecrets | None) -> Fetcher:
    from lowtide.effects.outside import Fetcher  # the whole grammar, which no tick and no outcome needs

    return Fetcher(
        host,
        clock=SystemClock(),
        catalog=settings.catalog,
        secrets=secrets,
        loopback=settings.allow_loopback,
        seconds=settings.fetch_timeout,
        patience=settings.fetch_patience,
    )


def _neighbours(settings: OrchestrateSettings) -> Neighbours:
    clock = SystemClock()
    ingest = IngestClient(
        settings.ingest_target, owner=f"orchestrate-{chance.new_owner()}", clock=clock, chance=chance.uniform
    )
    if settings.otlp_endpoint:
        ingest.traced(current)
    return Neighbours(
        broker=HttpBroker(settings.broker_url, connections=256),
        execute=HttpExecute(settings.execute_url, timeout=settings.budget + 60),
        ingest=ingest,
        containers=_containers(settings, clock),
        payloads=_payloads(settings, ingest),
        clock=clock,
    )


def _payloads(settings: OrchestrateSettings, ingest: IngestClient) -> Payloads:
    """The object store that the settings name, else ingest."""
    if not settings.payloads:
        return ingest.payloads
    return object_store(settings.payloads, settings.payloads_endpoint, settings.max_payload_bytes)


def _containers(settings: OrchestrateSettings, clock: Clock) -> Containers:
    """Kubernetes where the settings say so, else the machine's own runtime."""
    if settings.containers == "kubernetes":
        return Jobs(
            Limits(
                namespace=settings.container_namespace,
                memory=settings.container_memory,
                cpus=settings.container_cpus,
                user=settings.container_user,
                output=settings.container_output,
            ),
            allowed=settings.allow_container,
            kubeconfig=settings.container_kubeconfig,
        )
    bounds = Bounds(
        memory=settings.container_memory,
        cpus=settings.container_cpus,
        user=settings.container_user,
        output=settings.container_output,
        pull=settings.container_start,
    )
    return LocalContainers(clock, whole_environment(), allowed=settings.allow_container, bounds=bounds)
