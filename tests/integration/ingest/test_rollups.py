"""What is reported is counted once per minute and hour, whoever writes it, however often it comes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from functions.ingest.projecting import Projector
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.sketch import ERROR, quantile
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id
from lowtide.storage.database import Database
from tests.ingests import Stores, make_stores

pytestmark = pytest.mark.anyio

_NOON = 1_795_000_000_000
_MINUTES = 90


@pytest.fixture(scope="module")
def stores(postgres: str) -> Iterator[Stores]:
    with make_stores(postgres) as stores:
        yield stores


def _drawn(chance: random.Random, count: int) -> list[pb.Batch]:
    """Batches of everything that a few workflows would report, in the order of nobody."""
    batches = [_of_one(chance, new_execution_id(Millis(_moment(chance)))) for _ in range(count)]
    parts = [part for batch in batches for part in batch]
    chance.shuffle(parts)
    return parts


def _moment(chance: random.Random) -> int:
    return _NOON + chance.randrange(_MINUTES * 60_000)


def _of_one(chance: random.Random, execution: ExecutionId) -> Iterator[pb.Batch]:
    whom = pb.Subject(
        namespace=chance.choice(["shop", "bank"]), workflow=chance.choice("abc"), version="1", execution=execution
    )
    created, at = _moment(chance), _moment(chance)
    end = created + chance.randrange(1, 10_000_000)
    phase = chance.choice(["completed", "completed", "faulted", "cancelled"])
    changes = [
        pb.ExecutionChange(subject=whom, version_number=1, phase="running", created_at=created, epoch=1),
        pb.ExecutionChange(subject=whom, version_number=2, phase=phase, created_at=created, ended_at=end, epoch=1),
    ]
    usages = [
        pb.InvocationUsage(
            subject=whom, epoch=epoch, at=at, active_ms=chance.lognormvariate(3, 2), cpu_ms=chance.random() * 9,
            memory_bytes=chance.randrange(2**30), cold_start=chance.random() < 0.2, cold_start_ms=250.5,
            queueing_ms=float(chance.randrange(50)), effects=2, bytes_in=10, bytes_out=20,
        )
        for epoch in range(1, chance.randrange(2, 5))
    ]  # fmt: skip
    facts = [
        pb.TaskFact(subject=whom, number=n, reference="/do/0/a", status=status, at=at, effect=effect, active_ms=1.5 * n)
        for n, status, effect in ((1, "running", ""), (2, "retried", "http"), (3, "completed", "http"))
    ]
    metrics = [
        pb.MetricSample(subject=whom, at=at, id=f"{execution}-{n}", name="temperature", value=chance.gauss(0, 30))
        for n in range(3)
    ]
    logs = [pb.LogLine(subject=whom, at=at, id=str(n), level="info", message="said") for n in range(2)]
    yield pb.Batch(facts=facts[:2], usages=usages[:1])
    yield pb.Batch(facts=facts[2:], usages=usages[1:], metrics=metrics, logs=logs)
    yield from (pb.Batch(changes=[change]) for change in changes)


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


def _read(stores: Stores, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stores.analytics) as connection:
        return connection.execute(query.encode()).fetchall()


_HAPPENED = """
SELECT 'executions.created', namespace, workflow, created_at, NULL::float8 FROM executions UNION ALL
SELECT 'executions.' || phase, namespace, workflow, ended_at, duration_ms FROM executions
 WHERE ended_at IS NOT NULL UNION ALL
SELECT 'invocations.active_ms', namespace, workflow, at, active_ms FROM usage UNION ALL
SELECT 'invocations.cpu_ms', namespace, workflow, at, cpu_ms FROM usage UNION ALL
SELECT 'invocations.queueing_ms', namespace, workflow, at, queueing_ms FROM usage UNION ALL
SELECT 'invocations.gb_seconds', namespace, workflow, at, memory_bytes / 1073741824.0 * active_ms / 1000 FROM usage
 UNION ALL
SELECT 'invocations.cold_start_ms', namespace, workflow, at, cold_start_ms FROM usage WHERE cold_start UNION ALL
SELECT 'effects.' || effect, namespace, workflow, at, active_ms FROM task_facts WHERE effect <> '' UNION ALL
SELECT 'tasks.' || status, namespace, workflow, at, duration_ms FROM task_facts WHERE status <> 'running' UNION ALL
SELECT 'metrics.' || name, namespace, workflow, at, value FROM metric_samples UNION ALL
SELECT 'logs.' || level, namespace, workflow, at, NULL FROM logs
"""


def _check(stores: Stores, grain: str) -> None:
    """Recomputes every cell of the rollups from the rows."""
    counts: Counter[Any] = Counter()
    values: dict[Any, list[float]] = defaultdict(list)
    for measure, namespace, workflow, at, value in _read(stores, _HAPPENED):
        minute = at.replace(second=0, microsecond=0)
        key = (measure, namespace, workflow, minute.replace(minute=0) if grain == "hour" else minute)
        counts[key] += 1
        if value is not None:
            values[key].append(value)
    rolled: dict[Any, Any] = {}
    query = f"SELECT measure, namespace, workflow, at, count, total, smallest, largest, sketch FROM rollups_{grain}"
    for measure, namespace, workflow, at, *cell, sketch in _read(stores, query):
        rolled[measure, namespace, workflow, at] = (*cell, {int(number): n for number, n in sketch.items()})
    assert {key: cell[0] for key, cell in rolled.items() if key in counts} == counts
    for key, given in values.items():
        _, total, smallest, largest, bins = rolled[key]
        assert total == pytest.approx(sum(given), rel=1e-9, abs=1e-6)
        assert (smallest, largest) == (min(given), max(given))
        if bins:
            assert sum(bins.values()) == len(given)
            for share in (0.5, 0.95, 0.99):
                exact = sorted(given)[max(0, -int(-share * len(given) // 1) - 1)]
                assert quantile(bins, share) == pytest.approx(exact, rel=ERROR * 1.0001, abs=1e-9)


async def test_several_ingests_that_write_the_same_at_once_count_it_once(stores: Stores) -> None:
    chance = random.Random(7)
    batches = _drawn(chance, 150)
    again = chance.sample(batches, len(batches))
    await asyncio.gather(_write(stores, batches), _write(stores, again), _write(stores, batches[::-1]))
    await _write(stores, again[:100])
    for grain in ("minute", "hour"):
        _check(stores, grain)
    assert _read(stores, "SELECT count(*) FROM executions WHERE ended_at IS NOT NULL") == [(150,)]
    assert not _read(stores, "SELECT * FROM dropped")


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
    assert _read(stores, query) == _read(stores, "SELECT count(DISTINCT execution) FROM usage") == [(150,)]


async def test_usage_that_comes_first_is_there_before_control_tells_of_the_execution(stores: Stores) -> None:
    execution = new_execution_id(Millis(_NOON))
    whom = pb.Subject(namespace="early", workflow="a", version="1", execution=execution)
    query = f"SELECT version_number, phase, invocations, correlation FROM executions WHERE execution = '{execution}'"
    usage = pb.InvocationUsage(subject=whom, epoch=1, at=_NOON + 5, active_ms=3.0)
    fact = pb.TaskFact(subject=whom, number=1, at=_NOON, kind="listen", status="completed", keys=b'{"order": 7}')
    await _write(stores, [pb.Batch(usages=[usage], facts=[fact])])
    assert _read(stores, query) == [(0, "running", 1, {"order": 7})]
    change = pb.ExecutionChange(subject=whom, version_number=1, phase="waiting", created_at=_NOON, epoch=1)
    await _write(stores, [pb.Batch(changes=[change])])
    assert _read(stores, query) == [(1, "waiting", 1, {"order": 7})]
    created = "SELECT count FROM rollups_hour WHERE namespace = 'early' AND measure = 'executions.created'"
    assert _read(stores, created) == [(1,)]
