"""What ``run: shell`` and ``run: script`` have in common (dsl-reference.md, "Run" and "Process Result").

The process begins in an empty folder of its own, with no environment but what the task names. An exit code other than
0 is a ``runtime`` error where nothing else would show it: with ``return: stdout`` and ``none``. With ``await: false``
the task is done when the process has begun; its limits hold all the same, and it ends with the process that started
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from lowtide.effects import child
from lowtide.effects.child import Ended, Limits, Running
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

__all__ = ["Prepare", "Processes", "Program", "argv_of", "as_text", "check_allowed"]

_NAME: Final = re.compile(r"[^=\0]+")
_SHOWN: Final = 2000  # characters of stderr in an error


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
        environment = _environment(configuration.get("environment"))
        stdin = as_text(configuration.get("stdin")).encode()
        async with contextlib.AsyncExitStack() as stack:
            folder = await stack.enter_async_context(_folder())
            program = await prepare(configuration, folder)
            running = Running(limits)
            await running.start(program.argv, stdin=stdin, environment=environment, folder=folder)
            if given.get("await") is False:
                await self._detach(running, stack.pop_all())
                return None
            return _returned(await running.ended(), given.get("return") or "stdout", program.what)

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


def as_text(value: JSON) -> str:
    """Strings as they are, nothing for ``null``, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def argv_of(given: JSON) -> list[str]:
    """A list is argv as it is; the map of older documents becomes ``name=value``, or ``name`` where there is none."""
    match given:
        case None:
            return []
        case list():
            return [as_text(one) for one in given]
        case dict():
            return [name if value in (None, "") else f"{name}={as_text(value)}" for name, value in given.items()]
        case _:
            return [as_text(given)]


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lowtide-run-"))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _environment(given: JSON) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(_NAME.fullmatch(name) for name in given):
        raise TaskFailed(standard_error("configuration", "`environment` must map names of variables to values"))
    return {name: as_text(value) for name, value in given.items() if value is not None}


def _returned(ended: Ended, wanted: str, what: str) -> JSON:
    stdout, stderr = (text.decode(errors="replace") for text in (ended.stdout, ended.stderr))
    if wanted == "all":
        return {"code": ended.code, "stdout": stdout, "stderr": stderr}
    if wanted == "code":
        return ended.code
    if wanted == "stderr":
        return stderr
    if ended.code != 0:
        said = stderr.strip()[-_SHOWN:] or "it wrote nothing to stderr"
        raise TaskFailed(standard_error("runtime", f"{what} ended with exit code {ended.code}: {said}"))
    return stdout if wanted == "stdout" else None
