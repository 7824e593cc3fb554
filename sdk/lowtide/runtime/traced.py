"""Payloads that are put and got as spans, wherever they are kept: megabytes take time that somebody will look for."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lowtide.model.base import ExecutionId
from lowtide.runtime.ports import Payloads
from lowtide.telemetry.tracing import Tracer, current
from lowtide.wire.claims import Payload

__all__ = ["TracedPayloads"]


class TracedPayloads:
    """Implements :class:`lowtide.runtime.ports.Payloads`. A span is below that of the work at hand; what is done in no
    trace, as tidying up, is recorded nowhere."""

    def __init__(self, payloads: Payloads, tracer: Tracer) -> None:
        self._payloads = payloads
        self._tracer = tracer

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        with self._span("payload put", execution=execution, bytes=len(content)):
            return await self._payloads.put(namespace, execution, content)

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        with self._span("payload get", execution=execution, bytes=payload.size):
            return await self._payloads.get(namespace, execution, payload)

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        with self._span("payload drop", execution=execution):
            await self._payloads.drop(namespace, execution, digests)

    def _span(self, name: str, **attributes: str | int) -> AbstractContextManager[Any]:
        return nullcontext() if current() is None else self._tracer.span(name, kind="client").note(**attributes)
