"""A payload store in memory: what the contract of the port asks for, without a network.

payloads = MemoryPayloads()
payloads.down = True        # every call fails
payloads.kept.clear()       # somebody emptied the store
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lowtide.errors import PayloadLost, TooLarge, Unavailable
from lowtide.model.base import ExecutionId
from lowtide.wire.claims import Payload, payload_of

__all__ = ["MemoryPayloads"]


@dataclass
class MemoryPayloads:
    """``kept`` is by namespace, execution and SHA-256; ``largest`` is how many bytes one may have."""

    largest: int = 64 * 1024 * 1024
    down: bool = False
    kept: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        self._ask()
        if len(content) > self.largest:
            raise TooLarge(f"a payload may have {self.largest} bytes, not {len(content)}")
        payload = payload_of(content)
        self.kept.setdefault((namespace, execution, payload.sha256), content)
        return payload

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        self._ask()
        content = self.kept.get((namespace, execution, payload.sha256))
        if content is None:
            raise PayloadLost(f"execution {execution} has no payload {payload.sha256} in namespace {namespace}")
        return content

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        self._ask()
        for key in [key for key in self.kept if key[:2] == (namespace, execution)]:
            if digests is None or key[2] in digests:
                del self.kept[key]

    def _ask(self) -> None:
        if self.down:
            raise Unavailable("the payload store is down")
