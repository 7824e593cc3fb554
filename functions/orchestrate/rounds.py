"""Rows that are served until none is left: one loop per process, and ticks that wait for it, from zero too.

Rows are claimed by a committed update and served without a transaction. Whoever dies in the middle leaves a claim that
runs out, and the next process goes on.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Final

from lowtide.errors import LowtideError

from .background import Background

__all__ = ["LONGEST_PAUSE", "RESCAN", "Rounds"]

log = logging.getLogger("lowtide.orchestrate")

LONGEST_PAUSE: Final = 10.0
RESCAN: Final = 1.0
"""Seconds between two looks while somebody waits here: another process may serve what lives."""

_LONGEST_REST: Final = 300.0
"""Seconds without a look while nothing is due: who brings something kicks, and every tick looks for what is left."""


class Rounds(ABC):
    """``what`` is served, for the log. A subclass says in :meth:`_round` how."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._kicked = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks = Background()
        self._busy = 0
        self._holding = 0

    @property
    def held(self) -> bool:
        """Whether somebody waits here, so that this process stays while anything lives."""
        return self._holding > 0

    def kick(self) -> None:
        """There is something to do."""
        self._idle.clear()
        self._kicked.set()

    def stop(self) -> bool:
        """Whoever waits in :meth:`hold` returns; whether anything is left for another process."""
        self._stopped.set()
        return self.held and not self._idle.is_set()

    async def hold(self, longest: float) -> None:
        """Return when nothing lives, or after ``longest`` seconds."""
        if self._stopped.is_set():
            return
        self.kick()
        self._holding += 1
        waits = {asyncio.ensure_future(event.wait()) for event in (self._idle, self._stopped)}
        try:
            await asyncio.wait(waits, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._holding -= 1
            for wait in waits:
                wait.cancel()

    async def run(self) -> None:
        """Until cancelled, from the first :meth:`kick` on."""
        pause = 0.5
        await self._kicked.wait()
        while True:
            self._kicked.clear()
            try:
                rest = await self._round()
                pause = 0.5
            except LowtideError as error:
                log.warning("%s: again in %.1f s: %s", self._what, pause, error)
                rest, pause = pause, min(2 * pause, LONGEST_PAUSE)
            except Exception:  # a defect of ours must not end the loop: the others still have to be served
                log.exception("%s: again in %.1f s", self._what, pause)
                rest, pause = pause, min(2 * pause, LONGEST_PAUSE)
            try:
                async with asyncio.timeout(rest):
                    await self._kicked.wait()
            except TimeoutError:
                continue

    async def close(self, grace: float) -> None:
        """Let what is being served come to an end."""
        await self._tasks.close(grace)

    @abstractmethod
    async def _round(self) -> float:
        """Claim what is due and begin to serve it; how many seconds there is nothing to do."""

    def _rest(self, due: float | None, *, living: bool) -> float:
        """The seconds until the next round, given when the next row is due; says so where nothing lives."""
        if not living and not self._busy and not self._kicked.is_set():
            self._idle.set()
        longest = RESCAN if self._holding else _LONGEST_REST
        return longest if due is None else min(max(due, 0.05), longest)
