"""What is reported is counted once per minute, hour and day, whoever writes it, however often it comes."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator

import pytest

from functions.ingest.projecting import Projector
from lowtide.model.base import Millis
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id
from lowtide.storage.database import Database
from tests.ingests import RunIngest, Stores, make_stores
from tests.rollups.checking import GRAINS, check, read
from tests.rollups.killing import load
from tests.rollups.reports import NOON, drawn

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def stores(postgres: str) -> Iterator[Stores]:
    with make_stores(postgres) as stores:
        yield stores


async def _write(stores: Stores, batches: list[pb.Batch]) -> None:
    """As one ingest would."""
    database = Database("analytics", stores.analytics, 1)
    projector = Projector(database)
    running = asyncio.create_task(projector.run())
    for number, batch in enumerate(batches):
        answer = projector.offer(batch)
        if number % 40 == 39 and answer is not None:
            await answer
    await projector.drained()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()


async def test_several_ingests_that_write_the_same_at_once_count_it_once(stores: Stores) -> None:
    chance = random.Random(7)
    batches = drawn(chance, 150)
    again = chance.sample(batches, len(batches))
    await asyncio.gather(_write(stores, batches), _write(stores, again), _write(stores, batches[::-1]))
    await _write(stores, again[:100])
    for grain in GRAINS:
        check(stores.analytics, grain)
    assert read(stores.analytics, "SELECT count(*) FROM executions WHERE ended_at IS NOT NULL") == [(150,)]
    assert not read(stores.analytics, "SELECT * FROM dropped")


async def test_an_ingest_that_is_killed_while_it_writes_counts_nothing_twice(
    ingest_stores: Stores, run_ingest: RunIngest
) -> None:
    chance = random.Random(11)
    batches = drawn(chance, 40)
    await load(batches, lambda port: run_ingest(ingest_stores, port=port), 1, chance)
    for grain in GRAINS:
        check(ingest_stores.analytics, grain)
    assert read(ingest_stores.analytics, "SELECT count(*) FROM executions WHERE ended_at IS NOT NULL") == [(40,)]


async def test_what_an_execution_cost_is_beside_what_control_says_of_it(stores: Stores) -> None:
    query = """
    SELECT count(*) FROM executions
      JOIN (SELECT execution, count(*) AS invocations, sum(active_ms) AS active_ms, sum(effects) AS effects,
                   count(*) FILTER (WHERE cold_start) AS cold_starts,
                   sum(memory_bytes / 1073741824.0 * active_ms / 1000) AS gb_seconds, sum(bytes_out) AS bytes_out
              FROM usage GROUP BY 1) AS spent USING (execution)
     WHERE executions.invocations = spent.invocations AND executions.cold_starts = spent.cold_starts
       AND abs(executions.active_ms - spent.active_ms) <= 1e-9 * spent.active_ms
       AND abs(executions.gb_seconds - spent.gb_seconds) <= 1e-9 * spent.gb_seconds
       AND executions.effects = spent.effects AND executions.bytes_out = spent.bytes_out"""
    assert (
        read(stores.analytics, query)
        == read(stores.analytics, "SELECT count(DISTINCT execution) FROM usage")
        == [(150,)]
    )


async def test_reports_that_cannot_be_added_up_are_dropped_alone_and_counted(stores: Stores) -> None:
    whom = pb.Subject(namespace="odd", workflow="a", version="1", execution=new_execution_id(Millis(NOON)))
    facts = [
        pb.TaskFact(subject=whom, number=number, at=NOON, status="completed", keys=keys)
        for number, keys in enumerate([b"[1]", b"{", b"7", b'{"nul": "\\u0000"}'])
    ]
    times = [math.nan, math.inf, 1e300, -1e300, 5.0]
    usages = [pb.InvocationUsage(subject=whom, epoch=n, at=NOON, active_ms=ms) for n, ms in enumerate(times)]
    metrics = [
        pb.MetricSample(subject=whom, at=NOON, id=f"odd-{n}", name="n" * 4000, value=value)
        for n, value in enumerate([math.nan, math.inf, 1e308, 1e308, 2.0])
    ]
    await _write(stores, [pb.Batch(facts=facts, usages=usages, metrics=metrics)])
    rolled = "SELECT left(measure, 10), count, total FROM rollups_hour WHERE namespace = 'odd' AND total > 0"
    assert sorted(read(stores.analytics, rolled)) == [("invocation", 1, 5.0), ("metrics.nn", 1, 2.0)]
    lost = "SELECT sum(count)::int FROM dropped WHERE kind = 'invalid'"
    assert read(stores.analytics, lost) == [(7,)]
    assert read(stores.analytics, "SELECT count(*) FROM metric_samples WHERE namespace = 'odd'") == [(5,)]


async def test_usage_that_comes_first_is_there_before_control_tells_of_the_execution(stores: Stores) -> None:
    execution = new_execution_id(Millis(NOON))
    whom = pb.Subject(namespace="early", workflow="a", version="1", execution=execution)
    query = f"SELECT version_number, phase, invocations, correlation FROM executions WHERE execution = '{execution}'"
    usage = pb.InvocationUsage(subject=whom, epoch=1, at=NOON + 5, active_ms=3.0)
    fact = pb.TaskFact(subject=whom, number=1, at=NOON, kind="listen", status="completed", keys=b'{"order": 7}')
    await _write(stores, [pb.Batch(usages=[usage], facts=[fact])])
    assert read(stores.analytics, query) == [(0, "running", 1, {"order": 7})]
    change = pb.ExecutionChange(subject=whom, version_number=1, phase="waiting", created_at=NOON, epoch=1)
    await _write(stores, [pb.Batch(changes=[change])])
    assert read(stores.analytics, query) == [(1, "waiting", 1, {"order": 7})]
    created = "SELECT count FROM rollups_hour WHERE namespace = 'early' AND measure = 'executions.created'"
    assert read(stores.analytics, created) == [(1,)]
