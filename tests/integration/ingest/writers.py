"""Executions that keep writing to a journal while a test does terrible things to ingest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from lowtide.clients.ingest import IngestClient, Patience
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import EffectSucceeded
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from lowtide.wire.records import Closing, Entry
from tests.ingests import Stores
from tests.integration.ingest.protocol import execution

__all__ = ["DONE", "Writer", "client_of", "entry", "written"]

DONE = Closing("dev.lowtide.execution.completed.v1", b"{}")


def entry(number: int, noise: int = 0) -> tuple[int, Entry]:
    """``noise`` is how many bytes it has that cannot be compressed."""
    output = random.randbytes(noise // 2).hex() if noise else number
    return number, Entry(turn=number, event=EffectSucceeded(at=Millis(number), command=f"c{number}", output=output))


@asynccontextmanager
async def client_of(target: str, patience: Patience | None = None, window: float = 4.5) -> AsyncIterator[IngestClient]:
    client = IngestClient(
        target, owner=new_owner(), clock=SystemClock(), chance=uniform, window=window, patience=patience
    )
    client.start()
    try:
        yield client
    finally:
        await client.aclose()


class Writer:
    """One execution that appends record after record; ``acknowledged`` is the last that the journal took."""

    def __init__(self, client: IngestClient, noise: int = 0) -> None:
        self.execution = execution()
        self.acknowledged = 0
        self._client = client
        self._noise = noise

    async def write(self, records: int, pause: float = 0.0) -> None:
        assert (await self._client.open(self.execution, 1, "digest", 0)).answer == "ok"
        for number in range(1, records + 1):
            await self._client.append(self.execution, 1, [entry(number, self._noise)])
            self.acknowledged = number
            await asyncio.sleep(pause)
        await self._client.append(self.execution, 1, [], DONE)


def written(stores: Stores, execution: ExecutionId) -> list[int]:
    with psycopg.connect(stores.journal) as connection:
        rows = connection.execute("SELECT number FROM journal WHERE execution = %s ORDER BY number", [execution])
        return [number for (number,) in rows]
