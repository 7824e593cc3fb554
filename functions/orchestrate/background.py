"""Tasks that no request waits for; none is lost from sight, and all end before the process does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from lowtide.errors import LowtideError

__all__ = ["Background"]

log = logging.getLogger("lowtide.orchestrate")


class Background:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, object], what: str) -> asyncio.Task[None]:
        """Run ``work``; should it fail, the log says ``what`` failed."""
        task = asyncio.create_task(self._guard(work, what), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # had it not begun yet, it would complain of never being awaited
        return task

    async def close(self, grace: float) -> None:
        """Give what runs ``grace`` seconds to end, then cancel it."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, object], what: str) -> None:
        try:
            await work
        except LowtideError as error:
            log.warning("%s: %s", what, error)
        except Exception:  # a defect of ours: nobody awaits this task, so the log is the only place to say it
            log.exception("%s failed", what)
