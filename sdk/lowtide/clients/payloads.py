"""Large data that ingest keeps: the payload store where no object store is configured."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from lowtide.clients.calling import Caller
from lowtide.errors import NotFound, PayloadLost
from lowtide.model.base import ExecutionId
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.wire.claims import Payload, payload_of

if TYPE_CHECKING:
    from lowtide.rpc.v1.ingest_pb2_grpc import IngestStub

__all__ = ["IngestPayloads"]

_CHUNK: Final = 256 * 1024


class IngestPayloads:
    """Implements :class:`lowtide.runtime.ports.Payloads`. A call that is cut is made again within its deadline."""

    def __init__(self, call: Caller, stub: Callable[[], IngestStub]) -> None:
        self._call = call
        self._stub = stub

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        payload = payload_of(content)
        ref = _ref(namespace, execution, payload)

        async def chunks() -> AsyncIterator[pb.PayloadChunk]:
            yield pb.PayloadChunk(ref=ref, data=content[:_CHUNK])
            for start in range(_CHUNK, len(content), _CHUNK):
                yield pb.PayloadChunk(data=content[start : start + _CHUNK])

        await self._call(lambda _, **options: self._stub().PutPayload(chunks(), **options), None)
        return payload

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        async def whole(ref: pb.PayloadRef, **options: Any) -> bytes:
            parts = self._stub().GetPayload(ref, **options)
            return b"".join([part.data async for part in parts])

        try:
            content, _ = await self._call(whole, _ref(namespace, execution, payload))
        except NotFound as error:
            raise PayloadLost(str(error)) from error
        if payload_of(content) != payload:
            raise PayloadLost(f"payload {payload.sha256} of execution {execution} came back with other content")
        return bytes(content)

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        request = pb.DropPayloadsRequest(
            namespace=namespace, execution=execution, sha256=sorted(digests or ()), all=digests is None
        )
        await self._call(self._stub().DropPayloads, request)


def _ref(namespace: str, execution: ExecutionId, payload: Payload) -> pb.PayloadRef:
    return pb.PayloadRef(namespace=namespace, execution=execution, sha256=payload.sha256, size=payload.size)
