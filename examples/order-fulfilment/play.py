"""The demo, act by act."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import check
from board import Board
from kills import kill_in_turn
from orders import NAMESPACE, Customers, load
from screen import Screen
from stage import Stage
from summary import Fulfilment, lines_of, totals

from lowtide.clients.analytics import Analytics
from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate
from lowtide.model.base import iso
from lowtide.runtime.clock import SystemClock

__all__ = ["play"]

_COMMAND: Final = "import sys; from lowtide.cli import main; main(sys.argv[1:])"
_HERE: Final = Path(__file__).parent
_PERIOD: Final = 0.25
_LAG: Final = 20
"""Looks at a timeline before it is taken as it is."""
_REST: Final = 60.0
"""Seconds that all processes have to come to rest after the last order."""


async def play(stage: Stage, screen: Screen, victims: Sequence[str]) -> bool:
    """Whether every order completed, the check found no breach, and all processes came to rest."""
    url = stage.platform.url
    async with (
        Orchestrate(url, attempts=30) as api,
        HttpClient(url + "/broker", attempts=30) as broker,
        Analytics(url + "/analytics", attempts=10) as analytics,
    ):
        actors = _Actors(stage, screen, api, Customers(api, broker), analytics)
        killed: list[str] = []
        hunt = asyncio.create_task(kill_in_turn(stage, victims, screen.note, killed))
        try:
            await actors.deploy()
            await actors.order()
            await actors.wait_at_zero()
            await actors.pay()
            if set(killed) != set(victims):
                screen.note(f"[red]not killed, since never found at work: {set(victims) - set(killed)}[/]")
            fulfilments = await actors.tell()
            await actors.count_the_cost()
        finally:
            hunt.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hunt
    kept = _promise_kept(stage, screen) if victims else True
    resting = await actors.rest()
    for line in totals(fulfilments, screen.elapsed, screen.execute, resting):
        screen.note(line)
    rested = not any(resting.values())
    return all(one.completed for one in fulfilments) and kept and rested and len(killed) == len(victims)


class _Actors:
    """Everyone on stage, and what each act does."""

    def __init__(
        self, stage: Stage, screen: Screen, api: Orchestrate, customers: Customers, analytics: Analytics
    ) -> None:
        self._stage = stage
        self._screen = screen
        self._api = api
        self._customers = customers
        self._analytics = analytics
        self._board = Board(api)
        self._processes: dict[str, int] = {}
        self._began = iso(SystemClock().now())
        self._orders = load(stage.shop)
        half = len(self._orders) // 2
        self._by_http, self._by_event = self._orders[:half], self._orders[half:]

    async def deploy(self) -> None:
        for name in ("shipment.yaml", "order.yaml"):
            deployed = await self._api.deploy(NAMESPACE, (_HERE / name).read_text(encoding="utf-8"))
            self._screen.note(f"deployed {deployed['name']} {deployed['version']}")

    async def order(self) -> None:
        """Half of the orders come by HTTP, half by CloudEvent; the first look is one at an idle platform."""
        await self._look_at_processes()
        self._screen.note(f"{len(self._by_http)} orders by HTTP, {len(self._by_event)} by CloudEvent")
        await asyncio.gather(
            *(self._customers.order_by_http(order) for order in self._by_http),
            *(self._customers.order_by_event(order) for order in self._by_event),
            self._until(lambda: self._board.awaiting_payment == len(self._orders)),
        )
        self._screen.note(f"all {len(self._orders)} orders wait for their payment")

    async def wait_at_zero(self) -> None:
        """Nobody asks orchestrate meanwhile: what needs no process has none."""
        await self._until(lambda: not self._running(), look=self._look_at_processes)
        self._screen.note("no execute process is left while they wait")

    async def pay(self) -> None:
        self._screen.note(f"{len(self._orders)} payments arrive")
        await asyncio.gather(
            *(self._customers.pay(order) for order in self._orders),
            self._until(lambda: self._board.ended == len(self._orders)),
        )

    async def tell(self) -> list[Fulfilment]:
        """Each order's outcome and timeline; analytics may lag a moment behind."""
        found = [await self._fulfilment(order["id"]) for order in self._orders]
        self._screen.note("all orders have ended:")
        for fulfilment in found:
            for line in lines_of(fulfilment):
                self._screen.line(line)
        return found

    async def count_the_cost(self) -> None:
        """What the command says of it, since the demo began."""
        command = [sys.executable, "-c", _COMMAND, "cost", "--namespace", NAMESPACE, "--from", self._began]
        process = await asyncio.create_subprocess_exec(
            *command, "--server", self._stage.platform.url, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        self._screen.note("lowtide cost:")
        for line in output.decode().splitlines():
            self._screen.line(line)

    async def rest(self) -> dict[str, int]:
        """Wait until no process is left (bounded); how many there are then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REST):
                await self._until(lambda: not any(self._processes.values()), look=self._look_at_processes)
        return self._processes

    async def _fulfilment(self, order: str) -> Fulfilment:
        execution = self._board.executions[order]
        how = "by HTTP" if order in {known["id"] for known in self._by_http} else "by CloudEvent"
        children = await self._analytics.executions(NAMESPACE, parent=execution["id"])
        ids = [execution["id"], *(child["id"] for child in children["items"])]
        return Fulfilment(order, how, execution, [await self._timeline(one) for one in ids])

    async def _timeline(self, execution: str) -> dict[str, Any]:
        """Reports may lag a moment behind the outcome."""
        for _ in range(_LAG):
            found = await self._analytics.timeline(NAMESPACE, execution)
            if found["items"] and all(row["endedAt"] for row in found["items"]) and found["invocations"]:
                break
            await asyncio.sleep(_PERIOD)
        return found

    def _running(self) -> int:
        return self._processes.get("execute", 0)

    async def _until(self, done: Callable[[], bool], look: Callable[[], Awaitable[None]] | None = None) -> None:
        while True:
            await (look or self._look_at_all)()
            if done():
                return
            await asyncio.sleep(_PERIOD)

    async def _look_at_processes(self) -> None:
        self._processes = {name: len(found) for name, found in (await self._stage.processes()).items()}
        self._screen.show(self._processes)

    async def _look_at_all(self) -> None:
        await self._board.look()
        await self._look_at_processes()
        self._screen.show(self._processes, self._board.phases)


def _promise_kept(stage: Stage, screen: Screen) -> bool:
    """Join the shop's log with the journal; whether no call came after its result was journaled."""
    calls = check.read_log(stage.log)
    results = check.read_journal(stage.platform.databases.journal)
    found = check.breaches(calls, results)
    for breach in found:
        screen.note(f"[red]{breach}[/]")
    again = len(calls) - len({call.key for call in calls})
    screen.note(
        f"{len(calls)} calls reached the shop, {again} of them again under a known key; "
        f"{len(found)} after the result was journaled"
    )
    return not found
