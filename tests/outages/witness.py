"""Who appends to the journal all the time, and remembers what was acknowledged."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

import psycopg

from lowtide.clients.ingest import IngestClient
from lowtide.errors import LowtideError
from lowtide.wire import json
from lowtide.wire.records import Entry
from tests.integration.ingest.protocol import execution
from tests.integration.ingest.writers import client_of, entry

__all__ = ["Acknowledged", "Witness"]

_PAUSE: Final = 0.1
_LENGTH: Final = 50
"""Records after which it begins another execution."""


@dataclass(frozen=True)
class Acknowledged:
    """A record that the journal said to have, ``at`` seconds since 1970."""

    execution: str
    number: int
    entry: Entry
    at: float


@dataclass
class Witness:
    """Runs until cancelled; an execution that it cannot go on with is left, as its process would."""

    target: str
    records: list[Acknowledged] = field(default_factory=list)
    given_up: int = 0

    async def run(self) -> None:
        async with client_of(self.target) as client:
            while True:
                try:
                    await self._write(client)
                except LowtideError:
                    self.given_up += 1
                    await asyncio.sleep(_PAUSE)

    async def _write(self, client: IngestClient) -> None:
        one = execution()
        await client.open(one, 1, "digest", 0)
        for number, said in map(entry, range(1, _LENGTH + 1)):
            await client.append(one, 1, [(number, said)])
            self.records.append(Acknowledged(one, number, said, time.time()))
            await asyncio.sleep(_PAUSE)
        await client.release(one, 1)

    def missing(self, journal: str) -> list[str]:
        """What was acknowledged and is not there as it was said."""
        query = "SELECT execution::text, number, body FROM journal WHERE execution = ANY(%s::uuid[])"
        executions = sorted({record.execution for record in self.records})
        with psycopg.connect(journal) as connection:
            rows = connection.execute(query, [executions]).fetchall()
        there = {(one, number): json.decode(bytes(body), Entry) for one, number, body in rows}
        return [
            f"{record.execution}: record {record.number} was acknowledged and is lost"
            for record in self.records
            if there.get((record.execution, record.number)) != record.entry
        ]
