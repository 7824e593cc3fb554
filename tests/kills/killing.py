"""Who is killed, and how, at random from a seed.

``kill``: SIGKILL. ``roll``: SIGTERM, as a rollout sends it. ``freeze``: SIGSTOP, and SIGCONT when its leases are long
over; what wakes up then must find itself fenced.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lowtide.local.platform import Platform

__all__ = ["Killer"]

_WAYS: Final = (
    ("kill", "execute", 8),
    ("kill", "ingest", 4),
    ("kill", "orchestrate", 4),
    ("kill", "broker", 3),
    ("kill", "postgres", 2),
    ("roll", "execute", 2),
    ("roll", "ingest", 2),
    ("roll", "orchestrate", 2),
    ("freeze", "execute", 3),
    ("freeze", "ingest", 1),
)
_LOOK: Final = 0.2


@dataclass
class Killer:
    """``thaws``: when somebody who had been frozen went on (milliseconds since 1970)."""

    platform: Platform
    say: Callable[[str], None]
    fate: random.Random
    pause: float
    frozen: float
    done: Counter[str] = field(default_factory=Counter)
    thaws: list[int] = field(default_factory=list)
    _thawing: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, most: int) -> None:
        """Until so many were killed, rolled or frozen."""
        while sum(self.done.values()) < most:
            await asyncio.sleep(self.fate.uniform(0.5, 1.5) * self.pause)
            how, whom, _ = self.fate.choices(_WAYS, [weight for _, _, weight in _WAYS])[0]
            pid = await self._found(whom)
            self.say(f"{how} {whom} (process {pid})")
            self._take(how, pid)
            self.done[f"{how} {whom}"] += 1

    async def end(self) -> None:
        """Nobody stays frozen."""
        await asyncio.gather(*self._thawing)

    def _take(self, how: str, pid: int) -> None:
        number = {"kill": signal.SIGKILL, "roll": signal.SIGTERM, "freeze": signal.SIGSTOP}[how]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if how == "freeze":
            thawing = asyncio.create_task(self._thaw(pid))
            self._thawing.add(thawing)
            thawing.add_done_callback(self._thawing.discard)

    async def _thaw(self, pid: int) -> None:
        await asyncio.sleep(self.frozen)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            self.thaws.append(time.time_ns() // 1_000_000)

    async def _found(self, whom: str) -> int:
        """One of its processes, once there is one."""
        while True:
            status = await self.platform.status()
            match whom:
                case "postgres" | "broker":
                    found = [status[whom]]
                case _:
                    found = [one for one in status["services"][whom]["processes"] if one["state"] == "ready"]
            living = [one["pid"] for one in found if one and one["pid"] is not None]
            if living:
                return int(self.fate.choice(living))
            await asyncio.sleep(_LOOK)
