"""Events from outside, kept in PostgreSQL from before their 202 until they are delivered.

Group commit without a timer: the next batch gathers while the previous one commits.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import psycopg

from lowtide.errors import Unavailable
from lowtide.wire import cloudevents
from lowtide.wire.cloudevents import CloudEvent

__all__ = ["StoredEvents"]

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body        bytea NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now()
)
"""
_INSERT: Final = """
INSERT INTO event (body) SELECT body FROM unnest(%b::bytea[]) WITH ORDINALITY AS given (body, place) ORDER BY place
RETURNING id
"""
_DELETE: Final = "DELETE FROM event WHERE id = ANY(%b)"
_BATCH: Final = 500


class StoredEvents:
    """``async with StoredEvents(url)``; raises :class:`lowtide.errors.Unavailable` where PostgreSQL does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[tuple[int]] | None = None
        self._adding: list[tuple[bytes, asyncio.Future[int]]] = []
        self._removing: list[int] = []
        self._wanted = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> StoredEvents:
        connection = await self._connected()
        try:
            await connection.execute(_TABLE)
        except psycopg.Error as error:
            await connection.close()
            raise Unavailable(f"the broker's table cannot be made: {error}") from error
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is waiting to be removed is removed; what waits to be added was never promised to anybody."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        with contextlib.suppress(Unavailable, psycopg.Error):
            await self._commit([], self._removing)
        if self._connection is not None:
            await self._connection.close()

    async def add(self, event: CloudEvent) -> int:
        """Returns its number after the commit. Raises :class:`lowtide.errors.Unavailable`."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._adding.append((cloudevents.to_structured(event)[1], future))
        self._wanted.set()
        return await future

    def remove(self, number: int) -> None:
        """Soon: a crash before it means another delivery, which subscribers expect."""
        self._removing.append(number)
        self._wanted.set()

    async def all(self) -> list[tuple[int, CloudEvent]]:
        """What was accepted and not yet delivered, oldest first."""
        connection = await self._connected()
        async with connection.transaction():
            cursor = await connection.execute("SELECT id, body FROM event ORDER BY id", binary=True)
            rows: list[tuple[int, bytes]] = await cursor.fetchall()  # type: ignore[assignment]
        headers = {"content-type": cloudevents.STRUCTURED}
        return [(number, cloudevents.read(headers, body)) for number, body in rows]

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._adding or self._removing:
                adding, self._adding = self._adding[:_BATCH], self._adding[_BATCH:]
                removing, self._removing = self._removing, []
                try:
                    numbers = await self._commit([body for body, _ in adding], removing)
                except (psycopg.Error, Unavailable) as error:
                    self._failed(adding, removing, error)
                    await asyncio.sleep(0.2)
                    continue
                for (_, future), number in zip(adding, numbers, strict=True):
                    if not future.done():
                        future.set_result(number)

    def _failed(self, adding: list[tuple[bytes, asyncio.Future[int]]], removing: list[int], error: Exception) -> None:
        self._removing[:0] = removing
        for _, future in adding:
            if not future.done():
                future.set_exception(Unavailable(f"the event could not be stored: {error}"))

    async def _commit(self, bodies: list[bytes], removing: list[int]) -> list[int]:
        connection = await self._connected()
        numbers: list[int] = []
        async with connection.transaction():
            if removing:
                await connection.execute(_DELETE, [removing])
            if bodies:
                cursor = await connection.execute(_INSERT, [bodies])
                numbers = [number for (number,) in await cursor.fetchall()]
        return numbers

    async def _connected(self) -> psycopg.AsyncConnection[tuple[int]]:
        if self._connection is None or self._connection.closed:
            try:
                self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
            except psycopg.Error as error:
                raise Unavailable(f"the broker's database does not answer: {error}") from error
        return self._connection
