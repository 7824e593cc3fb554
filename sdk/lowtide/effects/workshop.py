"""The effects that need more than HTTP, each made when it is first wanted: execute starts without their libraries."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform

if TYPE_CHECKING:
    from lowtide.effects.a2a import A2ACall
    from lowtide.effects.asyncapi import AsyncApiCall
    from lowtide.effects.auth import Authenticator
    from lowtide.effects.grpc import GrpcCall
    from lowtide.effects.http import HttpCall
    from lowtide.effects.mcp import McpCall
    from lowtide.effects.openapi import OpenApiCall
    from lowtide.effects.process import Processes
    from lowtide.effects.resource import Resources
    from lowtide.effects.script import ScriptRun
    from lowtide.effects.shell import ShellRun
    from lowtide.effects.web import Web
    from lowtide.runtime.clock import Clock

__all__ = ["Allowed", "Workshop"]


class Allowed(Value, frozen=True):
    """What the operator allows, and how much: seconds for one effect, bytes of one answer, and for each
    process of a workflow bytes of memory and of output.

    ``base`` is the folder of relative ``file:`` resources, where files may be read at all.
    """

    timeout: float
    max_response_bytes: int
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    loopback: bool = False
    files: bool = False
    base: Path | None = None
    shell: bool = False
    script: bool = False
    process_memory: int = 256 * 1024 * 1024
    process_output: int = 1024 * 1024


class Workshop:
    """Makes and keeps them. ``close`` ends those that were made."""

    def __init__(self, allowed: Allowed, *, clock: Clock | None = None) -> None:
        self._allowed = allowed
        self._clock = clock

    async def http(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._http.perform(command, idempotency_key)

    async def openapi(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._openapi.perform(command, idempotency_key)

    async def grpc(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._grpc.perform(command, idempotency_key)

    async def a2a(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._a2a.perform(command, idempotency_key)

    async def mcp(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._mcp.perform(command, idempotency_key)

    async def asyncapi(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._asyncapi.perform(command, idempotency_key)

    async def shell(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._shell.perform(command)

    async def script(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._script.perform(command)

    async def close(self) -> None:
        if "_asyncapi" in vars(self):
            await self._asyncapi.close()
        if "_processes" in vars(self):
            await self._processes.close()
        if "authenticator" in vars(self):
            await self.authenticator.close()
        if "_web" in vars(self):
            await self._web.close()

    @cached_property
    def _web(self) -> Web:
        from lowtide.effects.web import Web

        allowed = self._allowed
        return Web(
            allow_loopback=allowed.loopback,
            limit=allowed.max_response_bytes,
            connect_timeout=allowed.connect_timeout,
            read_timeout=allowed.read_timeout,
        )

    @cached_property
    def authenticator(self) -> Authenticator:
        from lowtide.effects.auth import Authenticator

        return Authenticator(self._web, seconds=self._allowed.timeout, clock=self._clock)

    @cached_property
    def _openapi(self) -> OpenApiCall:
        from lowtide.effects.openapi import OpenApiCall

        return OpenApiCall(self.resources, self.http)

    @cached_property
    def _http(self) -> HttpCall:
        from lowtide.effects.http import HttpCall

        return HttpCall(self._web, self.authenticator, timeout=self._allowed.timeout)

    @cached_property
    def resources(self) -> Resources:
        return self.fresh_resources()

    def fresh_resources(self) -> Resources:
        """As ``resources``, remembering nothing of what was fetched before."""
        from lowtide.effects.resource import Resources

        allowed = self._allowed
        return Resources(
            self._web, self.authenticator, seconds=allowed.timeout, allow_files=allowed.files, base=allowed.base
        )

    @cached_property
    def _grpc(self) -> GrpcCall:
        from lowtide.effects.grpc import GrpcCall

        allowed = self._allowed
        return GrpcCall(
            self.resources,
            self.authenticator,
            allow_loopback=allowed.loopback,
            timeout=allowed.timeout,
            limit=allowed.max_response_bytes,
        )

    @cached_property
    def _a2a(self) -> A2ACall:
        from lowtide.effects.a2a import A2ACall

        return A2ACall(self._web, self.authenticator, self.resources, timeout=self._allowed.timeout)

    @cached_property
    def _asyncapi(self) -> AsyncApiCall:
        from lowtide.effects.asyncapi import AsyncApiCall

        allowed = self._allowed
        return AsyncApiCall(
            self._web,
            self.authenticator,
            self.resources,
            timeout=allowed.timeout,
            connect_timeout=allowed.connect_timeout,
        )

    @cached_property
    def _mcp(self) -> McpCall:
        from lowtide.effects.mcp import McpCall

        allowed = self._allowed
        return McpCall(
            self._web,
            self.authenticator,
            timeout=allowed.timeout,
            allow_shell=allowed.shell,
            memory=allowed.process_memory,
        )

    @cached_property
    def _processes(self) -> Processes:
        from lowtide.effects.process import Processes

        allowed = self._allowed
        return Processes(seconds=allowed.timeout, memory=allowed.process_memory, output=allowed.process_output)

    @cached_property
    def _shell(self) -> ShellRun:
        from lowtide.effects.shell import ShellRun

        return ShellRun(self._processes, allowed=self._allowed.shell)

    @cached_property
    def _script(self) -> ScriptRun:
        from lowtide.effects.script import ScriptRun

        return ScriptRun(self._processes, self.resources, allowed=self._allowed.script)
