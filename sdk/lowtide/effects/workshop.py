"""The effects that need more than HTTP, each made when it is first wanted: execute starts without their libraries."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform

if TYPE_CHECKING:
    from lowtide.effects.grpc import GrpcCall
    from lowtide.effects.resource import Resources
    from lowtide.effects.web import Web

__all__ = ["Allowed", "Workshop"]


class Allowed(Value, frozen=True):
    """What the operator allows, and how much: seconds for one effect, bytes of one answer.

    ``base`` is the folder of relative ``file:`` resources, where files may be read at all.
    """

    timeout: float
    max_response_bytes: int
    loopback: bool = False
    files: bool = False
    base: Path | None = None


class Workshop:
    """Makes and keeps them. ``close`` ends those that were made."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    async def grpc(self, command: Perform, idempotency_key: str) -> JSON:
        return await self._grpc.perform(command, idempotency_key)

    async def close(self) -> None:
        if "_web" in vars(self):
            await self._web.close()

    @cached_property
    def _web(self) -> Web:
        from lowtide.effects.web import Web

        return Web(allow_loopback=self._allowed.loopback, limit=self._allowed.max_response_bytes)

    @cached_property
    def resources(self) -> Resources:
        from lowtide.effects.resource import Resources

        allowed = self._allowed
        return Resources(self._web, seconds=allowed.timeout, allow_files=allowed.files, base=allowed.base)

    @cached_property
    def _grpc(self) -> GrpcCall:
        from lowtide.effects.grpc import GrpcCall

        allowed = self._allowed
        return GrpcCall(
            self.resources,
            allow_loopback=allowed.loopback,
            timeout=allowed.timeout,
            limit=allowed.max_response_bytes,
        )
