"""Bring the stores up to date: each by its own deployable, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from .processes import Child
from .refusals import ServiceBroken

__all__ = ["migrate"]


async def migrate(launches: Mapping[str, Callable[[], Awaitable[Child]]]) -> None:
    """All at once; ``launches`` start the migration of each service's store.

    Raises :class:`ServiceBroken` with what the first migration that failed said, when all have ended.
    """
    ended = await asyncio.gather(
        *(_migrate(service, launch) for service, launch in launches.items()), return_exceptions=True
    )
    for error in ended:
        if error is not None:
            raise error


async def _migrate(service: str, launch: Callable[[], Awaitable[Child]]) -> None:
    child = await launch()
    try:
        code = await child.wait()
    except asyncio.CancelledError:
        child.kill()
        raise
    if code != 0:
        raise ServiceBroken(f"the migration of {service}'s store failed with exit code {code}; it said:", child.tail())
