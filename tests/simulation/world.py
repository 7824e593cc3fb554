"""One world: an installation, users who start and cancel and send, and a nemesis; then peace, and what is left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from functions.orchestrate.cancelling import cancel
from functions.orchestrate.incoming import accept
from functions.orchestrate.requests import StartRequest
from functions.orchestrate.work import Terms
from lowtide.testing.simulate.broker import Refused
from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.history import History
from lowtide.testing.simulate.network import Lost
from lowtide.wire.cloudevents import from_json
from tests.simulation.ending import Ending
from tests.simulation.families import Family
from tests.simulation.installation import Installation, Stores
from tests.simulation.replicas import KEY, Orchestrate
from tests.simulation.workflows import Document

__all__ = ["World"]

_WAR: Final = 30.0
"""Virtual seconds in which things go wrong."""
_LONGEST: Final = 3600.0
"""Virtual seconds after which what has not ended never will."""


class World:
    def __init__(self, seed: int, family: Family, history: History, stores: Stores, faults: Faults) -> None:
        self.chance = chance = random.Random(seed)
        self.history, self.faults = history, faults
        terms = Terms(
            key=KEY,
            tick_period=30.0,
            tick_horizon=40.0,
            max_outstanding=chance.choice((1000, 1000, 1000, 1, 2)),
            lifecycle=chance.choice(("none", "none", "workflow")),
        )
        self.installation = Installation(faults, history, stores, terms, replicas=chance.choice((1, 2)))
        self.installation.ports.fail_effects = chance.choice((0.0, 0.1, 0.3))
        # In every other world nearly everything is too large to travel, and the payload store is in the middle of it.
        self.installation.ports.claim_above = chance.choice((256 * 1024, 256 * 1024, 100, 600))
        # A rollout without end: each process of execute writes the older format of snapshots, or the newest.
        formats = random.Random(f"formats {seed}")
        self.installation.ports.snapshot_format = lambda: formats.choice((1, 2))
        self.samples = chance.sample(family.samples, chance.choice((1, 1, 2)))
        documents = family.needed_by(self.samples)
        for document in documents:
            history.note(
                "deployed", name=document.name, on="schedule" in document.head, plan=family.plans[document.name]
            )
        self.installation.limits.update({one.name: one.limit for one in documents if one.limit is not None})
        limited = any(sample.limit is not None for sample in self.samples)
        # Small worlds, and many: one execution meets as many kinds of faults as three, at a third of the price.
        self.orders = chance.choice((1, 1, 1, 1, 1, 2)) + (chance.choice((0, 0, 0, 2)) if limited else 0)
        self.ending = Ending(self.installation, history)

    async def live(self) -> None:
        """From the first deployment until nothing is left to do, or until that takes too long."""
        installation = self.installation
        for slot in installation.slots:
            installation.start(slot)
        tasks = [asyncio.ensure_future(work) for work in (installation.keep_running(), self._tick(), self._fight())]
        users = [asyncio.ensure_future(self._order(number)) for number in range(self.orders)]
        await self.ending.wait(users, _WAR)
        self._make_peace()
        await self.ending.wait(users, _LONGEST)
        for task in (*tasks, *users):
            task.cancel()
        self.ending.take_stock()

    async def _ask(self, work: Callable[[Orchestrate], Awaitable[Any]]) -> Any:
        """As a user does who does not give up."""
        while True:
            try:
                return await self.installation.ask(work)
            except (Refused, Lost):
                await asyncio.sleep(0.2 + self.chance.random())

    # ------------------------------------------------------------ users

    async def _order(self, number: int) -> None:
        """One order: started, perhaps twice, told of its events, and now and then cancelled."""
        chance = self.chance
        document = chance.choice(self.samples)
        await asyncio.sleep(chance.random() * 5)
        key = f"order-{number}"
        self.history.note("asked", workflow=document.name, key=key)
        starting = [self._start(document, key, number) for _ in range(1 if chance.random() < 0.8 else 2)]
        execution = (await asyncio.gather(*starting))[0]
        sending = [self._send(event_type, number) for event_type in document.types]
        if chance.random() < 0.15:
            sending.append(self._cancel(execution))
        await asyncio.gather(*sending)

    async def _start(self, document: Document, key: str, number: int) -> str:
        # What goes the short way is not with the Broker, and not counted in its limit.
        limited = self.installation.terms.max_outstanding < 100
        short_way = 15.0 if self.chance.random() < 0.3 and not limited else None
        request = StartRequest(
            "tests", document.name, None, {"order": number}, "the same", key=key, short_way=short_way
        )

        async def begin(replica: Orchestrate) -> str:
            started = await replica.service.starts.start(request)
            if started.order is not None:
                replica.service.short_way.go(started.order, started.execution)
            return str(started.execution.id)

        execution: str = await self._ask(begin)
        self.history.note("started", workflow=document.name, key=key, execution=execution)
        return execution

    async def _send(self, event_type: str, number: int) -> None:
        """An event of the world, sent until it is taken, and sometimes again later."""
        event = {"specversion": "1.0", "id": f"{event_type}-{number}", "source": "/world", "type": event_type}
        whole = from_json({**event, "data": {"order": number}})
        about = {"source": "/world", "id": event["id"]}
        for _ in range(1 if self.chance.random() < 0.7 else 2):
            await asyncio.sleep(self.chance.random() * 20)
            self.history.note("sending", **about)
            await self._ask(lambda replica: accept(replica.service.desk, [whole], "tests"))
            self.history.note("sent", **about)

    async def _cancel(self, execution: str) -> None:
        await asyncio.sleep(self.chance.random() * 20)
        self.history.note("cancelling", execution=execution)
        await self._ask(lambda replica: replica.service.desk.do(lambda work: cancel(work, execution, "enough")))

    async def _tick(self) -> None:
        """The PingSource."""
        waiting: set[asyncio.Future[None]] = set()
        while True:
            await asyncio.sleep(self.installation.terms.tick_period)
            ticking = asyncio.ensure_future(self._tick_once())
            waiting.add(ticking)
            ticking.add_done_callback(waiting.discard)

    async def _tick_once(self) -> None:
        try:
            await self.installation.tick()
        except (Refused, Lost):
            return

    # ------------------------------------------------------------ nemesis

    async def _fight(self) -> None:
        odds, chance = self.faults.odds, self.faults.chance
        acts = [self._crash] * odds.crashes + [self._freeze] * odds.freezes + [self._outage] * odds.outages
        acts += [self._jump] * odds.jumps + [self._drain] * odds.drains
        moments = sorted((chance.random() * _WAR * 0.9, number) for number in range(len(acts)))
        under_way = []
        for moment, number in moments:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            under_way.append(asyncio.ensure_future(acts[number]()))
        await asyncio.gather(*under_way)

    async def _crash(self) -> None:
        slot = self.faults.chance.choice(self.installation.slots)
        if slot.process is not None:
            self.history.note("fault", what="crash", process=slot.process.name)
            slot.process.kill()

    async def _freeze(self) -> None:
        process = self.faults.chance.choice(self.installation.slots).process
        assert process is not None
        self.history.note("fault", what="freeze", process=process.name)
        process.freeze()
        await asyncio.sleep(self.faults.chance.choice((1, 6, 20, 40)))
        process.thaw()

    async def _outage(self) -> None:
        what = self.faults.chance.choice(("control", "journal", "broker"))
        self.history.note("fault", what="outage", of=what)
        self.faults.down.add(what)
        for store in (self.installation.ports.control, self.installation.ports.journal):
            if store.name == what:
                store.interrupt()
        await asyncio.sleep(self.faults.chance.choice((0.5, 3, 12, 30)))
        self.faults.down.discard(what)

    async def _jump(self) -> None:
        process = self.faults.chance.choice(self.installation.slots).process
        assert process is not None
        process.skew += int(self.faults.chance.uniform(-20_000, 20_000))
        self.history.note("fault", what="jump", process=process.name, skew=process.skew)

    async def _drain(self) -> None:
        slot = self.faults.chance.choice(self.installation.slots)
        self.history.note("fault", what="drain", slot=f"{slot.kind}-{slot.number}")
        await self.installation.drain(slot)

    def _make_peace(self) -> None:
        self.history.note("fault", what="peace")
        self.faults.stop()
        for slot in self.installation.slots:
            if slot.process is not None:
                slot.process.thaw()
