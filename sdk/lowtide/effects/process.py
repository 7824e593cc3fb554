"""What ``run: shell`` and ``run: script`` have in common (dsl-reference.md, "Run" and "Process Result").

The process begins in an empty folder of its own, with no environment but what the task names. An exit code other than
0 is a ``runtime`` error where nothing else would show it: with ``return: stdout`` and ``none``. With ``await: false``
the task is done when the process has begun; its limits hold all the same, and it ends with the process that started
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from lowtide.effects import child
from lowtide.effects.child import Limits, Running
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform
from lowtide.model.error import standard_error
from lowtide.model.process import as_text, environment_of, returned

__all__ = ["Prepare", "Processes", "Program", "check_allowed"]


class Program(Value, frozen=True):
    """What to run; ``what`` names it in errors. It is given the folder that it runs in."""

    argv: Sequence[str]
    what: str


Prepare: TypeAlias = Callable[[JSON, Path], Awaitable[Program]]
"""From the task's configuration and an empty folder: the program, its files written."""


class Processes:
    """Runs them. ``seconds`` is a task's time unless it has a timeout; ``memory`` and ``output`` are in bytes."""

    def __init__(self, *, seconds: float, memory: int, output: int) -> None:
        self._seconds = seconds
        self._memory = memory
        self._output = output
        self._detached: set[asyncio.Task[None]] = set()
        child.conceal()

    async def perform(self, command: Perform, prepare: Prepare) -> JSON:
        """What ``return`` asks for. Raises ``TaskFailed``: ``configuration``, ``timeout`` or ``runtime``."""
        given, configuration = command.arguments, command.arguments.get("with") or {}
        seconds = self._seconds if command.timeout is None else command.timeout / 1000
        limits = Limits(seconds=seconds, memory=self._memory, output=self._output)
        environment = environment_of(configuration.get("environment"))
        stdin = as_text(configuration.get("stdin")).encode()
        async with contextlib.AsyncExitStack() as stack:
            folder = await stack.enter_async_context(_folder())
            program = await prepare(configuration, folder)
            running = Running(limits)
            await running.start(program.argv, stdin=stdin, environment=environment, folder=folder)
            if given.get("await") is False:
                await self._detach(running, stack.pop_all())
                return None
            ended = await running.ended()
            stdout, stderr = (text.decode(errors="replace") for text in (ended.stdout, ended.stderr))
            return returned(given.get("return") or "stdout", ended.code, stdout, stderr, program.what)

    async def _detach(self, running: Running, stack: contextlib.AsyncExitStack) -> None:
        async def watch() -> None:
            async with stack:
                with contextlib.suppress(TaskFailed):  # nobody awaits it
                    await running.ended()

        task = asyncio.ensure_future(watch())
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)
        await asyncio.sleep(0)  # it has begun, and cleans up whatever comes

    async def close(self) -> None:
        """End those that nobody awaits."""
        for task in list(self._detached):
            task.cancel()
        await asyncio.gather(*self._detached, return_exceptions=True)


def check_allowed(allowed: bool, what: str, setting: str) -> None:
    """Raises ``TaskFailed`` (``authorization``, 403) naming the setting and the option."""
    if not allowed:
        option = "--" + setting.removeprefix("LOWTIDE_").lower().replace("_", "-")
        detail = f"{what} is off; an operator can allow it with {setting}=true (lowtide run: {option})"
        raise TaskFailed(standard_error("authorization", detail))


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lowtide-run-"))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
