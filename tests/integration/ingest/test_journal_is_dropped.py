"""The journal of an execution that was deleted; what its late comers are told is in the contract of the port."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.errors import InvalidInput
from lowtide.model.base import ExecutionId
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import execution
from tests.integration.ingest.test_journal_is_read_back import client

__all__ = ["client"]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


async def test_a_long_journal_is_dropped_whole_and_nobody_elses(client: IngestClient, ingest: IngestProcess) -> None:
    long, other = execution(), execution()
    with psycopg.connect(ingest.stores.journal, autocommit=True) as connection:
        for one, number in ((long, 4100), (other, 3)):
            records = "INSERT INTO journal SELECT %s, number, 1, '', now() FROM generate_series(1, %s) AS number"
            connection.execute(records, [one, number])
        await client.drop_journals([long, long], forget=True)
        left = connection.execute(
            "SELECT execution, count(*) FROM journal WHERE execution = ANY(%s) GROUP BY 1", [[long, other]]
        )
        assert left.fetchall() == [(UUID(other), 3)]


async def test_what_is_no_execution_is_refused(client: IngestClient) -> None:
    with pytest.raises(InvalidInput, match="expected a UUID"):
        await client.drop_journals([ExecutionId("all")], forget=False)
