"""Orders at a steady rate, whether those before them were accepted or not, as the world places them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.kills.orders import Customers

__all__ = ["Load", "Placed"]


@dataclass
class Placed:
    """Seconds since 1970; ``accepted`` includes its payment, where it is paid for. 0: not yet."""

    number: int
    placed: float
    accepted: float = 0.0
    created: float = 0.0
    ended: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether it waits for nothing but its calls."""
        return self.number % 3 != 0 and self.number % 4 != 0


@dataclass
class Load:
    customers: Sequence[Customers]
    rate: float
    placed: list[Placed] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Place no more."""
        self._ending.set()

    async def run(self) -> None:
        """Returns when all that were placed are accepted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            while not self._ending.is_set():
                order = Placed(len(self.placed), time.time())
                self.placed.append(order)
                group.create_task(self._accepted(order))
                await asyncio.sleep(max(0.0, began + len(self.placed) / self.rate - loop.time()))

    async def _accepted(self, order: Placed) -> None:
        await self.customers[order.number % len(self.customers)].order(order.number)
        order.accepted = time.time()
