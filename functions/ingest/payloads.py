"""The claim check: large data by content, in chunks, verified before it is stored."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from lowtide.errors import InvalidInput, NotFound, TooLarge
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection, Database

from .work import check_text, execution_of

__all__ = ["Payloads"]

_CHUNK: Final = 256 * 1024
_AT_ONCE: Final = 4

_KNOWN = "SELECT size FROM payloads WHERE namespace = %s AND execution = %s AND sha256 = %s"
_MAKE = """
INSERT INTO payloads (namespace, execution, sha256, size) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING true
"""
_PUT = "INSERT INTO payload_chunks (namespace, execution, sha256, number, data) VALUES (%b, %b, %b, %b, %b)"
_GET = """
SELECT data FROM payload_chunks WHERE namespace = %s AND execution = %s AND sha256 = %s AND number = %s
"""
_DROP = """
WITH chunks AS (DELETE FROM payload_chunks WHERE namespace = %(namespace)s AND execution = %(execution)s
                 AND (%(all)s OR sha256 = ANY(%(digests)s::text[])))
DELETE FROM payloads WHERE namespace = %(namespace)s AND execution = %(execution)s
   AND (%(all)s OR sha256 = ANY(%(digests)s::text[]))
"""


class Payloads:
    """Content-addressed by (namespace, execution, sha256); putting the same again changes nothing.

    ``largest``: bytes that one payload may have.
    """

    def __init__(self, database: Database, largest: int) -> None:
        self._database = database
        self._largest = largest
        self._uploads = asyncio.Semaphore(_AT_ONCE)  # each is held in memory until its hash is known

    async def put(self, chunks: AsyncIterator[pb.PayloadChunk]) -> pb.PayloadRef:
        """Store what the chunks carry. Raises InvalidInput (hash, size), TooLarge, Unavailable."""
        async with self._uploads:
            ref: pb.PayloadRef | None = None
            content = bytearray()
            async for chunk in chunks:
                if ref is None:
                    ref = self._checked(chunk.ref)
                content += chunk.data
                if len(content) > ref.size:
                    raise InvalidInput(f"the payload is longer than the {ref.size} bytes that were announced")
            if ref is None:
                raise InvalidInput("no chunk came; the first one names the payload")
            if len(content) != ref.size:
                raise InvalidInput(f"the payload has {len(content)} bytes, {ref.size} were announced")
            if hashlib.sha256(content).hexdigest() != ref.sha256:
                raise InvalidInput("the payload's SHA-256 is not the one that was announced")
            await self._store(ref, memoryview(content))
            return ref

    async def _store(self, ref: pb.PayloadRef, content: memoryview) -> None:
        key = _key(ref)

        async def store(connection: Connection) -> None:
            made = await (await connection.execute(_MAKE, [*key, ref.size])).fetchone()
            if made is None:
                return
            for number, start in enumerate(range(0, len(content), _CHUNK)):
                await connection.execute(_PUT, [*key, number, bytes(content[start : start + _CHUNK])])

        await self._database.transaction(store)

    async def get(self, ref: pb.PayloadRef) -> AsyncIterator[pb.PayloadChunk]:
        """The content in chunks, the first of which carries the whole reference. Raises NotFound, Unavailable."""
        key = _key(_named(ref))
        row = await self._one(_KNOWN, key)
        if row is None:
            raise NotFound(f"execution {ref.execution} has no payload {ref.sha256} in namespace {ref.namespace}")
        size = int(row[0])
        whole = pb.PayloadRef(namespace=ref.namespace, execution=ref.execution, sha256=ref.sha256, size=size)
        if size == 0:
            yield pb.PayloadChunk(ref=whole)
        for number in range((size + _CHUNK - 1) // _CHUNK):
            # A statement each: nothing is held open at the pace of a slow reader.
            row = await self._one(_GET, [*key, number])
            if row is None:
                raise NotFound(f"payload {ref.sha256} was removed while it was read")
            yield pb.PayloadChunk(ref=whole if number == 0 else None, data=row[0])

    async def drop(self, request: pb.DropPayloadsRequest) -> int:
        """Forget payloads of an execution; how many there were. Raises InvalidInput, Unavailable."""
        wanted = {
            "namespace": check_text("namespace", request.namespace),
            "execution": execution_of(request.execution),
            "digests": list(request.sha256),
            "all": request.all,
        }

        async def drop(connection: Connection) -> int:
            return (await connection.execute(_DROP, wanted)).rowcount

        return await self._database.transaction(drop)

    def _checked(self, ref: pb.PayloadRef) -> pb.PayloadRef:
        if ref.size < 0:
            raise InvalidInput("a size is at least 0")
        if ref.size > self._largest:
            raise TooLarge(
                f"a payload may have {self._largest} bytes, not {ref.size}; LOWTIDE_MAX_PAYLOAD_BYTES is the limit"
            )
        return _named(ref)

    async def _one(self, statement: str, parameters: list[Any]) -> tuple[Any, ...] | None:
        async def read(connection: Connection) -> tuple[Any, ...] | None:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement, parameters)
            return await cursor.fetchone()

        return await self._database.transaction(read)


def _named(ref: pb.PayloadRef) -> pb.PayloadRef:
    check_text("namespace", ref.namespace)
    execution_of(ref.execution)
    if not re.fullmatch("[0-9a-f]{64}", ref.sha256):
        raise InvalidInput("sha256 must be 64 lower-case hexadecimal digits")
    return ref


def _key(ref: pb.PayloadRef) -> list[Any]:
    return [ref.namespace, execution_of(ref.execution), ref.sha256]
