"""The tick, as a PingSource sends it: aligned to the wall clock, whether or not the last one has been handled."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from lowtide.runtime.clock import Clock
from lowtide.wire.types import TICK

__all__ = ["Ticker"]

_SOURCE: Final = "/lowtide/local/ticker"
_TIMEOUT: Final = ClientTimeout(total=10.0)
_log = logging.getLogger(__name__)


class Ticker:
    """Posts a tick to the broker at every multiple of ``period`` seconds, and one at the beginning."""

    def __init__(self, session: ClientSession, broker: str, clock: Clock, period: float) -> None:
        self._session = session
        self._broker = broker
        self._clock = clock
        self._period = period

    async def run(self) -> None:
        """Until cancelled. What fell due while the platform was down is due now: the first tick does not wait."""
        while True:
            await self.tick()
            now = self._clock.now() / 1000
            await self._clock.sleep(self._period - now % self._period)

    async def tick(self) -> None:
        """A tick that is lost is not sent again: the next one does the same work."""
        headers = {"ce-specversion": "1.0", "ce-type": TICK, "ce-source": _SOURCE, "ce-id": str(self._clock.now())}
        try:
            async with self._session.post(f"{self._broker}/", headers=headers, timeout=_TIMEOUT) as response:
                await response.read()
        except (ClientError, OSError, TimeoutError) as error:
            _log.warning("the broker did not take a tick: %s", error)
