"""Waiting for a database, but no longer than for so long.

A driver that is told to stop asks the server to stop, and waits until it says that it has: up to ten seconds where the
server hangs. Whoever asked need not wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Cutoff"]

T = TypeVar("T")


class Cutoff:
    """Gives what work gives within ``seconds``. Work that takes longer, or that nobody waits for any more, is cancelled
    and left to come to its end by itself."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left: set[asyncio.Future[Any]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises ``TimeoutError``."""
        doing = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(self.seconds):
                return await asyncio.shield(doing)
        finally:
            if not doing.done():
                doing.cancel()
                self._left.add(doing)
                doing.add_done_callback(self._ended)

    def _ended(self, doing: asyncio.Future[Any]) -> None:
        self._left.discard(doing)
        if not doing.cancelled():
            doing.exception()  # nobody asks for it any more

    async def ended(self, grace: float = 15.0) -> None:
        """What was left has come to its end, or ``grace`` seconds are over."""
        if self._left:
            await asyncio.wait(self._left, timeout=grace)
