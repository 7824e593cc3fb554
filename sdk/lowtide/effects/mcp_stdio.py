"""MCP's stdio transport: the server is a child process, each line of its stdin and stdout a message."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from lowtide.effects import child
from lowtide.effects.mcp_requests import answer_to
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["StdioSession"]

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are found: the one thing in a server's environment that the task does not name."""
_LAST_WORDS: Final = 2000  # bytes of stderr in an error


class StdioSession:
    """``transport`` is evaluated: ``{command, arguments, environment}``. ``limit`` bounds the bytes that the server
    may write to stdout in all."""

    def __init__(self, transport: JSON, *, memory: int, limit: int) -> None:
        command = transport.get("command")
        if not isinstance(command, str) or not command:
            detail = f"`with.transport.stdio.command` must be a program's name, it is {command!r}"
            raise TaskFailed(standard_error("configuration", detail))
        self._argv = [command, *(str(one) for one in transport.get("arguments") or [])]
        named = {name: str(value) for name, value in (transport.get("environment") or {}).items()}
        self._environment = {"PATH": _PATH, **named}
        self._memory = memory
        self._limit = limit
        self._size = 0
        self._rest = b""
        self._said: deque[int] = deque(maxlen=_LAST_WORDS)
        self._answers: asyncio.Queue[dict[str, JSON] | TaskFailed] = asyncio.Queue()
        self._folder: Path | None = None
        self._child: child.Child | None = None

    async def open(self) -> None:
        child.conceal()
        self._folder = Path(tempfile.mkdtemp(prefix="lowtide-mcp-"))
        self._child = await child.launch(
            self._argv,
            environment=self._environment,
            folder=self._folder,
            memory=self._memory,
            receive=self._receive,
        )

    async def ask(self, message: dict[str, JSON], headers: dict[str, str]) -> dict[str, JSON]:
        assert self._child is not None
        self._write(message)
        ended = asyncio.ensure_future(self._child.exited())
        try:
            while True:
                received = asyncio.ensure_future(self._answers.get())
                await asyncio.wait({received, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not received.done():
                    received.cancel()
                    raise await self._gone(ended.result())
                answer = received.result()
                if isinstance(answer, TaskFailed):
                    raise answer
                if answer.get("id") == message["id"]:
                    return answer
        finally:
            ended.cancel()

    async def tell(self, message: dict[str, JSON]) -> None:
        self._write(message)

    def agreed(self, protocol_version: str) -> None:
        return None

    async def close(self, patience: float) -> None:
        try:
            if self._child is not None and patience:
                await self._end(self._child, patience / 2)
        finally:
            if self._child is not None:
                self._child.kill()
                await self._child.gone()
            if self._folder is not None:
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    @staticmethod
    async def _end(running: child.Child, patience: float) -> None:
        """As the protocol asks: its input is closed; if it goes on, it is told to end."""
        running.close_input()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.exited(), patience)
            return
        running.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.exited(), patience)

    def _write(self, message: dict[str, JSON]) -> None:
        assert self._child is not None
        self._child.write(msgspec.json.encode(message) + b"\n")

    def _receive(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._said.extend(data)
            return
        self._size += len(data)
        if self._size > self._limit:
            detail = f"the MCP server {self._argv[0]} wrote more than {self._limit} bytes"
            self._answers.put_nowait(TaskFailed(standard_error("communication", detail)))
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = msgspec.json.decode(line, type=dict)
        except msgspec.DecodeError:
            detail = f"the MCP server {self._argv[0]} wrote to stdout what is no message: {line[:200]!r}"
            self._answers.put_nowait(TaskFailed(standard_error("communication", detail)))
            return
        if "method" not in message:
            self._answers.put_nowait(message)
        elif (answer := answer_to(message)) is not None:
            self._write(answer)

    async def _gone(self, code: int) -> TaskFailed:
        assert self._child is not None
        await self._child.silent()
        said = bytes(self._said).decode(errors="replace").strip() or "it wrote nothing to stderr"
        detail = f"the MCP server {self._argv[0]} ended with exit code {code} before it answered: {said}"
        return TaskFailed(standard_error("runtime", detail))
