"""One or more replicas of each deployable, their neighbours, and who starts, kills, freezes and drains them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final

from functions.orchestrate.deadletters import take_dead_letter
from functions.orchestrate.incoming import accept
from functions.orchestrate.work import Terms
from lowtide.errors import LowtideError, Unavailable
from lowtide.testing.simulate.broker import Broker, Refused
from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.history import History
from lowtide.testing.simulate.network import Lost, Network, Replicas
from lowtide.testing.simulate.postgres import Store
from lowtide.testing.simulate.process import Process
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import OUTCOMES, REGISTERED, TICK, Extension
from tests.simulation.engines import Engines
from tests.simulation.ports import Ports
from tests.simulation.replicas import Execute, Ingest, Orchestrate

__all__ = ["Installation", "Slot", "Stores"]

_SENT: Final = """
SELECT workflow, count(*) FROM control.dispatches JOIN control.executions ON executions.id = dispatches.execution
 WHERE sent_at IS NOT NULL AND queued_at IS NULL AND phase IN ('pending', 'running') GROUP BY workflow ORDER BY workflow
"""


@dataclass
class Stores:
    control: Store
    journal: Store
    engines: Engines


@dataclass
class Slot:
    """A place where replicas of one kind run, one after the other."""

    kind: str
    number: int
    lives: int = 0
    process: Process | None = None
    replica: Ingest | Orchestrate | Execute | None = None
    draining: bool = False

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.alive


class Installation:
    def __init__(self, faults: Faults, history: History, stores: Stores, terms: Terms, replicas: int) -> None:
        self.faults, self.history, self.terms = faults, history, terms
        self.network = Network(faults)
        self.orchestrates: Replicas[Orchestrate] = Replicas(faults)
        self.ingests: Replicas[Any] = Replicas(faults)
        self.executes: Replicas[Execute] = Replicas(faults)
        self.broker = Broker(faults, history, self)
        self.ports = Ports(
            faults=faults,
            history=history,
            network=self.network,
            control=stores.control,
            journal=stores.journal,
            knative=self.broker,
            short_way=_ShortWay(self),
            outstanding=self._count_outstanding,
            engines=stores.engines,
        )
        self._closed: dict[tuple[str, int], dict[bytes, int]] = {}
        kinds = ("ingest", "orchestrate", "execute")
        self.limits: dict[str, int] = {}
        self.slots = [Slot(kind, number) for kind in kinds for number in range(1, replicas + 1)]

    # ------------------------------------------------------------ lives and deaths

    async def keep_running(self) -> None:
        """Whatever has died is started again after a while, as Knative does."""
        while True:
            for slot in self.slots:
                if not slot.runs:
                    self.start(slot)
            await asyncio.sleep(0.5 + 7 * self.faults.chance.random())

    def start(self, slot: Slot) -> None:
        slot.lives += 1
        slot.draining = False
        slot.process = process = Process(f"{slot.kind}-{slot.number}", slot.lives)
        if slot.kind == "ingest":
            ingest = Ingest(process, self.ports)
            slot.replica = ingest
            self.ingests.add(process, ingest.service)
        elif slot.kind == "orchestrate":
            slot.replica = Orchestrate(process, self.ports, self.ingests, self.terms)
            self.orchestrates.add(process, slot.replica)
        else:
            slot.replica = Execute(process, self.ports, self.ingests)
            self.executes.add(process, slot.replica)

    async def drain(self, slot: Slot) -> None:
        """It is asked to end, takes nothing new, and is killed when its grace is over."""
        process, replica = slot.process, slot.replica
        if process is None or replica is None or not process.alive or slot.draining:
            return
        slot.draining = True
        for replicas in (self.ingests, self.orchestrates, self.executes):
            replicas.remove(process)
        await asyncio.wait([process.spawn(replica.drain())], timeout=20.0)
        process.kill()

    # ------------------------------------------------------------ who receives what

    async def execute(self, event: CloudEvent) -> CloudEvent | None:
        process, replica = self.executes.pick()
        abandoned = asyncio.Event()
        answer = await self.network.call(process, lambda: replica.handle(event, abandoned), hung_up=abandoned.set)
        if answer.status >= 300:
            raise Refused(answer.status)
        return answer.event

    async def orchestrate(self, event: CloudEvent) -> None:
        await self.ask(lambda replica: self._receive(replica, event))

    async def dead_letter(self, event: CloudEvent) -> None:

        def take(replica: Orchestrate) -> Awaitable[str]:
            service = replica.service
            return take_dead_letter(service.desk, service.ingest, service.reports, event)

        await self.ask(take)

    async def tick(self) -> None:
        await self.ask(lambda replica: self._tick(replica))

    async def ask(self, work: Any) -> Any:
        """Have one replica of orchestrate do something. Raises :class:`Refused` and :class:`Lost`."""
        process, replica = self.orchestrates.pick()
        try:
            return await self.network.call(process, lambda: work(replica))
        except LowtideError as error:
            raise Refused(error.http_status) from error

    async def _receive(self, replica: Orchestrate, event: CloudEvent) -> None:
        """As the route of Triggers does."""
        desk = replica.service.desk
        if event.type in OUTCOMES:
            execution, epoch = str(event.text(Extension.execution)), int(event.text(Extension.epoch) or 0)
            # Bodies hold what an invocation cost, which differs from run to run: they are told apart, not named.
            bodies = self._closed.setdefault((execution, epoch), {})
            body = bodies.setdefault(event.data or b"", len(bodies))
            self.history.note("closed", execution=execution, epoch=epoch, type=event.type, body=body)
        if event.type in (*OUTCOMES, REGISTERED):
            await replica.service.reports.take(event)
        elif event.type == TICK:
            await self._tick(replica)
        else:
            await accept(desk, [event], None)

    async def _tick(self, replica: Orchestrate) -> None:
        await replica.service.tick.handle(self.terms.tick_horizon + 15.0)

    def _count_outstanding(self) -> None:
        if self.terms.max_outstanding < 100:
            ((count,),) = self.ports.control.station.ask(
                "SELECT count(*) FROM control.dispatches WHERE sent_at IS NOT NULL"
            )
            self.history.note("outstanding", count=count, most=self.terms.max_outstanding)
        if self.limits:
            for workflow, count in self.ports.control.station.ask(_SENT):
                if workflow in self.limits:
                    self.history.note("slots", workflow=workflow, count=count, most=self.limits[workflow])


class _ShortWay:
    """The way from orchestrate to execute without the Broker."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    async def invoke(self, event: CloudEvent) -> CloudEvent | None:
        try:
            return await self._installation.execute(event)
        except (Lost, Refused) as error:
            raise Unavailable(f"execute: {error}") from error

    async def wake(self) -> None:
        """Execute's replicas run already."""
