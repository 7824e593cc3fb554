"""Waiting for what comes by itself, without a fixed sleep.

async for attempt in eventually():
    with attempt:
        assert heard == [wake]
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import TracebackType

__all__ = ["eventually"]


class _Attempt:
    """One look. A failed assertion is held back until the time is up."""

    def __init__(self) -> None:
        self.failure: AssertionError | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.failure = error if isinstance(error, AssertionError) else None
        return self.failure is not None


async def eventually(seconds: float = 10.0, pause: float = 0.02) -> AsyncIterator[_Attempt]:
    """Attempts until one does not fail; after ``seconds`` the last failure is raised."""
    ends = time.monotonic() + seconds
    while True:
        attempt = _Attempt()
        yield attempt
        if attempt.failure is None:
            return
        if time.monotonic() >= ends:
            raise attempt.failure
        await asyncio.sleep(pause)
