"""Wakes for running owners: pushed down the owner's stream, wherever among the replicas it ends.

An item for an owner whose stream is not here is stored, and the replicas are told by NOTIFY who has something
waiting (a notification is limited to 8,000 bytes; an item is not). Whoever has the stream takes the rows. An owner
that is between two streams finds its items when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

import psycopg

from lowtide.errors import Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection, Database

from .work import execution_of

__all__ = ["Receiver", "Signals"]

log = logging.getLogger("lowtide.ingest.signalling")

_CHANNEL: Final = "lowtide_signals"
_LONGEST_DELAY: Final = 5.0

_OWNER = """
SELECT owner FROM leases JOIN owners USING (owner)
 WHERE execution = %s AND epoch = %s AND closed_type IS NULL AND expires_at > clock_timestamp()
"""

_STORE = """
WITH stored AS (INSERT INTO signals (owner, execution, epoch, body) VALUES (%s, %s, %s, %s) RETURNING owner)
SELECT pg_notify(%s, owner) FROM stored
"""

_TAKE = """
WITH taken AS (
  DELETE FROM signals WHERE id IN (SELECT id FROM signals WHERE owner = %s ORDER BY id FOR UPDATE SKIP LOCKED)
  RETURNING id, execution, epoch, body)
SELECT execution, epoch, body FROM taken ORDER BY id
"""


class Receiver(Protocol):
    """Where a stream takes items."""

    def push(self, item: pb.Item) -> None: ...


class Signals:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._receivers: dict[str, Receiver] = {}

    async def join(self, owner: str, receiver: Receiver) -> Callable[[], None]:
        """Items for ``owner`` go to ``receiver`` from now on, those that waited first; call the result to leave."""

        def leave() -> None:
            if self._receivers.get(owner) is receiver:
                del self._receivers[owner]

        self._receivers[owner] = receiver
        await self._take(owner)
        return leave

    async def deliver(self, item: pb.Item) -> bool:
        """Whether a living owner was found. Raises :class:`lowtide.errors.Unavailable`."""
        execution = execution_of(item.execution)

        async def find_or_store(connection: Connection) -> str | None:
            row = await (await connection.execute(_OWNER, [execution, item.epoch])).fetchone()
            if row is not None and row[0] not in self._receivers:
                await connection.execute(_STORE, [row[0], execution, item.epoch, item.body, _CHANNEL])
            return None if row is None else str(row[0])

        owner = await self._database.transaction(find_or_store)
        receiver = self._receivers.get(owner) if owner is not None else None
        if receiver is not None:
            receiver.push(item)
        return owner is not None

    async def run(self) -> None:
        """Listen for other replicas' items until cancelled."""
        delay = 0.1
        while True:
            try:
                connection = await self._database.connect()
                async with connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    delay = 0.1
                    for owner in list(self._receivers):
                        await self._take(owner)  # what was notified while nobody listened
                    async for notification in connection.notifies():
                        if notification.payload in self._receivers:
                            await self._take(notification.payload)
            except psycopg.Error as error:
                log.warning("signals from other replicas wait", extra={"reason": str(error).strip()})
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def forget(self, connection: Connection) -> None:
        """Remove items that nobody took: their inbox rows are still with orchestrate."""
        await connection.execute("DELETE FROM signals WHERE at < now() - interval '1 minute'")

    async def _take(self, owner: str) -> None:
        async def take(connection: Connection) -> list[pb.Item]:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_TAKE, [owner])
            return [pb.Item(execution=str(row[0]), epoch=row[1], body=row[2]) async for row in cursor]

        try:
            items = await self._database.transaction(take)
        except Unavailable as error:
            log.warning("items of an owner wait", extra={"owner": owner, "reason": str(error)})
            return
        receiver = self._receivers.get(owner)
        for item in items:
            if receiver is not None:
                receiver.push(item)
