"""Facts, logs, usage and changes on their way to the analytics store, and what happens when it is not there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import Table

from functions.ingest.projecting import Projector
from functions.ingest.rows import CHANGES, KINDS
from functions.ingest.totals import COLUMNS
from lowtide.clients.ingest import IngestClient
from lowtide.errors import InvalidInput, Unavailable
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.error import Error
from lowtide.model.fact import Fact
from lowtide.model.phase import Phase
from lowtide.model.usage import Usage
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage import analytics
from lowtide.storage.database import Database
from lowtide.wire.records import Change, Outline, Subject
from tests.databases import outage
from tests.eventually import eventually
from tests.ingests import IngestProcess, RunIngest, Stores
from tests.integration.ingest.protocol import Owner, execution, record, talking_to
from tests.integration.ingest.writers import client_of, entry, written

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_NOW = Millis(1_800_000_000_123)
_FAILURE = Error(type="https://example.com/error", status=500, title="No", detail="nul \0 inside")


@pytest.fixture
async def client(ingest: IngestProcess) -> AsyncIterator[IngestClient]:
    async with client_of(ingest.target) as client:
        yield client


def subject(execution: ExecutionId) -> Subject:
    return Subject("shop", "order", "1.0.0", execution)


def fact(number: int, **changed: Any) -> Fact:
    values: dict[str, Any] = {
        "number": number,
        "task": "/do/0/a@1",
        "name": "a",
        "reference": "/do/0/a",
        "kind": "call",
        "status": "completed",
        "at": _NOW,
    }
    return Fact(**{**values, **changed})


def change(execution: ExecutionId, number: int, phase: Phase, **changed: Any) -> Change:
    return Change(subject=subject(execution), number=number, phase=phase, epoch=1, created_at=_NOW, **changed)


def rows(stores: Stores, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(stores.analytics) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_statements_name_the_columns_that_the_tables_have(kind: Any) -> None:
    table: Table = analytics.metadata.tables[kind.table]
    ours = {name for name, _ in (COLUMNS if kind is CHANGES else kind.columns)}
    assert ours == {column.name for column in table.columns if column.computed is None} - {"known_version", "known_end"}
    assert [name for name, _ in kind.columns][: kind.keys] == [column.name for column in table.primary_key]
    assert all(kind.name in pb.Batch.DESCRIPTOR.fields_by_name for kind in KINDS)


async def test_facts_logs_and_usage_reach_the_analytics_store(client: IngestClient, ingest: IngestProcess) -> None:
    one = execution()
    wait = {"kind": "timer", "until": "2026-11-23T12:00:00.000Z"}
    waiting, faulted = fact(1, status="waiting", wait=wait), fact(2, status="faulted", error=_FAILURE, attempt=2)
    client.facts(subject(one), (waiting, faulted))
    client.log(subject(one), "info", "said \0 something", task="/do/0/a@1", fields={"key": "nul \0", "n": 1})
    client.log(subject(one), "info", "and more")
    client.usage(subject(one), 3, Usage(active_ms=12.5, cold_start=True, effects=2, input_tokens=9, output_tokens=4))
    async for attempt in eventually():
        with attempt:
            query = (
                "SELECT number, status, attempt, error->>'detail', wait FROM task_facts WHERE execution = %s ORDER BY 1"
            )
            expected = [(1, "waiting", 1, None, wait), (2, "faulted", 2, "nul � inside", None)]
            assert rows(ingest.stores, query, one) == expected
            logs = "SELECT message, fields FROM logs WHERE execution = %s ORDER BY id"
            assert rows(ingest.stores, logs, one) == [
                ("said � something", {"key": "nul �", "n": 1}),
                ("and more", None),
            ]
            usage = "SELECT namespace, epoch, active_ms, cold_start, effects FROM usage WHERE execution = %s"
            assert rows(ingest.stores, usage, one) == [("shop", 3, 12.5, True, 2)]
            totals = "SELECT effects, bytes_out, input_tokens, output_tokens FROM executions WHERE execution = %s"
            assert rows(ingest.stores, totals, one) == [(2, 0, 9, 4)]
            models = "SELECT sum(total)::int FROM rollups_hour WHERE measure = ANY(%s)"
            assert rows(ingest.stores, models, ["invocations.input_tokens", "invocations.output_tokens"])[0][0] >= 13


async def test_a_batch_of_history_that_comes_twice_is_stored_once(ingest: IngestProcess) -> None:
    one = execution()
    whom = pb.Subject(namespace="shop", workflow="order", version="1", execution=one)
    facts = [pb.TaskFact(subject=whom, number=1, at=_NOW)]
    metrics = [pb.MetricSample(subject=whom, at=_NOW, name="latency", value=1.5, id=f"{one}-1", labels={"a": "b"})]
    async with talking_to(ingest.target) as stub:
        owner = Owner(stub)
        await owner.send(facts=facts, metrics=metrics)
        await owner.send(facts=facts, metrics=metrics)
        async for attempt in eventually():
            with attempt:
                assert rows(ingest.stores, "SELECT count(*) FROM task_facts WHERE execution = %s", one) == [(1,)]
                query = "SELECT value, labels FROM metric_samples WHERE execution = %s"
                assert rows(ingest.stores, query, one) == [(1.5, {"a": "b"})]


async def test_a_report_that_no_table_takes_is_dropped_alone_and_counted(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process, one = run_ingest(ingest_stores), execution()
    good = pb.Subject(namespace="shop", workflow="order", version="1", execution=one)
    bad = pb.Subject(namespace="shop", workflow="order", version="1", execution="nonsense")
    facts = [
        pb.TaskFact(subject=good, number=1, at=_NOW),
        pb.TaskFact(subject=bad, number=2, at=_NOW),
        pb.TaskFact(subject=good, number=3, at=2**62),
        pb.TaskFact(subject=good, number=4, at=_NOW, error=b"{not json"),
        pb.TaskFact(subject=good, number=5, at=_NOW, error=b'"\\ud800"'),
        pb.TaskFact(subject=good, number=6, at=_NOW),
    ]
    async with talking_to(process.target) as stub:
        await Owner(stub).send(facts=facts, dropped={"logs": 7})
        async for attempt in eventually():
            with attempt:
                query = "SELECT number FROM task_facts WHERE execution = %s ORDER BY 1"
                assert rows(ingest_stores, query, one) == [(1,), (6,)]
                query = "SELECT kind, sum(count)::int FROM dropped GROUP BY 1 ORDER BY 1"
                assert rows(ingest_stores, query) == [("invalid", 4), ("logs", 7)]
    assert not process.noise


async def test_texts_too_long_for_an_index_are_cut_or_refused_alone_and_hold_nothing_up(
    client: IngestClient, ingest: IngestProcess
) -> None:
    """What PostgreSQL calls a limit of its own is no outage: it would be one for ever."""
    one, two = execution(), execution()
    invalid = "SELECT coalesce(sum(count), 0)::int FROM dropped WHERE source = 'ingest' AND kind = 'invalid'"
    ((before,),) = rows(ingest.stores, invalid)
    noise = random.Random(7).randbytes(900_000).hex()
    whom = pb.Subject(namespace="shop", workflow="order", version="1", execution=one)
    lost = [pb.LogLine(subject=whom, at=_NOW, id=noise[:8000]), pb.MetricSample(subject=whom, at=_NOW, name=noise)]
    words = " ".join(noise[start : start + 9] for start in range(0, len(noise), 9))
    lost.append(pb.LogLine(subject=whom, at=_NOW, id="words", message=words))
    lost.append(pb.LogLine(subject=whom, at=_NOW, id="deep", fields=b"[" * 50_000 + b"]" * 50_000))
    failure = Error(type=f"https://example.com/{noise[:5000]}", status=500, title="No", detail=words)
    async with talking_to(ingest.target) as stub:
        logs, metrics = [lost[0], *lost[2:]], [lost[1]]
        owner = Owner(stub)
        for _ in range(2):  # what it says of its own losses may be nonsense as well
            await owner.send(dropped={"nul \0": 3, "logs": 2**63 - 1, "facts": -5})
        await owner.send(logs=[*logs, pb.LogLine(subject=whom, at=_NOW, id="good")], metrics=metrics)
        client.facts(subject(one), (fact(1, status="faulted", error=failure),))
        await client.change(change(two, 1, "faulted", ended_at=Millis(_NOW + 9), error=failure))
        query = "SELECT phase, length(error_type), length(error->>'detail') FROM executions WHERE execution = %s"
        assert rows(ingest.stores, query, two) == [("faulted", 253, 65536)]
        async for attempt in eventually():
            with attempt:
                assert rows(ingest.stores, "SELECT id FROM logs WHERE execution = %s", one) == [("good",)]
                assert rows(
                    ingest.stores, "SELECT length(error->>'type') FROM task_facts WHERE execution = %s", one
                ) == [(253,)]
                assert rows(ingest.stores, invalid) == [(before + 4,)]
                query = "SELECT kind, sum(count)::bigint FROM dropped WHERE source = %s GROUP BY 1"
                assert dict(rows(ingest.stores, query, owner.name)) == {"other": 6, "logs": 2 * 10**9, "facts": 0}
    assert not ingest.noise


async def test_reports_that_a_slow_store_takes_too_long_for_are_written_in_parts(ingest_stores: Stores) -> None:
    """All of them at once would never be written: each attempt takes as long as the one before."""
    with psycopg.connect(ingest_stores.analytics) as connection:
        connection.execute(
            "CREATE FUNCTION tire() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_sleep(0.001); RETURN new; END'"
        )
        connection.execute("CREATE TRIGGER tired BEFORE INSERT ON task_facts FOR EACH ROW EXECUTE FUNCTION tire()")
    database = Database("analytics", ingest_stores.analytics, 1, statement_timeout=0.25)
    projector = Projector(database, gather=0)
    whom = pb.Subject(namespace="shop", workflow="order", version="1", execution=execution())
    facts = [pb.TaskFact(subject=whom, number=number, at=_NOW, status="completed") for number in range(1, 401)]
    projector.offer(pb.Batch(owner="one", facts=facts))
    running = asyncio.create_task(projector.run())
    async with asyncio.timeout(30):
        await projector.drained()
    running.cancel()
    await database.close()
    assert projector.up
    assert rows(ingest_stores, "SELECT count(*) FROM task_facts") == [(400,)]
    assert rows(ingest_stores, "SELECT sum(count)::int FROM rollups_hour") == [(400,)]


async def test_only_a_newer_change_replaces_what_is_known(client: IngestClient, ingest: IngestProcess) -> None:
    one = execution()
    await client.change(change(one, 2, "running", started_at=Millis(_NOW + 5), parent_task="/do/0/ship@1.1"))
    await client.change(change(one, 1, "pending"))
    query = "SELECT phase, version_number, ended_at IS NULL, parent_task FROM executions WHERE execution = %s"
    assert rows(ingest.stores, query, one) == [("running", 2, True, "/do/0/ship@1.1")]
    await client.change(change(one, 3, "faulted", ended_at=Millis(_NOW + 9), error=_FAILURE, tags={"a": "b"}))
    await client.change(change(one, 3, "faulted", ended_at=Millis(_NOW + 9)))
    query = "SELECT phase, error->>'title', tags FROM executions WHERE execution = %s"
    assert rows(ingest.stores, query, one) == [("faulted", "No", {"a": "b"})]


async def test_many_changes_of_one_execution_in_one_batch_end_with_the_newest(
    client: IngestClient, ingest: IngestProcess
) -> None:
    one = execution()
    phases: list[Phase] = ["pending", "running", "waiting", "running", "completed"]
    changes = [change(one, number, phase) for number, phase in enumerate(phases, start=1)]
    await asyncio.gather(*(client.change(each) for each in reversed(changes)))
    assert rows(ingest.stores, "SELECT phase FROM executions WHERE execution = %s", one) == [("completed",)]


async def test_the_journal_does_not_notice_that_analytics_is_away(
    postgres: str, ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    process, one = run_ingest(ingest_stores), execution()
    async with client_of(process.target) as client:
        with outage(postgres, ingest_stores.analytics):
            client.facts(subject(one), (fact(1),))
            assert (await client.open(one, 1, "digest", 0)).answer == "ok"
            for number in range(1, 21):
                await client.append(one, 1, [entry(number)])
            assert written(ingest_stores, one) == list(range(1, 21))
            with pytest.raises(Unavailable):
                await client.change(change(one, 1, "running"))
        async for attempt in eventually():
            with attempt:
                assert rows(ingest_stores, "SELECT number FROM task_facts") == [(1,)]
        async for attempt in eventually():
            with attempt:
                try:
                    await client.change(change(one, 2, "completed"))
                except Unavailable as error:
                    raise AssertionError from error
        assert rows(ingest_stores, "SELECT phase FROM executions") == [("completed",)]
    assert not process.noise


async def test_history_waits_no_longer_than_a_moment_and_rides_with_appends(
    client: IngestClient, ingest: IngestProcess
) -> None:
    one = execution()
    await client.open(one, 1, "digest", 0)
    for number in range(1, 51):
        client.facts(subject(one), (fact(number),))
        await client.append(one, 1, [entry(number)])
    async for attempt in eventually(seconds=2):
        with attempt:
            assert rows(ingest.stores, "SELECT count(*) FROM task_facts WHERE execution = %s", one) == [(50,)]


async def test_an_owner_of_the_bare_protocol_may_mix_everything_in_one_batch(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        whom = pb.Subject(namespace="shop", workflow="order", version="1", execution=one)
        await owner.open(one)
        refused = await owner.send(
            pb.Append(execution=one, epoch=1, records=[record(1)]),
            facts=[pb.TaskFact(subject=whom, number=1, at=_NOW)],
            changes=[pb.ExecutionChange(subject=whom, version_number=1, phase="running", created_at=_NOW, epoch=1)],
            releases=[pb.Release(execution=one, epoch=1)],
        )
        assert refused == []
        assert rows(ingest.stores, "SELECT phase FROM executions WHERE execution = %s", one) == [("running",)]
        assert (await Owner(stub).open(one)).answer == pb.OpenReply.OK


async def test_the_outline_of_a_version_is_kept_once_for_each_deployment(
    client: IngestClient, ingest: IngestProcess
) -> None:
    named = {"namespace": "shop", "workflow": "order", "version": str(execution())}
    told = Outline(**named, deployed_at=_NOW, body=b'{"nodes": [{"name": "nul \\u0000"}], "edges": []}')
    await client.outline(told)
    await client.outline(told)
    await client.outline(msgspec.structs.replace(told, deployed_at=Millis(_NOW + 1), body=b'{"nodes": []}'))
    query = "SELECT outline FROM outlines WHERE version = %s ORDER BY deployed_at"
    stored = [{"nodes": [{"name": "nul \ufffd"}], "edges": []}, {"nodes": []}]
    assert rows(ingest.stores, query, named["version"]) == [(one,) for one in stored]
    for body in (b"", b"[]", b"{not json"):
        with pytest.raises(InvalidInput, match="outline"):
            await client.outline(msgspec.structs.replace(told, body=body))
