"""A process that is never at zero: when it ends unasked, it is started again at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lowtide.runtime.clock import Clock

from .processes import Child
from .readiness import until_ready

__all__ = ["Resident"]

_SHORT_LIFE: Final = 2.0  # seconds; who lives less is started again only after as long
_log: Final = logging.getLogger(__name__)


class Resident:
    """``launch`` starts the process, ``probe`` says whether it is ready."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Awaitable[Child]],
        probe: Callable[[], Awaitable[bool]],
        clock: Clock,
        start_timeout: float,
    ) -> None:
        self.restarts = 0
        self._name = name
        self._launch = launch
        self._probe = probe
        self._clock = clock
        self._start_timeout = start_timeout
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.running else None

    async def start(self) -> None:
        """Returns when it is ready. Raises :class:`ServiceBroken`."""
        child = self._child = await self._launch()
        await until_ready(self._name, child, self._probe, self._clock, self._start_timeout)
        self._keeping = asyncio.create_task(self._keep(child))

    async def stop(self, grace: float) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        if self._child is not None:
            await self._child.stop(grace)

    def kill(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
        if self._child is not None:
            self._child.kill()

    async def _keep(self, child: Child) -> None:
        while True:
            born = self._clock.monotonic()
            await child.wait()
            if self._clock.monotonic() - born < _SHORT_LIFE:
                await self._clock.sleep(_SHORT_LIFE)
            try:
                child = self._child = await self._launch()
            except OSError as error:  # no memory or no handles at this moment
                _log.warning("%s could not be started again yet: %s", self._name, error)
                await self._clock.sleep(_SHORT_LIFE)
                continue
            self.restarts += 1
