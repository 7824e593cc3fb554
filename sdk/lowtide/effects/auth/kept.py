"""A cache of what others gave for a time (tokens, discovery documents): bounded, and each thing is fetched once at a
time, however many ask for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from lowtide.errors import TaskFailed

__all__ = ["Kept"]

T = TypeVar("T")

_MOST: Final = 1_000


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T
    until: float


class Kept(Generic[T]):
    """Times are of the event loop's clock: what others give lives by real time, whatever clock an execution has."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[T]] = {}

    async def get(
        self,
        key: str,
        fetch: Callable[[T | None], Awaitable[tuple[T, float]]],
        *,
        instead_of: T | None = None,
    ) -> tuple[T, bool]:
        """The value, and whether it was kept from before. ``instead_of`` is one that proved to be of no use.

        ``fetch`` is given the last value, if there was one, and returns a new one with the seconds it may be kept.
        Who stops waiting does not stop the fetch for the others. Raises what ``fetch`` raises.
        """
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            if entry.value is instead_of:
                entry.until = 0.0
            if asyncio.get_running_loop().time() < entry.until:
                return entry.value, True
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.ensure_future(self._fetch(key, fetch, None if entry is None else entry.value))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            return await asyncio.shield(task), False
        except TaskFailed as failure:
            raise TaskFailed(failure.error) from failure  # each waiter its own: the task's is shared

    async def close(self) -> None:
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, key: str, fetch: Callable[[T | None], Awaitable[tuple[T, float]]], last: T | None) -> T:
        value, seconds = await fetch(last)
        self._entries[key] = _Entry(value, asyncio.get_running_loop().time() + seconds)
        while len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        return value

    def _forget(self, key: str, done: asyncio.Task[T]) -> None:
        del self._fetching[key]
        if not done.cancelled():
            done.exception()  # it was told to whoever waited; nobody may be left
