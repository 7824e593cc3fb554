"""An event loop in which nothing takes time but what is said to: when nothing is ready, time jumps to the next timer.

Callbacks run in the order in which they became ready, as asyncio promises; what is *not* promised, the order in which
messages and statements end, is drawn by those who carry them. Callbacks of a process wait while it is frozen and are
gone once it is dead.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, Final

from lowtide.testing.simulate.process import OUTSIDE, current

__all__ = ["Loop", "Stuck"]


class Stuck(Exception):
    """Nothing is ready and nothing is due: whoever waits, waits for ever."""


class _Handle(asyncio.Handle):
    """A callback of a process."""

    def _run(self) -> None:
        process = self._context.get(current)  # type: ignore[attr-defined]  # asyncio's own, absent from its stubs
        loop: Loop = self._loop  # type: ignore[attr-defined]
        if self.cancelled():
            return  # while its process was frozen
        if process is None or process.runs or loop.over:
            super()._run()
        elif process.frozen:
            process.held.append(self._run)
        else:
            loop.dropped.append(self._run)


class _TimerHandle(asyncio.TimerHandle, _Handle):
    pass


class _Jump:
    """Stands where a selector would wait for the world."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise Stuck("nothing is ready and nothing is due")
        self._loop.now += timeout
        return ()


class Loop(asyncio.BaseEventLoop):
    """``now``: virtual seconds since the loop was made."""

    _RESOLUTION: Final = 1e-9

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.failures: list[dict[str, Any]] = []
        self.over = False
        self.dropped: list[Callable[[], None]] = []
        self._kept: set[asyncio.Task[Any]] = set()
        self._selector = _Jump(self)
        self._clock_resolution = self._RESOLUTION
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def end(self) -> None:
        """Let go of everything that still waits, and of what the dead left unfinished; then close."""
        self.over = True
        failures = list(self.failures)
        for run in self.dropped:
            self.call_soon(run)
        for _ in range(50):
            tasks = {task for task in self._kept if not task.done()}
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=60.0))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()
        self.failures = failures

    def time(self) -> float:
        return self.now

    def create_task(  # type: ignore[override]  # the same, with less to say about types
        self, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """Kept until it is done: what a dead process was doing must not be collected in the middle of a world."""
        task = super().create_task(work, **options)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard, context=OUTSIDE)
        return task

    def _call_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]  # the same, with less to say about types
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        # As BaseEventLoop does, with a handle of ours.
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def run_in_executor(  # type: ignore[override]  # a thread would bring real time in: it is done here and now
        self, executor: object, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(function(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: object) -> None:
        """There are none: nothing here waits for a socket."""

    def _write_to_self(self) -> None:
        """There is no other thread that could have to wake this one."""
