"""What execute cannot tell while ingest is away: bounded, dropped beyond that, and counted for whoever watches it."""

from __future__ import annotations

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lowtide.wire.json import decode
from lowtide.wire.types import Ended
from tests.eventually import eventually
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import ExecuteProcess, order
from tests.peers import Peer, peer
from tests.ports import free_port

pytestmark = pytest.mark.anyio

_ROOM = 40
_LOOP = "do: [{each: {for: {in: '${ [range(100)] }'}, do: [{one: {set: {n: 1}}}]}}]"


def told(port: int, name: str) -> dict[str, float]:
    """By the one label that it has."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    samples = [
        sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    ]
    assert all(set(sample.labels) <= {"kind"} for sample in samples)
    return {sample.labels.get("kind", ""): sample.value for sample in samples}


async def test_what_ingest_could_not_be_told_is_bounded_and_counted_and_no_journal_record_is_lost(
    ingest: IngestProcess, broker: Peer
) -> None:
    away, metrics = free_port(), free_port()
    process = ExecuteProcess(f"127.0.0.1:{away}", broker, metrics_port=metrics, open_deadline=0.5, history_room=_ROOM)
    again: IngestProcess | None = None
    try:
        process.wait_until_ready()
        with peer(lambda request: (200, {"n": 1})) as shop:
            call = f"{{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}"
            durable = order(f"do: [{{a: {call}}}, {{b: {call}}}, {{c: {call}}}]")
            assert process.deliver(durable).status_code == 503, "without its journal it does not begin"
            assert told(metrics, "lowtide_dropped_records_total") == dict.fromkeys(
                ("facts", "logs", "usages", "lifecycle"), 0.0
            )
            relaxed = order(_LOOP, metadata={"lowtide": {"durability": "relaxed"}})
            assert decode(process.deliver(relaxed).content, Ended).status == "completed"
            dropped = told(metrics, "lowtide_dropped_records_total")
            assert dropped["facts"] > 100
            assert dropped["usages"] == 1
            assert told(metrics, "lowtide_reports_buffered") == {"": float(_ROOM)}
            _, facts, usages = counted(ingest, relaxed.execution)  # of others, in the store that tests share

            again = IngestProcess(ingest.stores, away).wait_until_listening()
            async for attempt in eventually(pause=0.2):
                with attempt:
                    assert process.deliver(durable).status_code == 200
        async for attempt in eventually(pause=0.2):
            with attempt:
                assert told(metrics, "lowtide_reports_buffered") == {"": 0.0}
                # The room is still full when the other execution begins: what it tells first may be dropped, too.
                lost = told(metrics, "lowtide_dropped_records_total")
                counts = (lost["facts"] + facts, lost["usages"] + usages)
                assert counted(ingest, relaxed.execution) == (_ROOM, *counts)
        assert dropped["facts"] <= lost["facts"] < dropped["facts"] + 10, "what followed found room"
        with psycopg.connect(ingest.stores.journal) as connection:
            numbers = connection.execute("SELECT number FROM journal WHERE execution = %s", [durable.execution])
            assert sorted(numbers) == [(1,), (2,), (3,)]
        assert len(shop.requests) == 3
    finally:
        process.close()
        if again is not None:
            again.close()


def counted(ingest: IngestProcess, execution: str) -> tuple[float, float, float]:
    """Facts that the store has of ``execution``; facts and usages of which it knows that nobody has them."""
    facts = "SELECT count(*) FROM task_facts WHERE execution = %s"
    lost = "SELECT coalesce(sum(count) FILTER (WHERE kind = %s), 0)::int FROM dropped WHERE source <> 'ingest'"
    with psycopg.connect(ingest.stores.analytics) as connection:
        rows = [(facts, execution), (lost, "facts"), (lost, "usages")]
        found = [connection.execute(query.encode(), [value]).fetchone() for query, value in rows]
    one, two, three = (row[0] if row else 0 for row in found)
    return one, two, three
