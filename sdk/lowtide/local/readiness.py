"""Wait until a process that was just started is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from lowtide.runtime.clock import Clock

from .processes import Child
from .refusals import ServiceBroken

__all__ = ["until_ready"]

_PROBE: Final = 0.02  # seconds between two looks; each is a refused connection until the process listens


async def until_ready(
    name: str, child: Child, probe: Callable[[], Awaitable[bool]], clock: Clock, timeout: float
) -> None:
    """Raises :class:`ServiceBroken` with what the process said, where it ended or took too long; it has ended then."""
    deadline = clock.monotonic() + timeout
    while not await probe():
        if not child.running:
            code = await child.wait()
            raise ServiceBroken(f"{name} ended with exit code {code} before it was ready; it said:", child.tail())
        if clock.monotonic() > deadline:
            await child.stop(1.0)
            raise ServiceBroken(f"{name} was not ready within {timeout:.0f} s; it said:", child.tail())
        await clock.sleep(_PROBE)
