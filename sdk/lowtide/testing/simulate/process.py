"""A process: tasks that run, freeze and die together, as those of an operating system do.

Whatever a task starts belongs to its process, because contexts are inherited. A dead process runs nothing more, not
even a ``finally``: what it held (connections, calls) is taken from it by those who registered with
:meth:`Process.at_end`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

__all__ = ["OUTSIDE", "Process", "current"]

T = TypeVar("T")

current: ContextVar[Process | None] = ContextVar("process", default=None)
"""The process that the running callback belongs to; ``None`` for the world itself."""

OUTSIDE = contextvars.Context()
"""The context of what happens in no process: a message arrives although its sender has died."""


class Process:
    """``name`` says what it is, ``number`` which incarnation. ``skew``: milliseconds that its wall clock is ahead."""

    def __init__(self, name: str, number: int) -> None:
        self.name = f"{name}#{number}"
        self.alive = True
        self.frozen = False
        self.skew = 0
        self.held: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_end: dict[object, Callable[[], None]] = {}
        self._context = contextvars.Context()
        self._context.run(current.set, self)

    @property
    def runs(self) -> bool:
        return self.alive and not self.frozen

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` as a task of this process."""
        task = self._context.run(asyncio.get_running_loop().create_task, work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=OUTSIDE)
        return task

    def call(self, what: Callable[[], object]) -> None:
        """Let ``what`` happen in this process, as soon as it runs."""
        asyncio.get_running_loop().call_soon(what, context=self._context.run(contextvars.copy_context))

    def at_end(self, what: Callable[[], None]) -> Callable[[], None]:
        """Call ``what`` when the process dies; the result takes that back."""
        mark = object()
        self._at_end[mark] = what

        def forget() -> None:
            self._at_end.pop(mark, None)

        return forget

    def kill(self) -> None:
        """It does nothing from now on; the world lets go of what it held."""
        if not self.alive:
            return
        self.thaw()
        self.alive = False
        ends, self._at_end = list(self._at_end.values()), {}
        for end in ends:
            end()

    async def die(self) -> NoReturn:
        """End here, at this very await."""
        self.kill()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable: a dead process is never resumed")

    def freeze(self) -> None:
        self.frozen = self.alive

    def thaw(self) -> None:
        """Everything that became ready meanwhile runs now, in its order."""
        self.frozen = False
        held, self.held = self.held, []
        for run in held:
            asyncio.get_running_loop().call_soon(run, context=OUTSIDE)
