"""Child processes of the effects: a session of their own, an environment that is given whole, and limits.

Memory is bounded per process (``RLIMIT_DATA``, set before the program starts). When the child ends, or its time or its
output is over, every process of its session group is killed: what it left running in the background too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from lowtide.errors import TaskFailed
from lowtide.model.base import Value
from lowtide.model.error import standard_error

__all__ = ["Child", "Ended", "Limits", "Running", "conceal", "launch", "run"]

# The shell in between only sets the limits: `exec` puts the program in its place.
_LIMITED: Final = 'ulimit -c 0; ulimit -d "$0" 2>/dev/null; unset PWD; exec "$@"'
_PR_SET_DUMPABLE: Final = 4
_LAST_WORDS: Final = 1.0  # seconds for output that is still in the pipes when the child has ended


class Limits(Value, frozen=True):
    """``seconds`` for the whole run; ``memory`` and ``output`` (of stdout and stderr each) in bytes."""

    seconds: float
    memory: int
    output: int


class Ended(Value, frozen=True):
    """``code`` is the exit code; 128 + n where signal n ended it."""

    code: int
    stdout: bytes
    stderr: bytes


class Child(asyncio.SubprocessProtocol):
    """A running process. ``receive(fd, data)`` is called with what it writes to stdout (1) and stderr (2)."""

    def __init__(self, receive: Callable[[int, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = loop.create_future()
        self._silent: asyncio.Future[None] = loop.create_future()
        self._receive = receive
        self._transport: Any = None

    def write(self, data: bytes) -> None:
        """To its stdin; of no effect where it has closed it."""
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)

    def close_input(self) -> None:
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None:
            pipe.close()

    async def exited(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._exited)

    async def silent(self) -> None:
        """Returns when no more output can come, or after a second: who left the session may hold the pipes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._silent), _LAST_WORDS)

    async def gone(self) -> None:
        """Returns when a killed process has been taken leave of, so that the system forgets it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.exited(), _LAST_WORDS)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all of its session at once, and let go of its pipes."""
        if not self._exited.done():
            self._signal(signal.SIGKILL)
        self._transport.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    # What asyncio calls:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._receive(fd, data)

    def process_exited(self) -> None:
        self._signal(signal.SIGKILL)  # the rest of its session
        code = self._transport.get_returncode()
        self._exited.set_result(128 - code if code < 0 else code)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._silent.done():
            self._silent.set_result(None)


async def launch(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    memory: int,
    receive: Callable[[int, bytes], None],
    stdin: int | IO[bytes] = subprocess.PIPE,
) -> Child:
    """Start a program; its stdin is a pipe unless a file is given.

    Raises ``TaskFailed`` (``runtime``) where the machine cannot, or a text holds a NUL.
    """
    words = ("/bin/sh", "-c", _LIMITED, str(max(memory // 1024, 1)), *argv)
    try:
        _, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: Child(receive), *words, stdin=stdin, env=dict(environment), cwd=folder, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise TaskFailed(standard_error("runtime", f"{argv[0]} could not be started: {error}")) from error
    return child


class Running:
    """A program whose output is collected, within its limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self._over = 0
        self._child: Child | None = None

    async def start(
        self, argv: Sequence[str], *, stdin: bytes = b"", environment: Mapping[str, str], folder: Path
    ) -> None:
        """As :func:`launch`. Its stdin is a file, not a pipe: it is there whole, and /dev/stdin can be opened."""
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            memory = self._limits.memory
            self._child = await launch(
                argv, environment=environment, folder=folder, memory=memory, receive=self._receive, stdin=file
            )
        if self._over:
            self._child.kill()

    async def ended(self) -> Ended:
        """Raises ``TaskFailed``: ``timeout`` where it takes longer than its limit, ``runtime`` where it writes more.

        When the caller is cancelled the program is killed.
        """
        assert self._child is not None
        try:
            async with asyncio.timeout(self._limits.seconds):
                code = await self._child.exited()
            await self._child.silent()
        except TimeoutError as error:
            detail = f"the process did not end within {self._limits.seconds:g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        finally:
            self._child.kill()
            await self._child.gone()
        if self._over:
            name = "stdout" if self._over == 1 else "stderr"
            detail = f"the process wrote more than {self._limits.output} bytes to its {name}"
            raise TaskFailed(standard_error("runtime", detail))
        return Ended(code, bytes(self._parts[1]), bytes(self._parts[2]))

    def _receive(self, fd: int, data: bytes) -> None:
        self._parts[fd] += data
        if len(self._parts[fd]) > self._limits.output and not self._over:
            self._over = fd
            if self._child is not None:  # a quick one writes before its start has been told
                self._child.kill()


async def run(
    argv: Sequence[str], *, stdin: bytes = b"", environment: Mapping[str, str], folder: Path, limits: Limits
) -> Ended:
    """Run a program to its end; raises as :meth:`Running.start` and :meth:`Running.ended`."""
    running = Running(limits)
    await running.start(argv, stdin=stdin, environment=environment, folder=folder)
    return await running.ended()


def conceal() -> None:
    """Let no child of the same user read this process's environment and memory in ``/proc``: the installation's key is
    there. It keeps nobody out who is root."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
