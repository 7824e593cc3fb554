"""The processes of the platform: whether each of them lives, and the most memory that it had."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from lowtide.local.platform import Platform

__all__ = ["Watch", "Watched"]

_LOOK: Final = 0.5


@dataclass
class Watched:
    """``began`` tells processes apart whose ids are the same; bytes of resident memory."""

    name: str
    pid: int
    began: float
    first: int
    most: int = 0
    last: int = 0

    @property
    def lives(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.began and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


@dataclass
class Watch:
    """``known`` are all processes that were ever seen, in the order in which they were; the gateway and the activators
    are in the process that runs this."""

    platform: Platform
    known: dict[tuple[int, float], Watched] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK)

    async def look(self) -> None:
        status = await self.platform.status()
        for name, pid in [("gateway", psutil.Process().pid), *_processes(status)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                size = process.memory_info().rss
                key = (pid, process.create_time())
                watched = self.known.setdefault(key, Watched(name, pid, key[1], size))
                watched.most, watched.last = max(watched.most, size), size


def _processes(status: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if status["broker"]["pid"] is not None:
        yield "broker", status["broker"]["pid"]
    for name, service in status["services"].items():
        yield from ((name, one["pid"]) for one in service["processes"] if one["pid"] is not None)
