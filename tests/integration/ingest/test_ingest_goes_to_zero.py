"""Between two needs the client has no stream and no connection, so that ingest can end."""

from __future__ import annotations

import psutil
import pytest

from lowtide.clients.ingest import Patience
from lowtide.runtime.clock import SystemClock
from tests.eventually import eventually
from tests.ingests import IngestProcess, RunIngest, Stores
from tests.integration.ingest.protocol import execution
from tests.integration.ingest.writers import DONE, Writer, client_of, entry, written
from tests.ports import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


def connections(port: int) -> int:
    """Connections of this process to ``port``."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port == port
        for connection in psutil.Process().net_connections("tcp")
        if connection.raddr
    )


async def test_a_client_without_open_executions_disconnects_and_comes_back(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    port = free_port()
    process = run_ingest(ingest_stores, port=port)
    async with client_of(process.target, Patience(idle=0.2)) as client:
        await Writer(client).write(3)
        assert connections(port) == 1
        async for attempt in eventually():
            with attempt:
                assert connections(port) == 0
        assert process.terminate() == 0
        run_ingest(ingest_stores, port=port)
        again = Writer(client)
        await again.write(3)
        assert written(ingest_stores, again.execution) == [1, 2, 3]


async def test_a_client_with_an_open_execution_keeps_its_lease_by_signs_of_life(ingest: IngestProcess) -> None:
    async with client_of(ingest.target, Patience(idle=0.1), window=1.0) as client:
        await client.open(one := execution(), 1, "digest", 0)
        clock = SystemClock()
        ends = clock.monotonic() + 2.5 * 1.0
        while clock.monotonic() < ends:
            assert client.holds(one, 1)
            await clock.sleep(0.05)
        assert (await client.leases([one]))[one].alive
        await client.append(one, 1, [entry(1)], DONE)
        state = (await client.leases([one]))[one]
        assert (state.epoch, state.alive, state.closing) == (1, False, DONE)
