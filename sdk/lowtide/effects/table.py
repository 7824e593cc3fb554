"""Which effect performs which call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["EffectTable", "Performer", "build"]

Performer: TypeAlias = Callable[[Perform, str], Awaitable[JSON]]


class EffectTable:
    """Implements the driver's ``Effects`` port by call kind. ``close`` ends what the performers keep open; ``watch`` is
    told of each effect, with the seconds that it took."""

    def __init__(
        self, performers: dict[str, Performer], closers: tuple[Callable[[], Awaitable[None]], ...] = ()
    ) -> None:
        self.watch: Callable[[str, float, str], None] | None = None
        self._performers = performers
        self._closers = closers

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        performer = self._performers.get(command.call)
        if performer is None:
            kinds = ", ".join(sorted(self._performers))
            detail = f"`{command.call}` is not available in this installation (it performs: {kinds})"
            raise TaskFailed(standard_error("configuration", detail))
        if self.watch is None:
            return await performer(command, idempotency_key)
        loop = asyncio.get_running_loop()
        began, result = loop.time(), "failed"
        try:
            output = await performer(command, idempotency_key)
            result = "succeeded"
            return output
        finally:
            self.watch(command.call, loop.time() - began, result)

    async def close(self) -> None:
        for close in self._closers:
            await close()


def build(
    *,
    clock: Clock | None = None,
    step: Performer | None = None,
    callback: Performer | None = None,
    allow_loopback: bool = False,
    allow_files: bool = False,
    allow_shell: bool = False,
    allow_script: bool = False,
    base: Path | None = None,
    http_timeout: float = 30.0,
    http_connect_timeout: float = 10.0,
    http_read_timeout: float = 120.0,
    max_response_bytes: int = 8 * 1024 * 1024,
    process_memory: int = 256 * 1024 * 1024,
    process_output: int = 1024 * 1024,
) -> EffectTable:
    """The effects of this version. ``http_timeout`` in seconds is a call's own unless its task sets a timeout; before
    that, a call ends that waits longer for a connection, or for the next byte.
    ``clock`` dates signed assertions of OAuth 2 clients. ``step`` and ``callback`` are other people's performers.

    ``base`` is the folder of relative ``file:`` resources; ``process_*`` are the limits of a workflow's processes, in
    bytes.
    """
    from lowtide.effects.workshop import Allowed, Workshop

    workshop = Workshop(
        Allowed(
            timeout=http_timeout,
            connect_timeout=http_connect_timeout,
            read_timeout=http_read_timeout,
            max_response_bytes=max_response_bytes,
            loopback=allow_loopback,
            files=allow_files,
            base=base,
            shell=allow_shell,
            script=allow_script,
            process_memory=process_memory,
            process_output=process_output,
        ),
        clock=clock,
    )
    performers: dict[str, Performer] = {
        "http": workshop.http,
        "openapi": workshop.openapi,
        "grpc": workshop.grpc,
        "mcp": workshop.mcp,
        "a2a": workshop.a2a,
        "asyncapi": workshop.asyncapi,
        "shell": workshop.shell,
        "script": workshop.script,
    }
    if step is not None:
        performers["step"] = step
    if callback is not None:
        performers["callback"] = callback
    return EffectTable(performers, (workshop.close,))
